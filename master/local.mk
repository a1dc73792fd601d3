# Everything but the main functions, for the tests.
noinst_LIBRARIES += master/libmaster.a
master_libmaster_a_SOURCES = \
	master/commands.c \
	master/master.c master/master.h \
	master/members.c master/members.h \
	master/paths.c master/paths.h \
	master/reload.c master/reload.h \
	master/run_dir.c master/run_dir.h \
	master/sockets.c master/sockets.h \
	master/control/commands_check.c master/control/commands_check.h \
	master/control/commands_conf.c master/control/commands_conf.h \
	master/control/commands_user.c master/control/commands_user.h \
	master/control/commands_workers.c master/control/commands_workers.h \
	master/control/control.c master/control/control.h \
	master/control/control_clients.c master/control/control_clients.h \
	master/control/control_request.c master/control/control_request.h \
	master/control/limits.c master/control/limits.h \
	master/control/query.c master/control/query.h \
	master/control/sample.c master/control/sample.h \
	master/control/taken.c master/control/taken.h \
	master/status/explain.c master/status/explain.h \
	master/status/metrics.c master/status/metrics.h \
	master/status/notices.c master/status/notices.h \
	master/status/pages.c master/status/pages.h \
	master/status/processes.c master/status/processes.h \
	master/status/status.c master/status/status.h \
	master/status/status_line.c master/status/status_line.h \
	master/status/tally.c master/status/tally.h \
	master/status/tally_save.c \
	master/upgrade/inheritance.c master/upgrade/inheritance.h \
	master/upgrade/preflight.c master/upgrade/preflight.h \
	master/upgrade/succession.c master/upgrade/succession.h \
	master/upgrade/trial.c master/upgrade/trial.h \
	master/upgrade/upgrade.c master/upgrade/upgrade.h \
	master/workers/conf_fd.c master/workers/conf_fd.h \
	master/workers/dues.c \
	master/workers/ids_file.c master/workers/ids_file.h \
	master/workers/instance.c master/workers/instance.h \
	master/workers/older.c \
	master/workers/reap.c \
	master/workers/replace.c \
	master/workers/replace_all.c \
	master/workers/restart.c \
	master/workers/saved_workers.c \
	master/workers/slot.h \
	master/workers/supervisor.c master/workers/supervisor.h \
	master/workers/tend.c \
	master/workers/worker_env.c master/workers/worker_env.h
master_libmaster_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(SYSTEMD_CFLAGS)

sbin_PROGRAMS += master/pairwire
master_pairwire_SOURCES = master/main.c
master_pairwire_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
master_pairwire_LDADD = master/libmaster.a $(SERVICE_LIBS) $(SYSTEMD_LIBS) $(JANSSON_LIBS)
