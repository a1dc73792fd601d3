# Who and where: directory, presence, router; what others emit.
noinst_LIBRARIES += worker/librouting.a
worker_librouting_a_SOURCES = \
	worker/directory.c worker/directory.h \
	worker/directory/coalescer.c worker/directory/coalescer.h \
	worker/directory/inspect.c worker/directory/inspect.h \
	worker/directory/listen.c worker/directory/listen.h \
	worker/directory/peers.c worker/directory/peers.h \
	worker/directory/refusal.c worker/directory/refusal.h \
	worker/directory/row_cache.c worker/directory/row_cache.h \
	worker/emitter.c worker/emitter.h \
	worker/presence.c worker/presence.h worker/presence_impl.h \
	worker/presence_ask.c \
	worker/presence_lease.c \
	worker/presence_script.c \
	worker/router.c worker/router.h \
	worker/router_batch.c worker/router_batch.h \
	worker/router_script.c worker/router_script.h \
	worker/router_watch.c worker/router_watch.h \
	worker/unread_sets.c worker/unread_sets.h
worker_librouting_a_CFLAGS = $(AM_CFLAGS) $(HIREDIS_CFLAGS) $(PQ_CFLAGS)
