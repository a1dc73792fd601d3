# What is counted; every room uses it.
noinst_LIBRARIES += pushd/libpushmeters.a
pushd_libpushmeters_a_SOURCES = pushd/meters.c pushd/meters.h
pushd_libpushmeters_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
PUSHMETERS_LIBS = pushd/libpushmeters.a pushd/libpushpure.a $(SERVICE_LIBS) $(JANSSON_LIBS)
