noinst_LIBRARIES += common/libbackend.a
common_libbackend_a_SOURCES = \
	common/backend/backoff.c common/backend/backoff.h \
	common/backend/pg.c common/backend/pg.h \
	common/backend/pg_array.c \
	common/backend/pg_conn.c common/backend/pg_conn.h \
	common/backend/pg_result.c \
	common/backend/pg_stmts.c common/backend/pg_stmts.h \
	common/backend/pg_target.c common/backend/pg_target.h \
	common/backend/redis.c common/backend/redis.h \
	common/backend/redis_check.c common/backend/redis_check.h \
	common/backend/redis_conn.c common/backend/redis_conn.h \
	common/backend/redis_format.c \
	common/backend/redis_io.c \
	common/backend/redis_sub.c \
	common/backend/resolve.c common/backend/resolve.h \
	common/backend/retry.c common/backend/retry.h
common_libbackend_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(HIREDIS_CFLAGS) $(PQ_CFLAGS)
