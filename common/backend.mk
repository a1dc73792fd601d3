noinst_LIBRARIES += common/libbackend.a
common_libbackend_a_SOURCES = \
	common/backend/backoff.c common/backend/backoff.h \
	common/backend/redis.c common/backend/redis.h \
	common/backend/redis_conn.c common/backend/redis_conn.h \
	common/backend/redis_format.c \
	common/backend/redis_io.c \
	common/backend/redis_sub.c \
	common/backend/resolve.c common/backend/resolve.h \
	common/backend/pg.h
common_libbackend_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(HIREDIS_CFLAGS) $(PQ_CFLAGS)
