check_PROGRAMS += tests/unit/pushd/test_pushd_pure
tests_unit_pushd_test_pushd_pure_SOURCES = \
	tests/unit/protocol/exact.h \
	tests/unit/pushd/test_json_text.c \
	tests/unit/pushd/test_notification.c \
	tests/unit/pushd/test_notification_size.c \
	tests/unit/pushd/test_outcome.c \
	tests/unit/pushd/test_retry_after.c \
	tests/unit/pushd/test_templates.c \
	tests/unit/pushd/test_text_cut.c
tests_unit_pushd_test_pushd_pure_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_pushd_test_pushd_pure_LDADD = $(PUSHPURE_LIBS) $(TEST_LIBS)
TESTS += tests/unit/pushd/test_pushd_pure
