noinst_LIBRARIES += common/libconf.a
common_libconf_a_SOURCES = \
	common/conf/conf.c common/conf/conf.h \
	common/conf/conf_address.c \
	common/conf/conf_change.c common/conf/conf_change.h \
	common/conf/conf_check.c \
	common/conf/conf_check_pushd.c \
	common/conf/conf_credential.c \
	common/conf/conf_file.c \
	common/conf/conf_keys.h \
	common/conf/conf_pg_url.c \
	common/conf/conf_public_key.c \
	common/conf/conf_resolve.c \
	common/conf/conf_restart.c \
	common/conf/conf_show.c common/conf/conf_show.h \
	common/conf/conf_slurp.c \
	common/conf/conf_table.h \
	common/conf/conf_value.c
common_libconf_a_CFLAGS = $(AM_CFLAGS) $(INIH_CFLAGS)
dist_pkgdata_DATA += contrib/pairwire.conf.example contrib/nginx.conf.example
