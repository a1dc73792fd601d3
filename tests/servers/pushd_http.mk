# The HTTP/2 client, against a server made for that; needs node and openssl.
check_PROGRAMS += tests/servers/test_h2_client
tests_servers_test_h2_client_SOURCES = tests/servers/test_h2_client.c \
	tests/servers/fake_h2.h tests/servers/test_h2_ends.c \
	tests/servers/test_h2_troubles.c tests/servers/loop_wait.h
tests_servers_test_h2_client_CFLAGS = $(TEST_CFLAGS) '-DSOURCES="$(abs_top_srcdir)"'
tests_servers_test_h2_client_LDADD = $(PUSH_HTTP_LIBS) $(TEST_LIBS)
EXTRA_DIST += tests/servers/fake_h2.js
