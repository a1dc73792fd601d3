noinst_LIBRARIES += common/libqueue.a
common_libqueue_a_SOURCES = \
	common/queue/push_queue.c common/queue/push_queue.h \
	common/queue/queue_redis.c
common_libqueue_a_CFLAGS = $(AM_CFLAGS) $(HIREDIS_CFLAGS)
