check_PROGRAMS += tests/unit/test_base
tests_unit_test_base_SOURCES = tests/unit/test_base.c
tests_unit_test_base_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_base_LDADD = $(LOOP_LIBS) $(TEST_LIBS)
TESTS += tests/unit/test_base

check_PROGRAMS += tests/unit/test_net_addr
tests_unit_test_net_addr_SOURCES = tests/unit/test_net_addr.c
tests_unit_test_net_addr_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_net_addr_LDADD = $(BASE_LIBS) $(TEST_LIBS)
TESTS += tests/unit/test_net_addr

check_PROGRAMS += tests/unit/test_log
tests_unit_test_log_SOURCES = tests/unit/test_log.c
tests_unit_test_log_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_log_LDADD = $(BASE_LIBS) $(TEST_LIBS)
TESTS += tests/unit/test_log
