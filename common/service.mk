# What a service has besides its work.
noinst_LIBRARIES += common/libservice.a
common_libservice_a_SOURCES = \
	common/service/admin.c common/service/admin.h \
	common/service/admin_http.c common/service/admin_http.h \
	common/service/exposition.c common/service/exposition.h \
	common/service/journal.c common/service/journal.h \
	common/service/listener.c common/service/listener.h \
	common/service/notify.c common/service/notify.h \
	common/service/proc_stat.c common/service/proc_stat.h \
	common/service/signals.c common/service/signals.h
common_libservice_a_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS)
