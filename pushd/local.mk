# pairwire-pushd: push events in, notifications out. Each room has its own list.
include pushd/delivery.mk
include pushd/pure.mk
include pushd/meters.mk
include pushd/senders.mk
include pushd/http.mk

sbin_PROGRAMS += pushd/pairwire-pushd
pushd_pairwire_pushd_SOURCES = \
	pushd/main.c \
	pushd/operations.c pushd/operations.h \
	pushd/pushd.c pushd/pushd.h
pushd_pairwire_pushd_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
pushd_pairwire_pushd_LDADD = pushd/libpushdeliver.a pushd/libpushsend.a \
	$(PUSH_HTTP_LIBS) $(PUSHMETERS_LIBS) $(PUSHPURE_LIBS) $(STORE_LIBS) $(QUEUE_LIBS) \
	$(SERVICE_LIBS) $(SYSTEMD_LIBS) $(JWT_LIBS)

dist_pkgdata_DATA += contrib/pairwire-push.ini.example contrib/pairwire-templates.ini.example \
	contrib/push-replay.lua
