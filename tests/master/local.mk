# The real master and pairwirectl with fake workers; no servers needed.
check_PROGRAMS += tests/master/fake_worker
tests_master_fake_worker_SOURCES = tests/master/fake_worker.c
tests_master_fake_worker_LDADD = $(CONF_LIBS) $(IPC_LIBS)

MASTER_TEST_SOURCES = tests/master/harness.c tests/master/harness.h
MASTER_TEST_CPPFLAGS = $(AM_CPPFLAGS) \
	-DMASTER='"$(abs_top_builddir)/master/pairwire"' \
	-DCTL='"$(abs_top_builddir)/ctl/pairwirectl"' \
	-DFAKE_WORKER='"$(abs_top_builddir)/tests/master/fake_worker"'
MASTER_TEST_LIBS = master/libmaster.a $(IPC_LIBS) $(JANSSON_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/master/test_supervisor
tests_master_test_supervisor_SOURCES = tests/master/test_supervisor.c $(MASTER_TEST_SOURCES)
tests_master_test_supervisor_CPPFLAGS = $(MASTER_TEST_CPPFLAGS)
tests_master_test_supervisor_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_master_test_supervisor_LDADD = $(MASTER_TEST_LIBS)
TESTS += tests/master/test_supervisor

check_PROGRAMS += tests/master/test_replace
tests_master_test_replace_SOURCES = tests/master/test_replace.c $(MASTER_TEST_SOURCES)
tests_master_test_replace_CPPFLAGS = $(MASTER_TEST_CPPFLAGS)
tests_master_test_replace_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_master_test_replace_LDADD = $(MASTER_TEST_LIBS)
TESTS += tests/master/test_replace

check_PROGRAMS += tests/master/test_workers
tests_master_test_workers_SOURCES = tests/master/test_workers.c $(MASTER_TEST_SOURCES)
tests_master_test_workers_CPPFLAGS = $(MASTER_TEST_CPPFLAGS)
tests_master_test_workers_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_master_test_workers_LDADD = master/libmaster.a $(SERVICE_LIBS) $(JANSSON_LIBS) $(TEST_LIBS)
TESTS += tests/master/test_workers

check_PROGRAMS += tests/master/test_upgrade
tests_master_test_upgrade_SOURCES = tests/master/test_upgrade.c \
	tests/master/test_upgrade_exec.c tests/master/upgrading.h $(MASTER_TEST_SOURCES)
tests_master_test_upgrade_CPPFLAGS = $(MASTER_TEST_CPPFLAGS)
tests_master_test_upgrade_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_master_test_upgrade_LDADD = $(MASTER_TEST_LIBS)
TESTS += tests/master/test_upgrade

check_PROGRAMS += tests/master/test_control
tests_master_test_control_SOURCES = tests/master/test_control.c $(MASTER_TEST_SOURCES)
tests_master_test_control_CPPFLAGS = $(MASTER_TEST_CPPFLAGS)
tests_master_test_control_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_master_test_control_LDADD = $(MASTER_TEST_LIBS)
TESTS += tests/master/test_control

check_PROGRAMS += tests/master/test_query
tests_master_test_query_SOURCES = tests/master/test_query.c $(MASTER_TEST_SOURCES)
tests_master_test_query_CPPFLAGS = $(MASTER_TEST_CPPFLAGS)
tests_master_test_query_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_master_test_query_LDADD = $(MASTER_TEST_LIBS)
TESTS += tests/master/test_query

check_PROGRAMS += tests/master/test_reload
tests_master_test_reload_SOURCES = tests/master/test_reload.c $(MASTER_TEST_SOURCES)
tests_master_test_reload_CPPFLAGS = $(MASTER_TEST_CPPFLAGS)
tests_master_test_reload_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_master_test_reload_LDADD = $(MASTER_TEST_LIBS)
TESTS += tests/master/test_reload

check_PROGRAMS += tests/master/test_admin
tests_master_test_admin_SOURCES = tests/master/test_admin.c $(MASTER_TEST_SOURCES)
tests_master_test_admin_CPPFLAGS = $(MASTER_TEST_CPPFLAGS)
tests_master_test_admin_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_master_test_admin_LDADD = $(MASTER_TEST_LIBS)
TESTS += tests/master/test_admin

check_PROGRAMS += tests/master/test_control_hostile
tests_master_test_control_hostile_SOURCES = tests/master/test_control_hostile.c
tests_master_test_control_hostile_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_master_test_control_hostile_LDADD = master/libmaster.a $(CTL_LIBS) $(LOOP_LIBS) $(TEST_LIBS)
TESTS += tests/master/test_control_hostile
