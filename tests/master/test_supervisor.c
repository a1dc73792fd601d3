#include "config.h"

#include <criterion/criterion.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/master/harness.h"

TestSuite(supervisor, .timeout = 90);

static int count_handovers(const struct rig *r)
{
	char path[128];
	struct dirent *e;
	int n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/run", r->dir);
	d = opendir(path);
	cr_assert_not_null(d);
	while ((e = readdir(d)) != NULL)
		n += strncmp(e->d_name, "handover.", 9) == 0;
	closedir(d);
	return n;
}

Test(supervisor, starts_and_stops)
{
	char path[128];
	struct stat st;
	struct rig r;

	rig_start(&r, 3, "");
	snprintf(path, sizeof(path), "%s/run", r.dir);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0700);
	cr_assert_eq(stat(r.socket, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0660);
	cr_expect_eq(count_handovers(&r), 3);
	cr_expect_eq(rig_count(&r, "events",
			       "host test-node conf_node test-node boot 16 "
			       "handover ok seals 1 extra_fds 0\n"), 3);
	cr_expect_neq(rig_slot(&r, 0, "instance"), rig_slot(&r, 1, "instance"));

	kill(r.master, SIGHUP);
	cr_expect(rig_saw(&r, "log", 5000, "reload is not supported yet"));

	kill(r.master, SIGINT);
	cr_assert_eq(rig_wait(&r, 20000), 0);
	cr_expect_eq(rig_count(&r, "events", "stop "), 3);
	cr_expect_eq(count_handovers(&r), 0);
	cr_expect_eq(access(r.socket, F_OK), -1);
	rig_remove(&r);
}

/* Told to stop before it has read as much as its options: the signal waits. */
Test(supervisor, an_early_stop_is_in_order)
{
	struct rig r = { .dir = "/tmp/pairwire-test-XXXXXX" };
	sigset_t term;
	char run_dir[96];

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	cr_assert_not_null(mkdtemp(r.dir));
	snprintf(run_dir, sizeof(run_dir), "%s/run", r.dir);
	sigprocmask(SIG_BLOCK, &term, NULL);
	rig_spawn(&r, 2, 0, run_dir, "");
	kill(r.master, SIGTERM);
	sigprocmask(SIG_UNBLOCK, &term, NULL);
	cr_assert_eq(rig_wait(&r, 10000), 0);
	cr_expect_eq(rig_count(&r, "log", "stopped"), 1 + 2);
	cr_expect_eq(access(r.socket, F_OK), -1);
	rig_remove(&r);
}

Test(supervisor, replaces_a_killed_worker_and_keeps_its_queue)
{
	char line[64], want[64];
	struct rig r;
	int64_t id, t;
	int waiting[20];

	rig_start(&r, 1, "stuck_timeout = 1h\n");
	id = rig_slot(&r, 0, "instance");
	/* It stands still, so these stay in the accept queue. */
	kill((pid_t)rig_slot(&r, 0, "pid"), SIGSTOP);
	for (int i = 0; i < 20; i++)
		waiting[i] = rig_connect(&r);
	t = clock_mono_ms();
	kill((pid_t)rig_slot(&r, 0, "pid"), SIGKILL);
	snprintf(want, sizeof(want), "0 %lld on listener 0\n", (long long)id + 1);
	for (int i = 0; i < 20; i++) {
		cr_assert_neq(waiting[i], -1);
		rig_answer(waiting[i], 10000, line);
		cr_expect_str_eq(line, want);
		if (i == 0)
			cr_expect_lt(clock_mono_ms() - t, 1000);
	}
	cr_expect(rig_saw(&r, "events", 5000, "died %lld told %lld\n",
			  (long long)id, (long long)id + 1));
	cr_expect_eq(rig_slot(&r, 0, "restarts"), 1);
	cr_expect_eq(count_handovers(&r), 1);
	rig_stop(&r);
}

/* The dead one's counters stay in the totals; a neighbour learns of it. */
Test(supervisor, totals_survive_a_worker)
{
	struct rig r;
	char line[64];
	json_t *root;
	int64_t id;

	rig_start(&r, 2, "");
	for (int i = 0; i < 10; i++) {
		rig_answer(rig_connect(&r), 5000, line);
		cr_assert_str_neq(line, "");
	}
	id = rig_slot(&r, 1, "instance");
	kill((pid_t)rig_slot(&r, 1, "pid"), SIGKILL);
	cr_expect(rig_saw(&r, "events", 5000, "died %lld told ", (long long)id));
	cr_expect(rig_saw(&r, "events", 5000, "hello 1 %lld", (long long)id + 1));
	root = rig_json(&r, "status -j");
	cr_expect_eq(json_integer_value(json_object_get(
			     json_object_get(root, "totals"),
			     "messages_accepted")), 10);
	json_decref(root);
	rig_stop(&r);
}

