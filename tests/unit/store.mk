# store
check_PROGRAMS += tests/unit/store/test_store
tests_unit_store_test_store_SOURCES = \
	tests/unit/store/lanes_world.c tests/unit/store/lanes_world.h \
	tests/unit/store/test_lanes.c \
	tests/unit/store/test_lanes_unknown.c \
	tests/unit/store/test_message.c \
	tests/unit/store/test_mongo_doc.c \
	tests/unit/store/test_requests.c
tests_unit_store_test_store_CFLAGS = $(TEST_CFLAGS) $(MONGOC_CFLAGS)
tests_unit_store_test_store_LDADD = $(STORE_LIBS) $(TEST_LIBS)
TESTS += tests/unit/store/test_store
