# Low to high; each library may use those above it in this list.
noinst_LIBRARIES += %D%/libbase.a
%C%_libbase_a_SOURCES = \
	%D%/base/base.h \
	%D%/base/buf.c %D%/base/buf.h \
	%D%/base/clock.c %D%/base/clock.h \
	%D%/base/list.h \
	%D%/base/log.c %D%/base/log.h \
	%D%/base/log_areas.h \
	%D%/base/log_level.c \
	%D%/base/map.c %D%/base/map.h \
	%D%/base/mem.c %D%/base/mem.h \
	%D%/base/net_addr.c %D%/base/net_addr.h \
	%D%/base/rate.c %D%/base/rate.h \
	%D%/base/siphash.c %D%/base/siphash.h \
	%D%/base/utf8.c %D%/base/utf8.h

noinst_LIBRARIES += %D%/libloop.a
%C%_libloop_a_SOURCES = \
	%D%/loop/deadlines.c %D%/loop/deadlines.h \
	%D%/loop/jobs.c %D%/loop/jobs.h \
	%D%/loop/loop.c %D%/loop/loop.h
%C%_libloop_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)

include common/protocol.mk
include common/conf.mk
include common/ipc.mk
include common/backend.mk
include common/store.mk
include common/queue.mk
include common/schema.mk
include common/service.mk

BASE_LIBS = common/libbase.a
LOOP_LIBS = common/libloop.a $(BASE_LIBS) $(EVENT_LIBS) -lpthread
CONF_LIBS = common/libconf.a common/libprotocol.a $(BASE_LIBS) $(INIH_LIBS) $(CRYPTO_LIBS)
IPC_LIBS = common/libipc.a $(BASE_LIBS)
PROTOCOL_LIBS = common/libprotocol.a $(BASE_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS) \
	$(MSGPACK_LIBS) -lm
BACKEND_LIBS = common/libbackend.a $(LOOP_LIBS) $(HIREDIS_LIBS) $(PQ_LIBS)
STORE_LIBS = common/libstore.a $(BACKEND_LIBS) $(MONGOC_LIBS) $(CRYPTO_LIBS)
QUEUE_LIBS = common/libqueue.a $(BACKEND_LIBS) $(RDKAFKA_LIBS)
# A program that uses notify.h needs $(SYSTEMD_LIBS), too.
SERVICE_LIBS = common/libservice.a common/libipc.a common/libprotocol.a $(CONF_LIBS) $(LOOP_LIBS)
