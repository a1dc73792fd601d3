/* The master becomes its new program, with the workers it has. */
#include "config.h"

#include <criterion/criterion.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/master/upgrading.h"

#define MESSAGE "00000000000000000000000a"

TestSuite(upgrade, .timeout = 300);

static void install_next(const struct rig *r, const char *version)
{
	rig_install(r, "worker", version);
	rig_install(r, "pairwire", version);
}

static json_t *status(const struct rig *r)
{
	return rig_json(r, "status --json");
}

static int64_t number(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_integer(v) ? json_integer_value(v) : -1;
}

static int64_t total(const json_t *root, const char *key)
{
	return number(json_object_get(root, "totals"), key);
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

static int64_t events_of(const struct rig *r)
{
	json_t *root = rig_json(r, "explain " MESSAGE " --json");
	int64_t n = (int64_t)json_array_size(json_object_get(root, "events"));

	json_decref(root);
	return n;
}

Test(upgrade, everything_that_counts_goes_on)
{
	json_t *before, *after;
	struct rig r;
	int64_t id;

	rig_start_installed(&r, 2, "");
	serve_some(&r, 20);
	kill((pid_t)rig_slot(&r, 1, "pid"), SIGKILL);
	cr_assert(rig_saw(&r, "log", "worker died: slot=1"));
	serve_some(&r, 5);
	id = rig_slot(&r, 0, "instance");
	cr_assert_geq(rig_slot(&r, 1, "instance"), id + 2);
	rig_set(&r, "stay.0");
	rig_set(&r, "stay.1");
	install_next(&r, NEXT);
	before = status(&r);
	cr_expect_str_eq(text(json_object_get(before, "upgrade"), "state"), "none");
	upgrade(&r, "upgraded " PACKAGE_VERSION " -> " NEXT ": 2 workers, 2 draining");

	after = status(&r);
	cr_expect_str_eq(text(after, "version"), NEXT);
	cr_expect_eq(number(after, "pid"), r.master);
	cr_expect_str_eq(text(after, "boot"), text(before, "boot"));
	cr_expect_str_eq(text(after, "admin"), text(before, "admin"));
	cr_expect_eq(number(after, "port"), r.port);
	cr_expect_geq(number(after, "uptime_ms"), number(before, "uptime_ms"));
	cr_expect_eq(total(after, "messages_accepted"), 25);
	cr_expect_eq(rig_slot(&r, 1, "restarts"), 1);
	cr_expect_eq(rig_slot(&r, 0, "restarts"), 0);
	cr_expect_geq(rig_slot(&r, 0, "instance"), id + 3);
	cr_expect_str_eq(text(json_object_get(after, "upgrade"), "state"), "done");
	cr_expect_str_eq(text(json_object_get(after, "upgrade"), "from"),
			 PACKAGE_VERSION);
	/* The killed one's page, too. */
	cr_expect_eq(events_of(&r), 25);
	cr_expect_eq(rig_count(&r, "log", "stays as it was"), 0);
	serve_some(&r, 5);
	json_decref(before);
	json_decref(after);
	rig_stop(&r);
}

/* Nobody accepts while all is replaced; who waits there is served by the new. */
Test(upgrade, those_in_the_queues_wait)
{
	int waiting[40];
	char line[64];
	struct rig r;
	int64_t id;
	pid_t old[2];

	rig_start_installed(&r, 2, "");
	id = rig_slot(&r, 1, "instance");
	old[0] = (pid_t)rig_slot(&r, 0, "pid");
	old[1] = (pid_t)rig_slot(&r, 1, "pid");
	kill(old[0], SIGSTOP);
	kill(old[1], SIGSTOP);
	for (int i = 0; i < 40; i++)
		cr_assert_neq(waiting[i] = rig_connect(&r), -1);
	install_next(&r, NEXT);
	upgrade(&r, "2 workers, 2 draining");
	for (int i = 0; i < 40; i++) {
		rig_answer(waiting[i], line);
		cr_expect_gt(atoll(line + 2), id, "got \"%s\"", line);
	}
	kill(old[0], SIGCONT);
	kill(old[1], SIGCONT);
	rig_stop(&r);
}

Test(upgrade, by_signal)
{
	struct rig r;

	rig_start_installed(&r, 2, "");
	install_next(&r, NEXT);
	kill(r.master, SIGUSR2);
	cr_assert(rig_saw(&r, "log", "upgraded: from=" PACKAGE_VERSION
			  " to=" NEXT));
	kill(r.master, SIGUSR2);
	cr_assert(rig_saw(&r, "log", "upgraded: from=" NEXT " to=" NEXT));
	rig_stop(&r);
}

static const struct {
	const char *name;
	const char *program;	/* a script; "-": none is there */
	const char *worker;	/* its version, or a script */
	const char *why;
} broken[] = {
	{ "missing", "-", NEXT, "No such file or directory" },
	{ "text", "This is no program.\n", NEXT, "Exec format error" },
	{ "script", "#!/bin/sh\nexit 0\n", NEXT, "knows of no preflight" },
	{ "silent", "#!/bin/sh\nexit 3\n", NEXT, "failed without a word" },
	{ "latin-1", "#!/bin/sh\nprintf 'no caf\\351'\nexit 3\n", NEXT, "no caf?" },
	{ "talks", "#!/bin/sh\necho one; echo two >&2; exit 3\n", NEXT, ": two\n" },
	{ "crash", "#!/bin/sh\nkill -SEGV $$\n", NEXT, "killed by signal 11" },
	{ "other worker", NULL, "7.7.7", "\"pairwire-worker 7.7.7\", not "
					 "\"pairwire-worker " NEXT "\"" },
	{ "no worker", NULL, "#!/nowhere\n", "No such file or directory" },
	{ "hang", "#!/bin/sh\nsleep 1000\n", NEXT, "not done within 10 s" },
};

Test(upgrade, a_broken_program_changes_nothing)
{
	char path[128], out[512];
	json_t *root;
	struct rig r;
	int64_t id;

	rig_start_installed(&r, 2, "");
	id = rig_slot(&r, 1, "instance");
	snprintf(path, sizeof(path), "%s/pairwire", r.dir);
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		if (broken[i].program == NULL)
			rig_install(&r, "pairwire", NEXT);
		else if (*broken[i].program != '-')
			rig_install_script(&r, "pairwire", broken[i].program);
		else
			unlink(path);
		if (*broken[i].worker == '#')
			rig_install_script(&r, "worker", broken[i].worker);
		else
			rig_install(&r, "worker", broken[i].worker);
		cr_expect_eq(rig_ctl(&r, "upgrade", out, sizeof(out)), 1, "%s: %s",
			     broken[i].name, out);
		cr_expect_not_null(strstr(out, broken[i].why), "%s: %s",
				   broken[i].name, out);
		root = status(&r);
		cr_expect_str_eq(text(json_object_get(root, "upgrade"), "state"),
				 "failed");
		cr_expect_str_neq(text(json_object_get(root, "upgrade"),
				       "reason"), "");
		cr_expect_str_eq(text(root, "version"), PACKAGE_VERSION);
		json_decref(root);
		cr_expect_eq(rig_slot(&r, 1, "instance"), id);
		serve_some(&r, 2);
	}
	install_next(&r, NEXT);
	upgrade(&r, "-> " NEXT);
	rig_stop(&r);
}

