# Redis and PostgreSQL clients.
check_PROGRAMS += tests/servers/test_redis
tests_servers_test_redis_SOURCES = tests/servers/test_redis.c \
	tests/servers/test_redis_connect.c tests/servers/test_redis_lost.c \
	tests/servers/redis_world.c tests/servers/redis_world.h \
	tests/servers/free_port.h tests/servers/loop_wait.h tests/servers/states.h
tests_servers_test_redis_CFLAGS = $(TEST_CFLAGS) $(HIREDIS_CFLAGS)
tests_servers_test_redis_LDADD = $(BACKEND_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/servers/test_redis_sub
tests_servers_test_redis_sub_SOURCES = tests/servers/test_redis_sub.c \
	tests/servers/loop_wait.h tests/servers/redis_admin.h
tests_servers_test_redis_sub_CFLAGS = $(TEST_CFLAGS) $(HIREDIS_CFLAGS)
tests_servers_test_redis_sub_LDADD = $(BACKEND_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/servers/test_pg
tests_servers_test_pg_SOURCES = tests/servers/test_pg.c \
	tests/servers/test_pg_connect.c tests/servers/test_pg_lost.c \
	tests/servers/pg_world.c tests/servers/pg_world.h \
	tests/servers/free_port.h tests/servers/loop_wait.h tests/servers/states.h
tests_servers_test_pg_CFLAGS = $(TEST_CFLAGS) $(PQ_CFLAGS)
tests_servers_test_pg_LDADD = $(BACKEND_LIBS) $(TEST_LIBS)
