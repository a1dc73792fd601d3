check_PROGRAMS += tests/unit/test_conf
tests_unit_test_conf_SOURCES = tests/unit/test_conf.c tests/unit/test_conf_change.c \
	tests/unit/test_conf_credentials.c tests/unit/test_conf_public_key.c \
	tests/unit/test_conf_pushd.c tests/unit/public_keys.h \
	tests/unit/test_conf_urls.c tests/unit/conf_text.c tests/unit/conf_text.h
tests_unit_test_conf_CPPFLAGS = $(AM_CPPFLAGS) -DCONF_EXAMPLE='"$(abs_top_srcdir)/contrib/pairwire.conf.example"'
tests_unit_test_conf_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_conf_LDADD = $(CONF_LIBS) $(TEST_LIBS)
TESTS += tests/unit/test_conf

check_PROGRAMS += tests/unit/test_ipc
tests_unit_test_ipc_SOURCES = tests/unit/test_ipc.c
tests_unit_test_ipc_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_ipc_LDADD = $(IPC_LIBS) $(TEST_LIBS)
TESTS += tests/unit/test_ipc

check_PROGRAMS += tests/unit/test_stats
tests_unit_test_stats_SOURCES = tests/unit/test_stats.c
tests_unit_test_stats_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_stats_LDADD = $(IPC_LIBS) $(TEST_LIBS)
TESTS += tests/unit/test_stats

check_PROGRAMS += tests/unit/test_limits
tests_unit_test_limits_SOURCES = tests/unit/test_limits.c
tests_unit_test_limits_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_limits_LDADD = master/libmaster.a $(SERVICE_LIBS) $(JANSSON_LIBS) $(TEST_LIBS)
TESTS += tests/unit/test_limits

check_PROGRAMS += tests/unit/test_run_dir
tests_unit_test_run_dir_SOURCES = tests/unit/test_run_dir.c
tests_unit_test_run_dir_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_run_dir_LDADD = master/libmaster.a $(SERVICE_LIBS) $(TEST_LIBS)
TESTS += tests/unit/test_run_dir

check_PROGRAMS += tests/unit/test_inheritance
tests_unit_test_inheritance_SOURCES = tests/unit/test_inheritance.c
tests_unit_test_inheritance_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_inheritance_LDADD = master/libmaster.a $(SERVICE_LIBS) $(JANSSON_LIBS) $(TEST_LIBS)
TESTS += tests/unit/test_inheritance

check_PROGRAMS += tests/unit/test_metrics
tests_unit_test_metrics_SOURCES = tests/unit/test_metrics.c
tests_unit_test_metrics_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_metrics_LDADD = master/libmaster.a $(SERVICE_LIBS) $(TEST_LIBS)
TESTS += tests/unit/test_metrics

check_PROGRAMS += tests/unit/test_top
tests_unit_test_top_SOURCES = tests/unit/test_top.c
tests_unit_test_top_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_top_LDADD = $(CTL_LIBS) $(TEST_LIBS)
TESTS += tests/unit/test_top

check_PROGRAMS += tests/unit/test_ctl
tests_unit_test_ctl_SOURCES = tests/unit/test_ctl.c
tests_unit_test_ctl_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_ctl_LDADD = $(CTL_LIBS) $(TEST_LIBS)
TESTS += tests/unit/test_ctl

include tests/master/local.mk