/* It is fit to be tried, and gone when it is to be run in earnest. */
Test(upgrade, a_failing_exec_leaves_the_master_as_it_was)
{
	char script[512], out[512];
	struct rig r;
	int64_t id;

	rig_start_installed(&r, 2, "");
	id = rig_slot(&r, 0, "instance");
	snprintf(script, sizeof(script), "#!/bin/sh\nrm -f '%s/pairwire'\nexec "
		 MASTER " \"$@\"\n", r.dir);
	rig_install_script(&r, "pairwire", script);
	cr_expect_eq(rig_ctl(&r, "upgrade", out, sizeof(out)), 1, "%s", out);
	cr_expect_not_null(strstr(out, "No such file or directory"), "%s", out);
	cr_expect_eq(rig_slot(&r, 0, "instance"), id);
	/* Nothing of ours is left to be inherited. */
	kill((pid_t)rig_slot(&r, 0, "pid"), SIGKILL);
	cr_assert(rig_saw(&r, "events", "hello 0 %lld", (long long)id + 2));
	cr_expect_eq(rig_count(&r, "events", "extra_fds 0\n"), 3);
	install_next(&r, NEXT);
	upgrade(&r, "-> " NEXT);
	rig_stop(&r);
}

Test(upgrade, new_workers_that_fail_are_called_off)
{
	char out[4096], want[256], drained[32];
	int64_t id[2], pid[2];
	struct rig r;

	rig_start_installed(&r, 2, "");
	for (unsigned i = 0; i < 2; i++) {
		id[i] = rig_slot(&r, i, "instance");
		pid[i] = rig_slot(&r, i, "pid");
	}
	rig_set(&r, "crash.1");
	install_next(&r, NEXT);
	cr_expect_eq(rig_ctl(&r, "upgrade", out, sizeof(out)), 1, "%s", out);
	snprintf(want, sizeof(want), "the master is %s; 2 of 2 workers are of %s and go "
		 "on\n  one that dies is replaced by the new program's\n  see the log "
		 "for why, ", NEXT, PACKAGE_VERSION);
	cr_expect_not_null(strstr(out, "pairwirectl: the upgrade failed: slot 1: the "
				  "new worker died: status=3\n  the"), "%s", out);
	cr_expect_not_null(strstr(out, want), "%s", out);
	cr_expect(rig_saw(&r, "log", "slot 1: the new worker died: status=3; the "
			  "master is the new program, "));
	cr_expect_eq(rig_ctl(&r, "status", out, sizeof(out)), 0);
	cr_expect_not_null(strstr(out, " -> " NEXT ": failed: slot 1: "), "%s", out);
	cr_expect_not_null(strstr(out, want), "%s", out);
	for (unsigned i = 0; i < 2; i++) {
		cr_expect_eq(rig_slot(&r, i, "instance"), id[i]);
		cr_expect_eq(rig_slot(&r, i, "pid"), pid[i]);
		cr_expect_eq(rig_slot(&r, i, "restarts"), 0);
		snprintf(drained, sizeof(drained), "drain %lld ", (long long)id[i]);
		cr_expect_eq(rig_count(&r, "events", drained), 0);
	}
	serve_some(&r, 10);
	/* One that dies has a new one for its heir; so much less is old. */
	kill((pid_t)pid[0], SIGKILL);
	cr_assert(rig_saw(&r, "log", "worker died: slot=0 instance=%lld ",
			  (long long)id[0]));
	serve_some(&r, 1);
	cr_expect_eq(rig_ctl(&r, "status", out, sizeof(out)), 0);
	cr_expect_not_null(strstr(out, "; 1 of 2 workers are of "), "%s", out);
	/* The next one that cannot even begin takes nothing of that back. */
	rig_install_script(&r, "pairwire", "#!/bin/sh\nexit 3\n");
	cr_expect_eq(rig_ctl(&r, "upgrade", NULL, 0), 1);
	cr_expect_eq(rig_ctl(&r, "status", out, sizeof(out)), 0);
	cr_expect_not_null(strstr(out, "; 1 of 2 workers are of a program before and "
				  "go on\n"), "%s", out);

	rig_unset(&r, "crash.1");
	install_next(&r, NEXT);
	upgrade(&r, NEXT " -> " NEXT);
	cr_expect_gt(rig_slot(&r, 0, "instance"), id[1]);
	cr_expect_eq(rig_ctl(&r, "status", out, sizeof(out)), 0);
	cr_expect_null(strstr(out, " and go on"), "%s", out);
	rig_stop(&r);
}

