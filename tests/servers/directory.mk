# The directory of users and matches.
check_PROGRAMS += tests/servers/test_directory
tests_servers_test_directory_SOURCES = tests/servers/test_directory.c \
	tests/servers/test_directory_times.c \
	tests/servers/test_directory_users.c \
	tests/servers/directory/fixture.c tests/servers/directory/fixture.h \
	tests/servers/directory/proxy.c tests/servers/directory/proxy.h
tests_servers_test_directory_CFLAGS = $(TEST_CFLAGS) $(EVENT_CFLAGS) $(PQ_CFLAGS)
tests_servers_test_directory_LDADD = worker/librouting.a $(IPC_LIBS) $(BACKEND_LIBS) $(TEST_LIBS)
