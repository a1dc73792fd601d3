# The pure parts of the HTTP/2 client.
check_PROGRAMS += tests/unit/pushd/test_h2
tests_unit_pushd_test_h2_SOURCES = \
	tests/unit/pushd/test_h2.c \
	tests/unit/pushd/test_h2_tls.c
tests_unit_pushd_test_h2_CFLAGS = $(TEST_CFLAGS) $(EVENT_CFLAGS) $(NGHTTP2_CFLAGS) $(SSL_CFLAGS)
tests_unit_pushd_test_h2_LDADD = $(PUSH_HTTP_LIBS) $(TEST_LIBS)
TESTS += tests/unit/pushd/test_h2