/* What the old workers go on with is known to the new master, too. */
Test(upgrade, what_waits_for_new_workers_waits_on)
{
	char out[4096], cmd[256];
	struct rig r;

	rig_start_installed(&r, 2, "");
	snprintf(cmd, sizeof(cmd), "printf '[redis]\\nredis_host = other\\n' "
		 ">>'%s/conf'", r.dir);
	cr_assert_eq(system(cmd), 0);
	cr_assert_eq(rig_ctl(&r, "reload", NULL, 0), 0);
	rig_set(&r, "crash.1");
	install_next(&r, NEXT);
	cr_assert_eq(rig_ctl(&r, "upgrade", NULL, 0), 1);
	cr_assert_eq(rig_ctl(&r, "status", out, sizeof(out)), 0);
	cr_expect_not_null(strstr(out, "workers have an older redis_host:"), "%s", out);
	rig_unset(&r, "crash.1");
	upgrade(&r, NEXT " -> " NEXT);
	cr_assert_eq(rig_ctl(&r, "status", out, sizeof(out)), 0);
	cr_expect_null(strstr(out, "older"), "%s", out);
	rig_stop(&r);
}

Test(upgrade, nothing_else_changes_meanwhile)
{
	char out[512];
	struct rig r;
	FILE *first;

	rig_start_installed(&r, 2, "");
	rig_set(&r, "hang.1");
	install_next(&r, NEXT);
	first = rig_ask(&r, "upgrade");
	cr_assert(rig_saw(&r, "events", "hang "));
	cr_expect_eq(rig_ctl(&r, "upgrade", out, sizeof(out)), 1);
	cr_expect_not_null(strstr(out, "an upgrade is running"), "%s", out);
	cr_expect_eq(rig_ctl(&r, "drain 0", out, sizeof(out)), 1);
	cr_expect_not_null(strstr(out, "an upgrade is running"), "%s", out);
	cr_expect_eq(rig_ctl(&r, "reload", out, sizeof(out)), 1);
	cr_expect_not_null(strstr(out, "an upgrade is running"), "%s", out);
	rig_unset(&r, "hang.1");
	cr_expect_eq(rig_asked(first, out, sizeof(out)), 0, "%s", out);

	rig_set(&r, "hang.0");
	first = rig_ask(&r, "restart 0");
	cr_assert(rig_saw(&r, "events", "hang %lld",
			  (long long)rig_slot(&r, 1, "instance") + 1));
	cr_expect_eq(rig_ctl(&r, "upgrade", out, sizeof(out)), 1);
	cr_expect_not_null(strstr(out, "is being replaced"), "%s", out);
	rig_unset(&r, "hang.0");
	cr_expect_eq(rig_asked(first, out, sizeof(out)), 0, "%s", out);
	rig_stop(&r);
}

