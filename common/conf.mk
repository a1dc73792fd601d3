noinst_LIBRARIES += common/libconf.a
common_libconf_a_SOURCES = \
	common/conf/conf.c common/conf/conf.h \
	common/conf/conf_address.c \
	common/conf/conf_check.c \
	common/conf/conf_file.c \
	common/conf/conf_keys.h \
	common/conf/conf_pg_url.c \
	common/conf/conf_table.h \
	common/conf/conf_value.c
common_libconf_a_CFLAGS = $(AM_CFLAGS) $(INIH_CFLAGS)
dist_pkgdata_DATA += contrib/pairwire.conf.example contrib/nginx.conf.example