Test(supervisor, crash_loop_backs_off_and_lends)
{
	struct rig r;
	char line[64];
	int64_t t;

	rig_start(&r, 2, "");
	rig_set(&r, "crash.1");
	t = clock_mono_ms();
	kill((pid_t)rig_slot(&r, 1, "pid"), SIGKILL);
	cr_assert(rig_saw(&r, "events", 10000, "lend 1 to 0 fd yes"));
	/* Both listeners are served by the one that lives. */
	for (int i = 0; i < 40; i++) {
		rig_answer(rig_connect(&r), 10000, line);
		cr_assert_eq(strncmp(line, "0 ", 2), 0, "got \"%s\"", line);
	}
	cr_assert(rig_saw(&r, "log", 10000, "slot=1 next_start_in_ms=800"));
	/* 100 + 200 + 400 ms lie behind. */
	cr_expect_geq(clock_mono_ms() - t, 700);
	cr_expect_eq(rig_count(&r, "log", "slot=1 next_start_in_ms=100\n"), 1);
	cr_expect_eq(rig_count(&r, "events", "lend 1 to 0"), 1);
	rig_unset(&r, "crash.1");
	cr_assert(rig_saw(&r, "events", 10000, "unlend 1 from 0"));
	cr_expect_geq(rig_slot(&r, 1, "restarts"), 4);
	cr_expect_eq(rig_slot(&r, 1, "lent_to"), -1);
	rig_stop(&r);
}

/* A descriptor that the borrower has no room for comes again, and who has it
 * already loses nothing. */
Test(supervisor, a_lost_listener_is_lent_again)
{
	struct rig r;
	char line[64];

	rig_start(&r, 2, "");
	rig_set(&r, "full.0");
	rig_set(&r, "crash.1");
	kill((pid_t)rig_slot(&r, 1, "pid"), SIGKILL);
	cr_assert(rig_saw(&r, "events", 10000, "lend 1 to 0 fd no"));
	rig_unset(&r, "full.0");
	cr_assert(rig_saw(&r, "events", 10000, "lend 1 to 0 fd yes"));
	cr_assert(rig_saw(&r, "events", 10000, "again 1 to 0 fd yes"));
	for (int i = 0; i < 40; i++) {
		rig_answer(rig_connect(&r), 10000, line);
		cr_assert_eq(strncmp(line, "0 ", 2), 0, "got \"%s\"", line);
	}
	cr_expect_eq(rig_count(&r, "log", "listener lent: slot=1"), 1);
	rig_stop(&r);
}

/* The borrower dies in its turn, and stays away: the next takes both. */
Test(supervisor, a_dead_borrower_is_replaced)
{
	struct rig r;

	rig_start(&r, 3, "");
	rig_set(&r, "crash.1");
	kill((pid_t)rig_slot(&r, 1, "pid"), SIGKILL);
	cr_assert(rig_saw(&r, "events", 10000, "lend 1 to 2 fd yes"));
	rig_set(&r, "crash.2");
	kill((pid_t)rig_slot(&r, 2, "pid"), SIGKILL);
	cr_assert(rig_saw(&r, "events", 10000, "lend 1 to 0 fd yes"));
	cr_assert(rig_saw(&r, "events", 10000, "lend 2 to 0 fd yes"));
	rig_unset(&r, "crash.1");
	rig_unset(&r, "crash.2");
	cr_assert(rig_saw(&r, "events", 20000, "unlend 1 from 0"));
	cr_assert(rig_saw(&r, "events", 20000, "unlend 2 from 0"));
	rig_stop(&r);
}

Test(supervisor, kills_a_stuck_worker)
{
	struct rig r;
	int64_t id, t;

	rig_start(&r, 2, "stuck_timeout = 500ms\n");
	id = rig_slot(&r, 0, "instance");
	t = clock_mono_ms();
	kill((pid_t)rig_slot(&r, 0, "pid"), SIGSTOP);
	cr_assert(rig_saw(&r, "log", 5000, "worker is stuck and killed: slot=0 "
			  "instance=%lld", (long long)id));
	cr_expect_geq(clock_mono_ms() - t, 400);
	cr_expect(rig_saw(&r, "events", 5000, "hello 0 "));
	cr_expect(rig_saw(&r, "events", 5000, "died %lld told", (long long)id));
	cr_expect_eq(rig_count(&r, "log", "is stuck"), 1);
	rig_stop(&r);
}

/* When the master itself stood still, the workers are not to blame. */
Test(supervisor, its_own_sleep_kills_nobody)
{
	pid_t w0, w1;
	struct rig r;
	int status;

	rig_start(&r, 2, "stuck_timeout = 1s\n");
	w0 = (pid_t)rig_slot(&r, 0, "pid");
	w1 = (pid_t)rig_slot(&r, 1, "pid");
	kill(w0, SIGSTOP);
	kill(w1, SIGSTOP);
	kill(r.master, SIGSTOP);
	cr_assert_eq(waitpid(r.master, &status, WUNTRACED), r.master);
	usleep(2500000);	/* the very thing under test */
	kill(r.master, SIGCONT);
	kill(w0, SIGCONT);
	kill(w1, SIGCONT);
	cr_expect_eq(rig_slot(&r, 0, "restarts"), 0);
	cr_expect_eq(rig_count(&r, "log", "is stuck"), 0);
	rig_stop(&r);
}