/* It waits for a worker when the master becomes the new program; that one is asked
 * again, and asks the workers. */
Test(upgrade, who_waits_for_a_log_level_waits_on)
{
	int64_t since = clock_mono_ms();
	char out[512];
	struct rig r;
	FILE *log;
	int rc;

	rig_start_installed(&r, 2, "");
	rig_set(&r, "holds.0");
	log = rig_ask(&r, "log debug chat");
	cr_assert(rig_saw(&r, "events", "query 0 {\"cmd\":\"taken\""));
	install_next(&r, NEXT);
	cr_expect_eq(rig_ctl(&r, "upgrade", out, sizeof(out)), 0, "%s", out);
	rig_unset(&r, "holds.0");
	rc = rig_asked(log, out, sizeof(out));
	/* A machine that stood still so long: nobody was to wait. */
	if (clock_mono_ms() - since < 20000) {
		cr_expect_eq(rc, 0, "%s", out);
		cr_expect_str_eq(out, "chat: debug, until the next reload\n");
	}
	rig_stop(&r);
}

Test(upgrade, is_stopped_with_the_master)
{
	char out[512];
	struct rig r;
	FILE *asked;

	rig_start_installed(&r, 2, "");
	rig_install_script(&r, "pairwire", "#!/bin/sh\nsleep 1000\n");
	asked = rig_ask(&r, "upgrade");
	cr_assert(rig_saw(&r, "log", "the new program is tried"));
	kill(r.master, SIGTERM);
	cr_expect_eq(rig_wait(&r), 0);
	cr_expect_eq(rig_asked(asked, out, sizeof(out)), 1, "%s", out);
	cr_expect_not_null(strstr(out, "told to stop"), "%s", out);
	rig_remove(&r);

	rig_start_installed(&r, 2, "");
	rig_set(&r, "hang.0");
	install_next(&r, NEXT);
	kill(r.master, SIGUSR2);
	cr_assert(rig_saw(&r, "events", "hang "));
	kill(r.master, SIGTERM);
	cr_expect_eq(rig_wait(&r), 0);
	cr_expect(rig_sees(&r, "log", "upgrade failed, nothing has changed for "
			   "clients: the master was told to stop\n"));
	rig_remove(&r);
}

static int descriptors(const struct rig *r)
{
	char path[64];
	struct dirent *e;
	int n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%ld/fd", (long)r->master);
	d = opendir(path);
	cr_assert_not_null(d);
	while ((e = readdir(d)) != NULL)
		n++;
	closedir(d);
	return n;
}

/* Once nobody drains any more. */
static int settled_descriptors(const struct rig *r)
{
	for (int64_t end = clock_mono_ms() + 60000;; usleep(20000)) {
		json_t *root = status(r);
		size_t draining = json_array_size(json_object_get(root,
								  "draining"));

		json_decref(root);
		if (draining == 0)
			return descriptors(r);
		cr_assert_lt(clock_mono_ms(), end);
	}
}

Test(upgrade, ten_in_a_row_leak_nothing)
{
	int after_first = 0, after_all;
	struct rig r;

	rig_start_installed(&r, 2, "");
	for (int i = 0; i < 10; i++) {
		char version[8];

		serve_some(&r, 4);
		snprintf(version, sizeof(version), "9.8.%d", i);
		install_next(&r, version);
		upgrade(&r, version);
		if (i == 0)
			after_first = settled_descriptors(&r);
	}
	after_all = settled_descriptors(&r);
	/* The last who asked may be among them yet, here and there. */
	for (int64_t end = clock_mono_ms() + 60000;
	     after_all > after_first && clock_mono_ms() < end; usleep(20000))
		after_all = descriptors(&r);
	cr_expect_leq(after_all, after_first, "%d, then %d", after_first,
		      after_all);
	cr_expect_eq(rig_count(&r, "events", "extra_fds 0\n"), 22);
	cr_expect_eq(rig_slot(&r, 0, "restarts"), 0);
	rig_stop(&r);
}

