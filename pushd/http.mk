# The HTTP/2 client of the senders.
noinst_LIBRARIES += pushd/libpushhttp.a
pushd_libpushhttp_a_SOURCES = \
	pushd/h2_call.c pushd/h2_call.h \
	pushd/h2_client.c pushd/h2_client.h \
	pushd/h2_conn.c pushd/h2_conn.h \
	pushd/h2_dial.c pushd/h2_dial.h \
	pushd/h2_stream.c \
	pushd/h2_tls.c pushd/h2_tls.h \
	pushd/h2_url.c pushd/h2_url.h
pushd_libpushhttp_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(EVENT_SSL_CFLAGS) \
	$(SSL_CFLAGS) $(NGHTTP2_CFLAGS)
PUSH_HTTP_LIBS = pushd/libpushhttp.a common/libbackend.a $(LOOP_LIBS) \
	$(EVENT_SSL_LIBS) $(NGHTTP2_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)
