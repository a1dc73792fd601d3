# One set of tests, once for each backend.
store_tests = tests/servers/test_store.c tests/servers/test_store_life.c \
	tests/servers/test_store_marks.c tests/servers/test_store_pages.c \
	tests/servers/test_store_reads.c \
	tests/servers/store_fixture.h tests/servers/loop_wait.h
check_PROGRAMS += tests/servers/test_store_pg tests/servers/test_store_mongo
tests_servers_test_store_pg_SOURCES = $(store_tests) tests/servers/pg_schema.h \
	tests/servers/test_store_pg_plans.c tests/servers/test_store_pg_schema.c
tests_servers_test_store_pg_CFLAGS = $(TEST_CFLAGS) $(PQ_CFLAGS) '-DSTORE_ENV="PW_TEST_DATABASE_URL"'
tests_servers_test_store_pg_LDADD = $(STORE_LIBS) $(TEST_LIBS)
tests_servers_test_store_mongo_SOURCES = $(store_tests) tests/servers/test_store_mongo_reads.c
tests_servers_test_store_mongo_CFLAGS = $(TEST_CFLAGS) $(MONGOC_CFLAGS) '-DSTORE_ENV="PW_TEST_MONGODB_URI"'
tests_servers_test_store_mongo_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=store_rows_add
tests_servers_test_store_mongo_LDADD = $(STORE_LIBS) $(TEST_LIBS)

# MongoDB's failures, from a server made for that; needs node.
check_PROGRAMS += tests/servers/test_store_faults
tests_servers_test_store_faults_SOURCES = tests/servers/test_store_faults.c \
	tests/servers/test_store_faults_reads.c tests/servers/fake_mongod.h \
	tests/servers/store_fixture.h tests/servers/loop_wait.h
tests_servers_test_store_faults_CFLAGS = $(TEST_CFLAGS) '-DSOURCES="$(abs_top_srcdir)"'
tests_servers_test_store_faults_LDADD = $(STORE_LIBS) $(TEST_LIBS)
EXTRA_DIST += tests/servers/fake_mongod.js
