noinst_LIBRARIES += common/libstore.a
common_libstore_a_SOURCES = \
	common/store/message.c common/store/message.h \
	common/store/message_store.c common/store/message_store.h \
	common/store/store_mongo.c \
	common/store/store_pg.c
common_libstore_a_CFLAGS = $(AM_CFLAGS) $(PQ_CFLAGS) $(MONGOC_CFLAGS) $(CRYPTO_CFLAGS)
