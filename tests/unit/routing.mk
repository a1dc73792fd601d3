# routing
check_PROGRAMS += tests/unit/queue/test_redis_url
tests_unit_queue_test_redis_url_SOURCES = tests/unit/queue/test_redis_url.c
tests_unit_queue_test_redis_url_CFLAGS = $(TEST_CFLAGS)
tests_unit_queue_test_redis_url_LDADD = $(QUEUE_LIBS) $(TEST_LIBS)
TESTS += tests/unit/queue/test_redis_url
