# pushd's devices and marks
check_PROGRAMS += tests/servers/test_pushd_devices
tests_servers_test_pushd_devices_SOURCES = tests/servers/test_pushd_devices.c \
	tests/servers/loop_wait.h tests/servers/pg_schema.h tests/servers/store_fixture.h
tests_servers_test_pushd_devices_CFLAGS = $(TEST_CFLAGS) $(PQ_CFLAGS) '-DSTORE_ENV="PW_TEST_DATABASE_URL"'
tests_servers_test_pushd_devices_LDADD = pushd/libpushdeliver.a $(STORE_LIBS) $(IPC_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/servers/test_pushd_marks
tests_servers_test_pushd_marks_SOURCES = tests/servers/test_pushd_marks.c \
	tests/servers/loop_wait.h tests/servers/redis_admin.h
tests_servers_test_pushd_marks_CFLAGS = $(TEST_CFLAGS) $(HIREDIS_CFLAGS)
tests_servers_test_pushd_marks_LDADD = pushd/libpushdeliver.a $(BACKEND_LIBS) $(IPC_LIBS) $(TEST_LIBS)
