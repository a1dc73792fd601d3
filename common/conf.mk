noinst_LIBRARIES += common/libconf.a
common_libconf_a_SOURCES = \
	common/conf/conf.c common/conf/conf.h \
	common/conf/conf_table.h
common_libconf_a_CFLAGS = $(AM_CFLAGS) $(INIH_CFLAGS)
