# From an event to its outcome.
noinst_LIBRARIES += pushd/libpushdeliver.a
pushd_libpushdeliver_a_SOURCES = \
	pushd/breaker.c pushd/breaker.h \
	pushd/delivery.c pushd/delivery.h pushd/delivery_impl.h \
	pushd/delivery_again.c \
	pushd/delivery_ask.c \
	pushd/delivery_attempt.c \
	pushd/delivery_event.c \
	pushd/delivery_line.c \
	pushd/delivery_refused.c \
	pushd/delivery_tokens.c \
	pushd/devices.c pushd/devices.h pushd/devices_impl.h \
	pushd/devices_delete.c \
	pushd/guard.c pushd/guard.h \
	pushd/jitter.c pushd/jitter.h \
	pushd/marks.c pushd/marks.h
pushd_libpushdeliver_a_CFLAGS = $(AM_CFLAGS) $(HIREDIS_CFLAGS) $(PQ_CFLAGS) $(JANSSON_CFLAGS)
