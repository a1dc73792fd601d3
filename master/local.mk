# Everything but the main functions, for the tests.
noinst_LIBRARIES += master/libmaster.a
master_libmaster_a_SOURCES = \
	master/admin.c master/admin.h \
	master/admin_http.c master/admin_http.h \
	master/backend_rows.h \
	master/conf_fd.c master/conf_fd.h \
	master/control.c master/control.h \
	master/control_rows.h \
	master/control_socket.c master/control_socket.h \
	master/explain.c master/explain.h \
	master/ids_file.c master/ids_file.h \
	master/instance.c master/instance.h \
	master/listener.c master/listener.h \
	master/metrics.c master/metrics.h \
	master/paths.c master/paths.h \
	master/proc_stat.c master/proc_stat.h \
	master/query.c master/query.h \
	master/run_dir.c master/run_dir.h \
	master/slot.h \
	master/status.c master/status.h \
	master/status_line.c master/status_line.h \
	master/supervisor.c master/supervisor.h \
	master/tally.c master/tally.h \
	master/tend.c
master_libmaster_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)

sbin_PROGRAMS += master/pairwire
master_pairwire_SOURCES = master/main.c
master_pairwire_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
master_pairwire_LDADD = master/libmaster.a common/libconf.a common/libipc.a \
	common/libprotocol.a $(LOOP_LIBS) $(INIH_LIBS) $(JANSSON_LIBS)

bin_PROGRAMS += master/pairwirectl
master_pairwirectl_SOURCES = \
	master/control_rows.h \
	master/ctl_print.c master/ctl_print.h \
	master/pairwirectl.c
master_pairwirectl_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
master_pairwirectl_LDADD = master/libmaster.a $(CONF_LIBS) $(JANSSON_LIBS)
