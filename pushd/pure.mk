# Bytes in, structs out: what is told, and what an answer means.
noinst_LIBRARIES += pushd/libpushpure.a
pushd_libpushpure_a_SOURCES = \
	pushd/device.h \
	pushd/json_text.c pushd/json_text.h \
	pushd/notification.c pushd/notification.h \
	pushd/outcome.c pushd/outcome.h \
	pushd/retry_after.c pushd/retry_after.h \
	pushd/templates.c pushd/templates.h pushd/templates_impl.h \
	pushd/templates_file.c \
	pushd/text_cut.c pushd/text_cut.h
pushd_libpushpure_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(INIH_CFLAGS)
PUSHPURE_LIBS = pushd/libpushpure.a $(PROTOCOL_LIBS) $(INIH_LIBS)
