include worker/transport.mk
include worker/routing.mk
include worker/chat.mk

libexec_PROGRAMS += worker/pairwire-worker
worker_pairwire_worker_SOURCES = worker/main.c
worker_pairwire_worker_LDADD = worker/libchat.a worker/libchatpure.a worker/librouting.a worker/libtransport.a \
	$(STORE_LIBS) $(QUEUE_LIBS) $(SERVICE_LIBS) $(PROTOCOL_LIBS) \
	$(SYSTEMD_LIBS) $(LWS_LIBS) $(UV_LIBS) $(ZLIB_LIBS)
