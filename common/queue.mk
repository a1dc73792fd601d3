noinst_LIBRARIES += common/libqueue.a
common_libqueue_a_SOURCES = \
	common/queue/push_queue.c common/queue/push_queue.h \
	common/queue/queue_backend.h \
	common/queue/queue_redis.c common/queue/queue_redis.h \
	common/queue/queue_redis_consumer.c \
	common/queue/queue_redis_flight.c common/queue/queue_redis_flight.h \
	common/queue/redis_url.c common/queue/redis_url.h
common_libqueue_a_CFLAGS = $(AM_CFLAGS) $(HIREDIS_CFLAGS)
