# Everything but the main function, for the tests.
noinst_LIBRARIES += ctl/libctl.a
ctl_libctl_a_SOURCES = \
	ctl/answer.c ctl/answer.h \
	ctl/ask.c ctl/ask.h \
	ctl/colour.c ctl/colour.h \
	ctl/command.c ctl/command.h \
	ctl/print.h \
	ctl/print_check.c \
	ctl/print_conf.c \
	ctl/print_disconnect.c \
	ctl/print_explain.c \
	ctl/print_replace.c \
	ctl/print_status.c \
	ctl/print_token.c \
	ctl/print_upgrade.c \
	ctl/print_user.c \
	ctl/print_workers.c \
	ctl/screen.c ctl/screen.h \
	ctl/table.c ctl/table.h \
	ctl/top.c ctl/top.h \
	ctl/top_cells.c ctl/top_cells.h \
	ctl/top_layout.c ctl/top_layout.h \
	ctl/top_sample.c ctl/top_sample.h \
	ctl/unanswered.c ctl/unanswered.h \
	ctl/upgrade.h \
	ctl/worker_cells.c ctl/worker_cells.h
ctl_libctl_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
CTL_LIBS = ctl/libctl.a $(IPC_LIBS) $(CONF_LIBS) $(JANSSON_LIBS)

bin_PROGRAMS += ctl/pairwirectl
ctl_pairwirectl_SOURCES = ctl/main.c
ctl_pairwirectl_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
ctl_pairwirectl_LDADD = $(CTL_LIBS)

completiondir = $(datadir)/bash-completion/completions
dist_completion_DATA = contrib/completion/pairwirectl
