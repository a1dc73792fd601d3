check_PROGRAMS += tests/conformance/echo
tests_conformance_echo_SOURCES = tests/conformance/echo.c tests/conformance/echo.h \
	tests/conformance/engine_echo.c \
	tests/conformance/peers.c tests/conformance/peers.h \
	tests/conformance/socket_echo.c \
	tests/conformance/workers.c
tests_conformance_echo_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_conformance_echo_LDADD = worker/libtransport.a $(IPC_LIBS) $(PROTOCOL_LIBS) $(LOOP_LIBS) \
	$(LWS_LIBS) $(UV_LIBS) $(ZLIB_LIBS)
