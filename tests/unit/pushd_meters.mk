check_PROGRAMS += tests/unit/pushd/test_meters
tests_unit_pushd_test_meters_SOURCES = tests/unit/pushd/test_meters.c
tests_unit_pushd_test_meters_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_pushd_test_meters_LDADD = $(PUSHMETERS_LIBS) $(TEST_LIBS)
TESTS += tests/unit/pushd/test_meters

check_PROGRAMS += tests/unit/pushd/test_operations
tests_unit_pushd_test_operations_SOURCES = tests/unit/pushd/test_operations.c pushd/operations.c
tests_unit_pushd_test_operations_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_pushd_test_operations_LDADD = $(PUSHMETERS_LIBS) $(TEST_LIBS)
TESTS += tests/unit/pushd/test_operations
