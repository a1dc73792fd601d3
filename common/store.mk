noinst_LIBRARIES += common/libstore.a
common_libstore_a_SOURCES = \
	common/store/message.c common/store/message.h \
	common/store/message_store.c common/store/message_store.h \
	common/store/store_mongo_doc.c common/store/store_mongo_doc.h \
	common/store/store_mongo_find.c \
	common/store/store_mongo_insert.c \
	common/store/store_mongo_missed.c \
	common/store/store_mongo_ops.c \
	common/store/store_mongo_reads.c \
	common/store/store_mongo_schema.c \
	common/store/store_backend.h \
	common/store/store_lanes.c common/store/store_lanes.h \
	common/store/store_mongo.c common/store/store_mongo.h \
	common/store/store_pg.c common/store/store_pg.h \
	common/store/store_pg_ops.c \
	common/store/store_pg_reads.c \
	common/store/store_pg_schema.c \
	common/store/store_requests.c common/store/store_requests.h \
	common/store/store_rows.c
common_libstore_a_CFLAGS = $(AM_CFLAGS) $(PQ_CFLAGS) $(MONGOC_CFLAGS) $(CRYPTO_CFLAGS)
