# The real master and pairwirectl with fake workers; no servers needed.
check_PROGRAMS += tests/master/fake_worker
tests_master_fake_worker_SOURCES = tests/master/fake_worker.c
tests_master_fake_worker_LDADD = $(CONF_LIBS) $(IPC_LIBS)

MASTER_TEST_SOURCES = tests/master/harness.c tests/master/harness.h
MASTER_TEST_CPPFLAGS = $(AM_CPPFLAGS) \
	-DMASTER='"$(abs_top_builddir)/master/pairwire"' \
	-DCTL='"$(abs_top_builddir)/master/pairwirectl"' \
	-DFAKE_WORKER='"$(abs_top_builddir)/tests/master/fake_worker"'
MASTER_TEST_LIBS = master/libmaster.a $(IPC_LIBS) $(JANSSON_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/master/test_supervisor
tests_master_test_supervisor_SOURCES = tests/master/test_supervisor.c $(MASTER_TEST_SOURCES)
tests_master_test_supervisor_CPPFLAGS = $(MASTER_TEST_CPPFLAGS)
tests_master_test_supervisor_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_master_test_supervisor_LDADD = $(MASTER_TEST_LIBS)
TESTS += tests/master/test_supervisor

check_PROGRAMS += tests/master/test_control
tests_master_test_control_SOURCES = tests/master/test_control.c $(MASTER_TEST_SOURCES)
tests_master_test_control_CPPFLAGS = $(MASTER_TEST_CPPFLAGS)
tests_master_test_control_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_master_test_control_LDADD = $(MASTER_TEST_LIBS)
TESTS += tests/master/test_control

check_PROGRAMS += tests/master/test_admin
tests_master_test_admin_SOURCES = tests/master/test_admin.c $(MASTER_TEST_SOURCES)
tests_master_test_admin_CPPFLAGS = $(MASTER_TEST_CPPFLAGS)
tests_master_test_admin_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_master_test_admin_LDADD = $(MASTER_TEST_LIBS)
TESTS += tests/master/test_admin
