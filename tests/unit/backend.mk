# backend
check_PROGRAMS += tests/unit/test_backend
tests_unit_test_backend_SOURCES = tests/unit/test_backend.c
tests_unit_test_backend_CFLAGS = $(TEST_CFLAGS) $(EVENT_CFLAGS) $(HIREDIS_CFLAGS) $(PQ_CFLAGS)
tests_unit_test_backend_LDADD = $(BACKEND_LIBS) $(TEST_LIBS)
TESTS += tests/unit/test_backend
