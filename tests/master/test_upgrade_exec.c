/* What happens between the master's exec and its new program's start. */
#include "config.h"

#include <criterion/criterion.h>

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/master/upgrading.h"

TestSuite(upgrade_exec, .timeout = 300);

/* A program that does something between the exec and the master. */
static void install_detour(const struct rig *r, const char *what)
{
	char script[512];

	rig_install(r, "next", NEXT);
	snprintf(script, sizeof(script), "#!/bin/sh\n"
		 "[ \"$1\" = --preflight ] || { %s; }\n"
		 "exec '%s/next' \"$@\"\n", what, r->dir);
	rig_install(r, "worker", NEXT);
	rig_install_script(r, "pairwire", script);
}

Test(upgrade_exec, who_dies_across_the_exec_is_replaced)
{
	char what[160];
	struct rig r;
	int64_t id;
	long pid;

	rig_start_installed(&r, 2, "");
	id = rig_slot(&r, 0, "instance");
	serve_some(&r, 10);
	pid = (long)rig_slot(&r, 0, "pid");
	/* Builtins only: a shell that waits for a child takes ours as well. */
	snprintf(what, sizeof(what), "kill -KILL %ld; until [ \"$s\" = Z ]; do "
		 "read -r p n s x </proc/%ld/stat; done", pid, pid);
	install_detour(&r, what);
	upgrade(&r, "2 workers, ");
	cr_expect(rig_sees(&r, "log", "worker died: slot=0 instance=%lld",
			  (long long)id));
	cr_expect_geq(rig_slot(&r, 0, "restarts"), 1);
	serve_some(&r, 10);
	rig_stop(&r);
}

Test(upgrade_exec, a_stop_across_the_exec_is_in_order)
{
	struct rig r;

	rig_start_installed(&r, 2, "");
	install_detour(&r, "kill -TERM $$; kill -USR2 $$");
	kill(r.master, SIGUSR2);
	cr_assert_eq(rig_wait(&r), 0);
	cr_expect(rig_sees(&r, "log", "stopped\n"));
	cr_expect_geq(rig_count(&r, "events", "stop "), 2);
	rig_remove(&r);
}
