# Who and where: directory, presence, router.
noinst_LIBRARIES += worker/librouting.a
worker_librouting_a_SOURCES = \
	worker/directory.c worker/directory.h \
	worker/presence.c worker/presence.h \
	worker/router.c worker/router.h
worker_librouting_a_CFLAGS = $(AM_CFLAGS) $(HIREDIS_CFLAGS) $(PQ_CFLAGS)