/* The file may say what it wants of what counts at a restart only. */
Test(upgrade, what_needs_a_restart_stays)
{
	char cmd[256];
	json_t *root;
	struct rig r;

	rig_start_installed(&r, 2, "");
	snprintf(cmd, sizeof(cmd), "sed -i 's/^port = .*/port = 1/; "
		 "s/^workers = .*/workers = 5/; s/^node = .*/node = other/' "
		 "'%s/conf'", r.dir);
	cr_assert_eq(system(cmd), 0);
	install_next(&r, NEXT);
	upgrade(&r, "2 workers");
	cr_expect(rig_sees(&r, "log", "port stays as it was"));
	cr_expect(rig_sees(&r, "log", "workers stays as it was"));
	cr_expect(rig_sees(&r, "log", "node stays as it was"));
	root = status(&r);
	cr_expect_eq(number(root, "port"), r.port);
	cr_expect_str_eq(text(root, "node"), "test-node");
	cr_expect_eq(number(root, "workers"), 2);
	json_decref(root);
	serve_some(&r, 4);

	/* One that cannot be read changes nothing at all. */
	snprintf(cmd, sizeof(cmd), "echo 'nonsense = 1' >>'%s/conf'", r.dir);
	cr_assert_eq(system(cmd), 0);
	cr_expect_eq(rig_ctl(&r, "upgrade", NULL, 0), 1);
	cr_expect(rig_sees(&r, "log", "nonsense"));
	serve_some(&r, 4);
	rig_stop(&r);
}

/* A new version beside the old one, and a link that leads to it. */
Test(upgrade, by_turning_a_link)
{
	char link[128], out[512];
	struct rig r;

	rig_start_linked(&r, 2);
	snprintf(link, sizeof(link), "%s/pairwire", r.dir);
	rig_install(&r, "worker", NEXT);
	rig_install(&r, "next", NEXT);
	cr_assert_eq(unlink(link), 0);
	cr_assert_eq(symlink("next", link), 0);
	upgrade(&r, "-> " NEXT);
	/* And on: the link is still known by its name. */
	rig_install(&r, "worker", PACKAGE_VERSION);
	cr_assert_eq(unlink(link), 0);
	cr_assert_eq(symlink("first", link), 0);
	upgrade(&r, NEXT " -> " PACKAGE_VERSION);
	unlink(link);
	cr_expect_eq(rig_ctl(&r, "upgrade", out, sizeof(out)), 1);
	rig_stop(&r);
}

/* --json waits for the end, too. */
Test(upgrade, its_end_as_json)
{
	char out[512];
	json_t *root;
	struct rig r;

	rig_start_installed(&r, 2, "");
	install_next(&r, NEXT);
	root = rig_json(&r, "upgrade --json");
	cr_expect_str_eq(text(root, "state"), "done");
	cr_expect_str_eq(text(root, "from"), PACKAGE_VERSION);
	cr_expect_str_eq(text(root, "to"), NEXT);
	cr_expect_geq(number(root, "finished"), number(root, "started"));
	json_decref(root);

	rig_set(&r, "crash.1");
	cr_expect_eq(rig_ctl(&r, "upgrade --json", out, sizeof(out)), 1);
	root = json_loads(out, 0, NULL);
	cr_assert_not_null(root, "%s", out);
	cr_expect_str_eq(text(root, "state"), "failed");
	cr_expect_not_null(strstr(text(root, "reason"), "slot 1: "), "%s", out);
	json_decref(root);
	rig_unset(&r, "crash.1");
	rig_stop(&r);
}

/* The master's own log level, too. */
Test(upgrade, keeps_what_is_logged)
{
	struct rig r;

	rig_start_installed(&r, 2, "");
	install_next(&r, NEXT);
	cr_assert_eq(rig_ctl(&r, "log error", NULL, 0), 0);
	upgrade(&r, "-> " NEXT);
	cr_expect_eq(rig_count(&r, "log", "upgraded: "), 0);
	cr_assert_eq(rig_ctl(&r, "log default", NULL, 0), 0);
	upgrade(&r, NEXT " -> " NEXT);
	cr_expect_eq(rig_count(&r, "log", "upgraded: "), 1);
	rig_stop(&r);
}
