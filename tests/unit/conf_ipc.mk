check_PROGRAMS += tests/unit/test_conf
tests_unit_test_conf_SOURCES = tests/unit/test_conf.c
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

check_PROGRAMS += tests/unit/test_metrics
tests_unit_test_metrics_SOURCES = tests/unit/test_metrics.c
tests_unit_test_metrics_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_metrics_LDADD = master/libmaster.a $(IPC_LIBS) $(TEST_LIBS)
TESTS += tests/unit/test_metrics

include tests/master/local.mk
