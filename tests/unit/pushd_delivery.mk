# pushd's delivery
check_PROGRAMS += tests/unit/pushd/test_breakers
tests_unit_pushd_test_breakers_SOURCES = \
	tests/unit/pushd/test_breaker.c \
	tests/unit/pushd/test_guard.c
tests_unit_pushd_test_breakers_CFLAGS = $(TEST_CFLAGS)
tests_unit_pushd_test_breakers_LDADD = pushd/libpushdeliver.a $(BASE_LIBS) $(TEST_LIBS)
TESTS += tests/unit/pushd/test_breakers

# Delivery over fakes of all it talks to, which come before the real ones.
check_LIBRARIES += tests/unit/pushd/libfakepush.a
tests_unit_pushd_libfakepush_a_SOURCES = \
	tests/unit/pushd/fake_loop.c tests/unit/pushd/fake_loop.h \
	tests/unit/pushd/fake_push.c tests/unit/pushd/fake_push.h
tests_unit_pushd_libfakepush_a_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
FAKEPUSH_LIBS = tests/unit/pushd/libfakepush.a pushd/libpushdeliver.a $(PUSHMETERS_LIBS) \
	$(PROTOCOL_LIBS) common/libloop.a $(BASE_LIBS) $(TEST_LIBS)

unit_delivery = \
	tests/unit/pushd/test_delivery \
	tests/unit/pushd/test_delivery_life \
	tests/unit/pushd/test_delivery_line \
	tests/unit/pushd/test_delivery_refused \
	tests/unit/pushd/test_delivery_stop \
	tests/unit/pushd/test_delivery_tokens
check_PROGRAMS += $(unit_delivery)
TESTS += $(unit_delivery)
tests_unit_pushd_test_delivery_SOURCES = tests/unit/pushd/test_delivery.c
tests_unit_pushd_test_delivery_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_pushd_test_delivery_LDADD = $(FAKEPUSH_LIBS)
tests_unit_pushd_test_delivery_life_SOURCES = tests/unit/pushd/test_delivery_life.c
tests_unit_pushd_test_delivery_life_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_pushd_test_delivery_life_LDADD = $(FAKEPUSH_LIBS)
tests_unit_pushd_test_delivery_line_SOURCES = tests/unit/pushd/test_delivery_line.c \
	tests/unit/pushd/fake_users.h
tests_unit_pushd_test_delivery_line_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_pushd_test_delivery_line_LDADD = $(FAKEPUSH_LIBS)
tests_unit_pushd_test_delivery_refused_SOURCES = tests/unit/pushd/test_delivery_refused.c \
	tests/unit/pushd/fake_users.h
tests_unit_pushd_test_delivery_refused_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_pushd_test_delivery_refused_LDADD = $(FAKEPUSH_LIBS)
tests_unit_pushd_test_delivery_stop_SOURCES = tests/unit/pushd/test_delivery_stop.c
tests_unit_pushd_test_delivery_stop_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_pushd_test_delivery_stop_LDADD = $(FAKEPUSH_LIBS)
tests_unit_pushd_test_delivery_tokens_SOURCES = tests/unit/pushd/test_delivery_tokens.c
tests_unit_pushd_test_delivery_tokens_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_pushd_test_delivery_tokens_LDADD = $(FAKEPUSH_LIBS)
