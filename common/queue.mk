noinst_LIBRARIES += common/libqueue.a
common_libqueue_a_SOURCES = \
	common/queue/kafka_parts.c common/queue/kafka_parts.h \
	common/queue/kafka_url.c common/queue/kafka_url.h \
	common/queue/offset_window.c common/queue/offset_window.h \
	common/queue/push_queue.c common/queue/push_queue.h \
	common/queue/queue_backend.h \
	common/queue/queue_kafka.c common/queue/queue_kafka.h \
	common/queue/queue_kafka_assignment.c common/queue/queue_kafka_assignment.h \
	common/queue/queue_kafka_client.c common/queue/queue_kafka_client.h \
	common/queue/queue_kafka_consumer.c \
	common/queue/queue_kafka_dead.c common/queue/queue_kafka_dead.h \
	common/queue/queue_kafka_look.c common/queue/queue_kafka_look.h \
	common/queue/queue_kafka_markers.c common/queue/queue_kafka_markers.h \
	common/queue/queue_kafka_trouble.c common/queue/queue_kafka_trouble.h \
	common/queue/queue_redis.c common/queue/queue_redis.h \
	common/queue/queue_redis_consumer.c \
	common/queue/queue_redis_dead.c common/queue/queue_redis_dead.h \
	common/queue/queue_redis_flight.c common/queue/queue_redis_flight.h \
	common/queue/queue_redis_lag.c common/queue/queue_redis_lag.h \
	common/queue/redis_url.c common/queue/redis_url.h \
	common/queue/url_parts.c common/queue/url_parts.h
common_libqueue_a_CFLAGS = $(AM_CFLAGS) $(HIREDIS_CFLAGS) $(RDKAFKA_CFLAGS)
