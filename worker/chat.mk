# What the events do, and the worker's graph of objects.
noinst_LIBRARIES += worker/libchat.a
worker_libchat_a_SOURCES = \
	worker/worker.c worker/worker.h
worker_libchat_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
