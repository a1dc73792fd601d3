#include "config.h"

#include <criterion/criterion.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/ipc/ipc.h"
#include "tests/master/harness.h"

TestSuite(supervisor, .timeout = 300);

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
	cr_expect_eq(st.st_mode & 0777, 0750);
	cr_assert_eq(stat(r.socket, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0660);
	cr_expect_eq(count_handovers(&r), 3);
	cr_expect_eq(rig_count(&r, "events",
			       "host test-node conf_node test-node boot 16 "
			       "handover ok seals 1 extra_fds 0\n"), 3);
	cr_expect_neq(rig_slot(&r, 0, "instance"), rig_slot(&r, 1, "instance"));

	kill(r.master, SIGINT);
	cr_assert_eq(rig_wait(&r), 0);
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
	cr_assert_eq(rig_wait(&r), 0);
	cr_expect_eq(rig_count(&r, "log", "stopped"), 1 + 2);
	cr_expect_eq(access(r.socket, F_OK), -1);
	rig_remove(&r);
}

/* r: not started; the place of its run_dir, with one file in it where nothing can
 * be written. */
static void make_full(struct rig *r, const char *name, char run_dir[96])
{
	char path[128];

	*r = (struct rig){ .dir = "/tmp/pairwire-test-XXXXXX" };
	cr_assert_not_null(mkdtemp(r->dir));
	snprintf(run_dir, 96, "%s/run", r->dir);
	cr_assert_eq(mkdir(run_dir, 0750), 0);
	snprintf(path, sizeof(path), "%s/%s", run_dir, name);
	cr_assert_eq(symlink("/dev/full", path), 0);
}

Test(supervisor, does_not_start_without_room)
{
	char run_dir[96];
	struct rig r;

	make_full(&r, "lock", run_dir);
	rig_spawn(&r, 1, 0, run_dir, "");
	cr_expect_eq(rig_wait(&r), 1);
	cr_expect(rig_saw(&r, "log", "run_dir %s: lock cannot be written: No "
			  "space left on device; make room ", run_dir));
	cr_expect_eq(rig_count(&r, "events", "hello "), 0);
	rig_remove(&r);

	/* A number may be forgotten. */
	make_full(&r, "next_instance", run_dir);
	rig_spawn(&r, 1, 0, run_dir, "");
	cr_expect(rig_saw(&r, "log", "ready: 1 workers"));
	cr_expect(rig_saw(&r, "log", "instance numbers cannot be kept in "
			  "run_dir: No space left on device; make room "));
	kill((pid_t)rig_slot(&r, 0, "pid"), SIGKILL);
	for (int64_t end = clock_mono_ms() + 20000;
	     rig_slot(&r, 0, "restarts") != 1 && clock_mono_ms() < end;)
		usleep(10000);
	cr_expect_eq(rig_count(&r, "log", "cannot be kept"), 1);
	rig_stop(&r);
}

/* Somebody has the socket that its path leads to. */
static bool handover_reaches(const struct rig *r, int64_t id)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char run_dir[80];
	bool reached;

	cr_assert_neq(fd, -1);
	snprintf(run_dir, sizeof(run_dir), "%s/run", r->dir);
	handover_path(run_dir, (uint32_t)id, sa.sun_path, sizeof(sa.sun_path));
	reached = connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0;
	close(fd);
	return reached;
}

/* Whatever comes over run_dir later: who is there stays, who dies is replaced. */
Test(supervisor, goes_on_without_its_run_dir)
{
	char run_dir[96], away[96], line[64], out[256];
	struct rig r;
	int64_t id;

	rig_start(&r, 1, "");
	id = rig_slot(&r, 0, "instance");
	snprintf(run_dir, sizeof(run_dir), "%s/run", r.dir);
	snprintf(away, sizeof(away), "%s/away", r.dir);
	cr_assert_eq(rename(run_dir, away), 0);
	snprintf(r.socket, sizeof(r.socket), "%s/away/control.sock", r.dir);

	cr_expect_eq(rig_ctl(&r, "drain 0", out, sizeof(out)), 1);
	cr_expect_str_eq(out, "pairwirectl: slot 0: no worker can be started: No such "
			 "file or directory; see the log\n");
	cr_expect(rig_saw(&r, "log", "run_dir %s: no hand-over socket can be made: ",
			  run_dir));
	cr_expect_eq(rig_slot(&r, 0, "instance"), id);

	kill((pid_t)rig_slot(&r, 0, "pid"), SIGKILL);
	cr_assert(rig_saw(&r, "log", "worker died: slot=0"));
	rig_answer(rig_connect(&r), line);
	cr_expect_gt(atoll(line + 2), id, "got \"%s\"", line);
	cr_expect(rig_saw(&r, "log", "run_dir %s: no hand-over socket can be made, "
			  "polling clients will lose their sessions", run_dir));

	/* Nor does an upgrade come to anything; who serves stays. */
	id = rig_slot(&r, 0, "instance");
	cr_expect_eq(rig_ctl(&r, "upgrade", out, sizeof(out)), 1, "%s", out);
	cr_expect_eq(rig_slot(&r, 0, "instance"), id);

	cr_assert_eq(rename(away, run_dir), 0);
	snprintf(r.socket, sizeof(r.socket), "%s/run/control.sock", r.dir);
	cr_assert(rig_saw(&r, "log", "run_dir %s: the hand-over socket could be made "
			  "at last: slot=0 instance=%lld\n", run_dir,
			  (long long)id));
	cr_expect(handover_reaches(&r, id));
	cr_expect_eq(rig_ctl(&r, "drain 0", out, sizeof(out)), 0, "%s", out);
	cr_expect_eq(rig_count(&r, "log", "at last: "), 1);
	rig_stop(&r);
}

