check_PROGRAMS += tests/unit/service/test_journal
tests_unit_service_test_journal_SOURCES = tests/unit/service/test_journal.c
tests_unit_service_test_journal_CFLAGS = $(TEST_CFLAGS)
tests_unit_service_test_journal_LDADD = $(SERVICE_LIBS) $(SYSTEMD_LIBS) $(TEST_LIBS)
TESTS += tests/unit/service/test_journal

check_PROGRAMS += tests/unit/service/test_notify
tests_unit_service_test_notify_SOURCES = tests/unit/service/test_notify.c
tests_unit_service_test_notify_CFLAGS = $(TEST_CFLAGS)
tests_unit_service_test_notify_LDADD = $(SERVICE_LIBS) $(SYSTEMD_LIBS) $(TEST_LIBS)
TESTS += tests/unit/service/test_notify

check_PROGRAMS += tests/unit/service/test_listeners
tests_unit_service_test_listeners_SOURCES = tests/unit/service/test_listeners.c
tests_unit_service_test_listeners_CFLAGS = $(TEST_CFLAGS)
tests_unit_service_test_listeners_LDADD = $(SERVICE_LIBS) $(TEST_LIBS)
TESTS += tests/unit/service/test_listeners
