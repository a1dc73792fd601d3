# routing
check_PROGRAMS += tests/servers/test_router
tests_servers_test_router_SOURCES = tests/servers/test_router.c \
	tests/servers/loop_wait.h tests/servers/redis_admin.h \
	tests/servers/router_nodes.h
tests_servers_test_router_CFLAGS = $(TEST_CFLAGS) $(HIREDIS_CFLAGS)
tests_servers_test_router_LDADD = worker/librouting.a $(IPC_LIBS) $(BACKEND_LIBS) $(PROTOCOL_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/servers/test_router_counters
tests_servers_test_router_counters_SOURCES = tests/servers/test_router_counters.c \
	tests/servers/loop_wait.h tests/servers/redis_admin.h \
	tests/servers/router_nodes.h
tests_servers_test_router_counters_CFLAGS = $(TEST_CFLAGS) $(HIREDIS_CFLAGS)
tests_servers_test_router_counters_LDADD = worker/librouting.a $(IPC_LIBS) $(BACKEND_LIBS) $(PROTOCOL_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/servers/test_router_many
tests_servers_test_router_many_SOURCES = tests/servers/test_router_many.c \
	tests/servers/loop_wait.h tests/servers/redis_admin.h \
	tests/servers/router_nodes.h
tests_servers_test_router_many_CFLAGS = $(TEST_CFLAGS) $(HIREDIS_CFLAGS)
tests_servers_test_router_many_LDADD = worker/librouting.a $(IPC_LIBS) $(BACKEND_LIBS) $(PROTOCOL_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/servers/test_presence
tests_servers_test_presence_SOURCES = tests/servers/test_presence.c \
	tests/servers/loop_wait.h tests/servers/redis_admin.h
tests_servers_test_presence_CFLAGS = $(TEST_CFLAGS) $(HIREDIS_CFLAGS)
tests_servers_test_presence_LDADD = worker/librouting.a $(IPC_LIBS) $(BACKEND_LIBS) $(PROTOCOL_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/servers/test_presence_ask
tests_servers_test_presence_ask_SOURCES = tests/servers/test_presence_ask.c \
	tests/servers/loop_wait.h tests/servers/redis_admin.h
tests_servers_test_presence_ask_CFLAGS = $(TEST_CFLAGS) $(HIREDIS_CFLAGS)
tests_servers_test_presence_ask_LDADD = worker/librouting.a $(IPC_LIBS) $(BACKEND_LIBS) $(PROTOCOL_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/servers/test_push_queue
tests_servers_test_push_queue_SOURCES = tests/servers/test_push_queue.c tests/servers/push_taker.h \
	tests/servers/loop_wait.h tests/servers/redis_admin.h
tests_servers_test_push_queue_CFLAGS = $(TEST_CFLAGS) $(HIREDIS_CFLAGS)
tests_servers_test_push_queue_LDADD = $(QUEUE_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/servers/test_push_kafka
tests_servers_test_push_kafka_SOURCES = tests/servers/test_push_kafka.c \
	tests/servers/test_push_kafka_brokers.c \
	tests/servers/kafka_producer_world.c tests/servers/kafka_producer_world.h \
	tests/servers/kafka_admin.h tests/servers/loop_wait.h tests/servers/redis_admin.h
tests_servers_test_push_kafka_CFLAGS = $(TEST_CFLAGS) $(HIREDIS_CFLAGS) $(RDKAFKA_CFLAGS)
tests_servers_test_push_kafka_LDADD = $(QUEUE_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/servers/test_push_kafka_consumer
tests_servers_test_push_kafka_consumer_SOURCES = tests/servers/test_push_kafka_consumer.c \
	tests/servers/kafka_admin.h tests/servers/kafka_taker.h tests/servers/loop_wait.h
tests_servers_test_push_kafka_consumer_CFLAGS = $(TEST_CFLAGS) $(RDKAFKA_CFLAGS)
tests_servers_test_push_kafka_consumer_LDADD = $(QUEUE_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/servers/test_push_kafka_group
tests_servers_test_push_kafka_group_SOURCES = tests/servers/test_push_kafka_group.c \
	tests/servers/kafka_admin.h tests/servers/kafka_taker.h tests/servers/loop_wait.h
tests_servers_test_push_kafka_group_CFLAGS = $(TEST_CFLAGS) $(RDKAFKA_CFLAGS)
tests_servers_test_push_kafka_group_LDADD = $(QUEUE_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/servers/test_unread_sets
tests_servers_test_unread_sets_SOURCES = tests/servers/test_unread_sets.c \
	tests/servers/loop_wait.h tests/servers/redis_admin.h
tests_servers_test_unread_sets_CFLAGS = $(TEST_CFLAGS) $(HIREDIS_CFLAGS)
tests_servers_test_unread_sets_LDADD = worker/librouting.a $(IPC_LIBS) $(BACKEND_LIBS) $(PROTOCOL_LIBS) $(TEST_LIBS)