Test(supervisor, replaces_a_killed_worker_and_keeps_its_queue)
{
	char line[64], want[64];
	struct rig r;
	int waiting[20];
	int64_t id;

	rig_start(&r, 1, "");
	id = rig_slot(&r, 0, "instance");
	/* It stands still, so these stay in the accept queue. */
	kill((pid_t)rig_slot(&r, 0, "pid"), SIGSTOP);
	for (int i = 0; i < 20; i++)
		waiting[i] = rig_connect(&r);
	kill((pid_t)rig_slot(&r, 0, "pid"), SIGKILL);
	snprintf(want, sizeof(want), "0 %lld on listener 0\n", (long long)id + 1);
	for (int i = 0; i < 20; i++) {
		cr_assert_neq(waiting[i], -1);
		rig_answer(waiting[i], line);
		cr_expect_str_eq(line, want);
	}
	cr_expect_eq(rig_count(&r, "log", "keeps dying"), 0, "at once");
	cr_expect(rig_saw(&r, "events", "died %lld told %lld\n",
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
		rig_answer(rig_connect(&r), line);
		cr_assert_str_neq(line, "");
	}
	id = rig_slot(&r, 1, "instance");
	kill((pid_t)rig_slot(&r, 1, "pid"), SIGKILL);
	cr_expect(rig_saw(&r, "events", "died %lld told ", (long long)id));
	cr_expect(rig_saw(&r, "events", "hello 1 %lld", (long long)id + 1));
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
	cr_assert(rig_saw(&r, "events", "lend 1 to 0 fd yes"));
	/* Both listeners are served by the one that lives. */
	for (int i = 0; i < 40; i++) {
		rig_answer(rig_connect(&r), line);
		cr_assert_eq(strncmp(line, "0 ", 2), 0, "got \"%s\"", line);
	}
	cr_assert(rig_saw(&r, "log", "slot=1 next_start_in_ms=800"));
	/* 100 + 200 + 400 ms lie behind. */
	cr_expect_geq(clock_mono_ms() - t, 700);
	cr_expect_eq(rig_count(&r, "log", "slot=1 next_start_in_ms=100\n"), 1);
	cr_expect_eq(rig_count(&r, "events", "lend 1 to 0"), 1);
	rig_unset(&r, "crash.1");
	cr_assert(rig_saw(&r, "events", "unlend 1 from 0"));
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
	cr_assert(rig_saw(&r, "events", "lend 1 to 0 fd no"));
	rig_unset(&r, "full.0");
	cr_assert(rig_saw(&r, "events", "lend 1 to 0 fd yes"));
	cr_assert(rig_saw(&r, "events", "again 1 to 0 fd yes"));
	for (int i = 0; i < 40; i++) {
		rig_answer(rig_connect(&r), line);
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
	cr_assert(rig_saw(&r, "events", "lend 1 to 2 fd yes"));
	rig_set(&r, "crash.2");
	kill((pid_t)rig_slot(&r, 2, "pid"), SIGKILL);
	cr_assert(rig_saw(&r, "events", "lend 1 to 0 fd yes"));
	cr_assert(rig_saw(&r, "events", "lend 2 to 0 fd yes"));
	rig_unset(&r, "crash.1");
	rig_unset(&r, "crash.2");
	cr_assert(rig_saw(&r, "events", "unlend 1 from 0"));
	cr_assert(rig_saw(&r, "events", "unlend 2 from 0"));
	rig_stop(&r);
}

Test(supervisor, kills_a_stuck_worker)
{
	struct rig r;
	int64_t id, t;

	rig_start(&r, 2, "stuck_timeout = 5s\n");
	id = rig_slot(&r, 0, "instance");
	t = clock_mono_ms();
	kill((pid_t)rig_slot(&r, 0, "pid"), SIGSTOP);
	cr_assert(rig_saw(&r, "log", "worker is stuck and killed: slot=0 "
			  "instance=%lld", (long long)id));
	/* it had just been there; the clock of the master's loop is a turn's */
	cr_expect_geq(clock_mono_ms() - t, 4500);
	cr_expect(rig_saw(&r, "events", "hello 0 "));
	cr_expect(rig_saw(&r, "events", "died %lld told", (long long)id));
	cr_expect_eq(rig_count(&r, "log", "is stuck"), 1);
	rig_stop(&r);
}

/* When the master itself stood still, the workers are not to blame. */
Test(supervisor, its_own_sleep_kills_nobody)
{
	pid_t w0, w1;
	struct rig r;
	int status;

	rig_start(&r, 2, "stuck_timeout = 5s\n");
	w0 = (pid_t)rig_slot(&r, 0, "pid");
	w1 = (pid_t)rig_slot(&r, 1, "pid");
	kill(w0, SIGSTOP);
	kill(w1, SIGSTOP);
	kill(r.master, SIGSTOP);
	cr_assert_eq(waitpid(r.master, &status, WUNTRACED), r.master);
	usleep(6500000);	/* the very thing under test */
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
	cr_assert(rig_saw(&r, "log", "worker is killed: its message is "
			  "malformed slot=0"));
	rig_unset(&r, "bad.0");
	while (rig_slot(&r, 0, "uptime_ms") < 1000)
		usleep(20000);
	cr_expect_eq(rig_slot(&r, 1, "restarts"), 0);
	rig_stop(&r);
}

/* Neither obeys: one that does may need longer than this for its exit. */
Test(supervisor, stop_has_a_deadline)
{
	struct rig r;
	int64_t t;

	rig_start(&r, 2, "stop_timeout = 400ms\n");
	rig_set(&r, "deaf.0");
	rig_set(&r, "deaf.1");
	t = clock_mono_ms();
	kill(r.master, SIGTERM);
	cr_assert_eq(rig_wait(&r), 0);
	/* a timer counts from the beginning of its turn of the loop */
	cr_expect_geq(clock_mono_ms() - t, 380);
	cr_expect(rig_sees(&r, "log", "worker is killed: stop_timeout is over "
			  "slot=1"));
	cr_expect_eq(rig_count(&r, "log", "stop_timeout is over"), 2);
	rig_remove(&r);
}

/* The one that obeys is gone before: it is not killed at its exit. */
Test(supervisor, second_signal_stops_now)
{
	struct rig r;
	int64_t deaf;

	rig_start(&r, 2, "stop_timeout = 1h\n");
	deaf = rig_slot(&r, 0, "instance");
	rig_set(&r, "deaf.0");
	kill(r.master, SIGTERM);
	cr_assert(rig_saw(&r, "events", "stop %lld\n", (long long)deaf));
	cr_assert(rig_saw(&r, "log", "worker stopped: slot=1 "));
	kill(r.master, SIGTERM);
	cr_assert_eq(rig_wait(&r), 0);
	cr_expect(rig_sees(&r, "log", "worker is killed: told twice to stop "
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
	cr_assert_eq(rig_wait(&r), 128 + SIGKILL);
	cr_expect(rig_saw(&r, "events", "eof %lld\n", (long long)a));
	cr_expect(rig_saw(&r, "events", "eof %lld\n", (long long)b));
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
	cr_expect_eq(rig_wait(&other), 1);
	cr_expect(rig_sees(&other, "log", "run_dir %s: another pairwire master "
			  "(pid %ld) runs there\n", run_dir, (long)r.master));
	snprintf(run_dir, sizeof(run_dir), "%s/run", other.dir);
	rig_spawn(&other, 1, r.port, run_dir, "");
	cr_expect_eq(rig_wait(&other), 1);
	cr_expect(rig_sees(&other, "log", "cannot listen on 127.0.0.1:%u: "
			  "another program listens there\n", r.port));
	/* A socket of somebody who died is no obstacle. */
	kill(r.master, SIGKILL);
	cr_assert_eq(rig_wait(&r), 128 + SIGKILL);
	for (unsigned i = 0; i < 2; i++)
		cr_assert(rig_saw(&r, "events", "eof %lld\n",
				  (long long)first + i));
	snprintf(run_dir, sizeof(run_dir), "%s/run", r.dir);
	rig_spawn(&r, 2, 0, run_dir, "");
	while (rig_count(&r, "log", "ready: 2 workers") < 2)
		usleep(10000);
	/* No number is given a second time, though hardly a second went by. */
	cr_expect_geq(rig_slot(&r, 0, "instance"), first + 2);
	rig_stop(&r);
	rig_remove(&other);
}
