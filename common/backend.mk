noinst_LIBRARIES += common/libbackend.a
common_libbackend_a_SOURCES = \
	common/backend/pg.c common/backend/pg.h \
	common/backend/redis.c common/backend/redis.h
common_libbackend_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(HIREDIS_CFLAGS) $(PQ_CFLAGS)