Test(supervisor, distrusts_malformed_messages)
{
	struct rig r;

	rig_start(&r, 2, "");
	rig_set(&r, "bad.0");
	kill((pid_t)rig_slot(&r, 0, "pid"), SIGKILL);
	cr_assert(rig_saw(&r, "log", 10000, "worker is killed: its message is "
			  "malformed slot=0"));
	rig_unset(&r, "bad.0");
	for (int i = 0; i < 1000 && rig_slot(&r, 0, "uptime_ms") < 1000; i++)
		usleep(20000);
	cr_expect_eq(rig_slot(&r, 1, "restarts"), 0);
	rig_stop(&r);
}

Test(supervisor, stop_has_a_deadline)
{
	struct rig r;
	int64_t t;

	rig_start(&r, 2, "stop_timeout = 400ms\n");
	rig_set(&r, "deaf.1");
	t = clock_mono_ms();
	kill(r.master, SIGTERM);
	cr_assert_eq(rig_wait(&r, 20000), 0);
	cr_expect_geq(clock_mono_ms() - t, 400);
	cr_expect(rig_saw(&r, "log", 0, "worker is killed: stop_timeout is over "
			  "slot=1"));
	cr_expect_eq(rig_count(&r, "log", "stop_timeout is over"), 1);
	rig_remove(&r);
}

/* The one that obeys is gone before: killed while it looks for leaks at its
 * exit, it would leave a line of LeakSanitizer's. */
Test(supervisor, second_signal_stops_now)
{
	struct rig r;
	int64_t deaf;

	rig_start(&r, 2, "stop_timeout = 1h\n");
	deaf = rig_slot(&r, 0, "instance");
	rig_set(&r, "deaf.0");
	kill(r.master, SIGTERM);
	cr_assert(rig_saw(&r, "events", 5000, "stop %lld\n", (long long)deaf));
	cr_assert(rig_saw(&r, "log", 20000, "worker stopped: slot=1 "));
	kill(r.master, SIGTERM);
	cr_assert_eq(rig_wait(&r, 20000), 0);
	cr_expect(rig_saw(&r, "log", 0, "worker is killed: told twice to stop "
			  "slot=0"));
	cr_expect_eq(rig_count(&r, "log", "told twice to stop"), 1);
	rig_remove(&r);
}

Test(supervisor, workers_see_the_masters_death)
{
	struct rig r;
	int64_t a, b;

	rig_start(&r, 2, "");
	a = rig_slot(&r, 0, "instance");
	b = rig_slot(&r, 1, "instance");
	kill(r.master, SIGKILL);
	cr_assert_eq(rig_wait(&r, 5000), 128 + SIGKILL);
	cr_expect(rig_saw(&r, "events", 5000, "eof %lld\n", (long long)a));
	cr_expect(rig_saw(&r, "events", 5000, "eof %lld\n", (long long)b));
	rig_remove(&r);
}

Test(supervisor, one_master_per_directory_and_port)
{
	struct rig r, other = { .dir = "" };
	char run_dir[96];
	int64_t first;

	rig_start(&r, 2, "");
	first = rig_slot(&r, 0, "instance");
	snprintf(run_dir, sizeof(run_dir), "%s/run", r.dir);
	rig_spawn(&other, 1, 0, run_dir, "");
	cr_expect_eq(rig_wait(&other, 10000), 1);
	cr_expect(rig_saw(&other, "log", 0, "run_dir %s: another pairwire master "
			  "(pid %ld) runs there\n", run_dir, (long)r.master));
	snprintf(run_dir, sizeof(run_dir), "%s/run", other.dir);
	rig_spawn(&other, 1, r.port, run_dir, "");
	cr_expect_eq(rig_wait(&other, 10000), 1);
	cr_expect(rig_saw(&other, "log", 0, "cannot listen on 127.0.0.1:%u: "
			  "another program listens there\n", r.port));
	/* A socket of somebody who died is no obstacle. */
	kill(r.master, SIGKILL);
	cr_assert_eq(rig_wait(&r, 5000), 128 + SIGKILL);
	cr_assert(rig_saw(&r, "events", 5000, "eof "));
	snprintf(run_dir, sizeof(run_dir), "%s/run", r.dir);
	rig_spawn(&r, 2, 0, run_dir, "");
	for (int i = 0; i < 1000 && rig_count(&r, "log", "ready: 2 workers") < 2; i++)
		usleep(10000);
	cr_expect_eq(rig_count(&r, "log", "ready: 2 workers"), 2);
	/* No number is given a second time, though hardly a second went by. */
	cr_expect_geq(rig_slot(&r, 0, "instance"), first + 2);
	rig_stop(&r);
	rig_remove(&other);
}
