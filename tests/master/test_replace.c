#include "config.h"

#include <criterion/criterion.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/master/harness.h"

TestSuite(replace, .timeout = 300);

/* Who answers: all of n connections get the same instance. */
static void expect_server(const struct rig *r, unsigned slot, long long id)
{
	char line[64], want[64];

	snprintf(want, sizeof(want), "%u %lld on listener %u\n", slot, id, slot);
	for (int i = 0; i < 10; i++) {
		rig_answer(rig_connect(r), line);
		cr_assert_str_eq(line, want);
	}
}

Test(replace, a_drain_puts_another_in_its_place)
{
	struct rig r;
	long long id;
	char out[256], want[256];

	rig_start(&r, 1, "drain_timeout = 90s\n");
	id = rig_slot(&r, 0, "instance");
	rig_set(&r, "stay.0");
	cr_expect_eq(rig_ctl(&r, "drain 0", out, sizeof(out)), 0, "%s", out);
	snprintf(want, sizeof(want), "slot 0: instance %lld serves; instance "
		 "%lld drains, its clients may stay for 1m 30s\n", id + 1, id);
	cr_expect_str_eq(out, want);
	cr_assert(rig_saw(&r, "events", "drain %lld grace 90000\n", id));
	expect_server(&r, 0, id + 1);
	cr_expect_eq(rig_slot(&r, 0, "restarts"), 0);
	rig_unset(&r, "stay.0");
	cr_expect(rig_saw(&r, "log", "worker drained: slot=0 instance=%lld",
			  id));
	cr_expect(rig_saw(&r, "events", "died %lld told %lld\n", id, id + 1));
	cr_expect_eq(rig_slot(&r, 0, "restarts"), 0);
	expect_server(&r, 0, id + 1);
	rig_stop(&r);
}

static const json_t *drainers(json_t *root)
{
	return json_object_get(root, "draining");
}

static int64_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

Test(replace, a_restart_leaves_no_grace)
{
	struct rig r;
	long long id;
	char out[256];

	rig_start(&r, 2, "drain_timeout = 90s\n");
	id = rig_slot(&r, 1, "instance");
	cr_expect_eq(rig_ctl(&r, "restart 1", out, sizeof(out)), 0, "%s", out);
	cr_expect(rig_saw(&r, "events", "drain %lld grace 0\n", id));
	cr_expect(rig_saw(&r, "log", "worker drained: slot=1 instance=%lld",
			  id));
	cr_expect_eq(rig_slot(&r, 0, "instance"), id - 1);
	rig_stop(&r);
}

Test(replace, what_is_no_slot_is_refused)
{
	static const char *const bad[] = { "drain 2", "restart -- -1", "drain x",
					   "drain ''", "drain 0x1", "drain 00000",
					   "restart 99999999999999999999" };
	struct rig r;
	char out[256];

	rig_start(&r, 2, "");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cr_expect_eq(rig_ctl(&r, bad[i], out, sizeof(out)), 1, "%s", bad[i]);
		cr_expect_str_eq(out, "pairwirectl: that is no slot: they are 0 "
				 "to 1\n");
	}
	cr_expect_eq(rig_count(&r, "events", "hello "), 2);
	rig_stop(&r);
}

Test(replace, a_successor_that_dies_changes_nothing)
{
	struct rig r;
	long long id;
	char out[256];

	rig_start(&r, 1, "");
	id = rig_slot(&r, 0, "instance");
	rig_set(&r, "crash.0");
	for (int i = 1; i <= 4; i++) {
		cr_expect_eq(rig_ctl(&r, "drain 0", out, sizeof(out)), 1);
		cr_expect_str_eq(out, "pairwirectl: slot 0: the new worker died: "
				 "status=3\n");
		cr_expect(rig_saw(&r, "events", "died %lld told %lld\n",
				  id + i, id));
	}
	expect_server(&r, 0, id);
	cr_expect_eq(rig_count(&r, "events", "drain "), 0);
	cr_expect_eq(rig_slot(&r, 0, "restarts"), 0);
	rig_unset(&r, "crash.0");
	/* There is no crash loop: the next start does not wait. */
	kill((pid_t)rig_slot(&r, 0, "pid"), SIGKILL);
	expect_server(&r, 0, id + 5);
	cr_expect_eq(rig_count(&r, "log", "keeps dying"), 0);
	rig_stop(&r);
}

Test(replace, a_worker_that_dies_meanwhile_has_its_successor)
{
	struct rig r;
	long long id;
	char out[256], want[128];
	FILE *f;

	rig_start(&r, 1, "");
	id = rig_slot(&r, 0, "instance");
	rig_set(&r, "hang.0");
	f = rig_ask(&r, "drain 0");
	cr_assert(rig_saw(&r, "events", "hang %lld\n", id + 1));
	cr_expect_eq(rig_ctl(&r, "drain 0", out, sizeof(out)), 1);
	cr_expect_str_eq(out, "pairwirectl: slot 0: its worker is being replaced "
			 "already\n");
	kill((pid_t)rig_slot(&r, 0, "pid"), SIGKILL);
	cr_assert(rig_saw(&r, "log", "worker has its successor at once: "
			  "slot=0 instance=%lld\n", id + 1));
	cr_expect_eq(rig_slot(&r, 0, "instance"), id + 1);
	rig_unset(&r, "hang.0");
	cr_expect_eq(rig_asked(f, out, sizeof(out)), 0, "%s", out);
	snprintf(want, sizeof(want), "slot 0: instance %lld serves; no worker is "
		 "left to be drained\n", id + 1);
	cr_expect_str_eq(out, want);
	expect_server(&r, 0, id + 1);
	cr_expect_eq(rig_slot(&r, 0, "restarts"), 1);
	cr_expect_eq(rig_count(&r, "events", "hello "), 2);
	cr_expect_eq(rig_count(&r, "events", "died "), 1);
	rig_stop(&r);
}

/* Nobody is there to be drained: what waited is begun now. */
Test(replace, a_slot_in_backoff_starts_now)
{
	struct rig r;
	int64_t id;
	char out[256];

	rig_start(&r, 2, "");
	rig_set(&r, "crash.1");
	kill((pid_t)rig_slot(&r, 1, "pid"), SIGKILL);
	cr_assert(rig_saw(&r, "log", "slot=1 next_start_in_ms=1600"));
	cr_expect_eq(rig_ctl(&r, "restart 1", out, sizeof(out)), 1);
	cr_expect_str_eq(out, "pairwirectl: slot 1: the new worker died before "
			 "it was ready\n");
	cr_assert(rig_saw(&r, "log", "slot=1 next_start_in_ms=3200"));
	rig_unset(&r, "crash.1");
	cr_expect_eq(rig_ctl(&r, "restart 1", out, sizeof(out)), 0, "%s", out);
	cr_expect_not_null(strstr(out, "no worker is left to be drained"));
	cr_expect(rig_saw(&r, "events", "unlend 1 from 0"));
	/* Nor does it start a second time when the backoff is over. */
	id = rig_slot(&r, 1, "instance");
	while (rig_slot(&r, 1, "uptime_ms") < 4000)
		usleep(20000);
	cr_expect_eq(rig_slot(&r, 1, "instance"), id);
	rig_stop(&r);
}

Test(replace, a_successor_that_hangs_is_given_up)
{
	struct rig r;
	long long id;
	char out[256];
	int64_t t = clock_mono_ms();

	rig_start(&r, 1, "");
	id = rig_slot(&r, 0, "instance");
	rig_set(&r, "hang.0");
	cr_expect_eq(rig_ctl(&r, "drain 0", out, sizeof(out)), 1);
	cr_expect_str_eq(out, "pairwirectl: slot 0: the new worker was not ready "
			 "within 30 seconds\n");
	cr_expect_geq(clock_mono_ms() - t, 29000);
	expect_server(&r, 0, id);
	cr_expect_eq(rig_count(&r, "events", "drain "), 0);
	rig_unset(&r, "hang.0");
	cr_expect_eq(rig_ctl(&r, "drain 0", out, sizeof(out)), 0, "%s", out);
	expect_server(&r, 0, id + 2);
	rig_stop(&r);
}

/* One that drains and hangs is killed, and nobody comes in its place. */
Test(replace, a_stuck_drainer_is_killed)
{
	struct rig r;
	long long id;
	pid_t pid;

	rig_start(&r, 1, "stuck_timeout = 5s\n");
	id = rig_slot(&r, 0, "instance");
	pid = (pid_t)rig_slot(&r, 0, "pid");
	rig_set(&r, "stay.0");
	cr_assert_eq(rig_ctl(&r, "drain 0", NULL, 0), 0);
	cr_assert(rig_saw(&r, "events", "drain %lld ", id));
	kill(pid, SIGSTOP);
	cr_assert(rig_saw(&r, "log", "worker is stuck and killed: slot=0 "
			  "instance=%lld", id));
	cr_expect(rig_saw(&r, "events", "died %lld told %lld\n", id, id + 1));
	expect_server(&r, 0, id + 1);
	cr_expect_eq(rig_count(&r, "events", "hello "), 2);
	cr_expect_eq(rig_slot(&r, 0, "restarts"), 0);
	rig_stop(&r);
}

/* As it is in the file it counts from now on. */
static void change(const struct rig *r, const char *key, const char *value)
{
	char cmd[192];

	snprintf(cmd, sizeof(cmd), "sed -i 's/^%s = .*/%s = %s/' '%s/conf'", key,
		 key, value, r->dir);
	cr_assert_eq(system(cmd), 0);
	cr_assert_eq(rig_ctl(r, "reload", NULL, 0), 0);
}

/* Who drains may be in the midst of the longer one. */
Test(replace, a_shorter_spread_is_for_drains_to_come)
{
	struct rig r;
	long long id;
	int64_t t;

	rig_start(&r, 1, "stop_timeout = 400ms\ndrain_spread = 3s\n"
			 "[engine]\nkeepalive_timeout = 100ms\n");
	id = rig_slot(&r, 0, "instance");
	rig_set(&r, "stay.0");
	cr_assert_eq(rig_ctl(&r, "restart 0", NULL, 0), 0);
	t = clock_mono_ms();
	change(&r, "drain_spread", "1ms");
	cr_assert(rig_saw(&r, "log", "worker does not end its drain and is "
			  "killed: slot=0 instance=%lld", id));
	cr_expect_geq(clock_mono_ms() - t, 3000);
	rig_unset(&r, "stay.0");
	change(&r, "stop_timeout", "1m");
	rig_stop(&r);
}

/* Its loop turns, but it does not go. */
Test(replace, a_drain_without_end_is_ended)
{
	struct rig r;
	long long id;
	int64_t t;

	rig_start(&r, 1, "stop_timeout = 400ms\ndrain_spread = 200ms\n"
			 "[engine]\nkeepalive_timeout = 100ms\n");
	id = rig_slot(&r, 0, "instance");
	rig_set(&r, "stay.0");
	cr_assert_eq(rig_ctl(&r, "restart 0", NULL, 0), 0);
	t = clock_mono_ms();
	cr_assert(rig_saw(&r, "log", "worker does not end its drain and is "
			  "killed: slot=0 instance=%lld", id));
	cr_expect_geq(clock_mono_ms() - t, 400);
	cr_expect(rig_saw(&r, "events", "died %lld told %lld\n", id, id + 1));
	change(&r, "stop_timeout", "1m");
	rig_stop(&r);
}

Test(replace, a_stop_reaches_all)
{
	struct rig r;
	long long a, b;
	char out[256];
	FILE *f;

	rig_start(&r, 2, "stop_timeout = 8s\n");
	a = rig_slot(&r, 0, "instance");
	b = rig_slot(&r, 1, "instance");
	rig_set(&r, "stay.0");
	cr_assert_eq(rig_ctl(&r, "drain 0", NULL, 0), 0);
	rig_set(&r, "hang.1");
	f = rig_ask(&r, "drain 1");
	cr_assert(rig_saw(&r, "events", "hang %lld\n", b + 2));
	rig_set(&r, "deaf.0");
	kill(r.master, SIGTERM);
	cr_expect_eq(rig_asked(f, out, sizeof(out)), 1);
	cr_expect_str_eq(out, "pairwirectl: slot 1: the master was told to stop\n");
	cr_assert_eq(rig_wait(&r), 0);
	cr_expect(rig_sees(&r, "events", "stop %lld\n", a));
	cr_expect(rig_sees(&r, "events", "stop %lld\n", b));
	cr_expect(rig_sees(&r, "events", "stop %lld\n", b + 1));
	cr_expect(rig_sees(&r, "events", "stop %lld\n", b + 2));
	/* The drainer and the worker of the slot that does not listen. */
	cr_expect_eq(rig_count(&r, "log", "stop_timeout is over slot=0"), 2);
	cr_expect_eq(rig_count(&r, "log", "stop_timeout is over"), 2);
	rig_remove(&r);
}

/* Who has borrowed a listener gives it on when he drains. */
Test(replace, a_borrower_that_drains)
{
	struct rig r;
	long long id, next;
	char line[64], old[32];

	rig_start(&r, 2, "");
	id = rig_slot(&r, 0, "instance");
	rig_set(&r, "crash.1");
	kill((pid_t)rig_slot(&r, 1, "pid"), SIGKILL);
	cr_assert(rig_saw(&r, "events", "lend 1 to 0 fd yes"));
	rig_set(&r, "stay.0");
	cr_assert_eq(rig_ctl(&r, "drain 0", NULL, 0), 0);
	next = rig_slot(&r, 0, "instance");
	cr_assert(rig_saw(&r, "log", "listener lent: slot=1 to_slot=0 "
			  "to_instance=%lld\n", next));
	cr_assert(rig_saw(&r, "events", "drain %lld ", id));
	snprintf(old, sizeof(old), "0 %lld on", id);
	for (int i = 0; i < 40; i++) {
		rig_answer(rig_connect(&r), line);
		cr_assert_neq(*line, '\0');
		cr_assert_neq(strncmp(line, old, strlen(old)), 0, "%s", line);
	}
	rig_stop(&r);
}

static int64_t accepted(const struct rig *r)
{
	json_t *root = rig_json(r, "status --json");
	int64_t n = number(json_object_get(root, "totals"), "messages_accepted");

	json_decref(root);
	return n;
}

/* Nothing that counts goes back; who drains is shown. */
Test(replace, the_numbers_of_a_drain)
{
	struct rig r;
	char line[64], out[4096];
	const json_t *one;
	long long id;
	json_t *root;

	rig_start(&r, 1, "drain_timeout = 90s\n");
	id = rig_slot(&r, 0, "instance");
	for (int i = 0; i < 7; i++)
		rig_answer(rig_connect(&r), line);
	rig_set(&r, "stay.0");
	cr_assert_eq(rig_ctl(&r, "drain 0", NULL, 0), 0);
	cr_expect_eq(accepted(&r), 7);
	for (int i = 0; i < 5; i++)
		rig_answer(rig_connect(&r), line);
	cr_expect_eq(accepted(&r), 12);
	root = rig_json(&r, "status --json");
	cr_expect_str_eq(json_string_value(json_object_get(root, "state")),
			 "ready");
	cr_expect_eq(number(json_object_get(root, "totals"), "redis_up"), 1);
	cr_assert_eq(json_array_size(drainers(root)), 1);
	one = json_array_get(drainers(root), 0);
	cr_expect_eq(number(one, "slot"), 0);
	cr_expect_eq(number(one, "instance"), id);
	cr_expect_str_eq(json_string_value(json_object_get(one, "state")),
			 "draining");
	cr_expect_gt(number(one, "left_ms"), 30000);
	cr_expect_leq(number(one, "left_ms"), 90000);
	cr_expect_geq(number(one, "since_ms"), 0);
	cr_expect_geq(number(one, "uptime_ms"), number(one, "since_ms"));
	cr_expect_eq(number(json_object_get(one, "stats"), "messages_accepted"), 7);
	json_decref(root);

	cr_expect_eq(rig_ctl(&r, "workers", out, sizeof(out)), 0);
	cr_expect_not_null(strstr(out, "draining, 1m "), "%s", out);
	root = rig_json(&r, "workers --json");
	cr_assert_eq(json_array_size(json_object_get(root, "workers")), 2);
	one = json_array_get(json_object_get(root, "workers"), 0);
	cr_expect_eq(number(one, "instance"), id + 1);
	cr_expect_gt(number(one, "rss_bytes"), 100000);
	cr_expect(json_is_null(json_object_get(one, "left_ms")));
	one = json_array_get(json_object_get(root, "workers"), 1);
	cr_expect_eq(number(one, "instance"), id);
	cr_expect(json_is_integer(json_object_get(one, "cpu_us")));
	json_decref(root);

	rig_unset(&r, "stay.0");
	cr_assert(rig_saw(&r, "log", "worker drained: slot=0"));
	cr_expect_eq(accepted(&r), 12);
	root = rig_json(&r, "status --json");
	cr_expect_eq(json_array_size(drainers(root)), 0);
	json_decref(root);
	rig_stop(&r);
}

Test(replace, status_shows_a_successor)
{
	struct rig r;
	long long id;
	const json_t *next;
	json_t *root;
	FILE *f;

	rig_start(&r, 1, "");
	id = rig_slot(&r, 0, "instance");
	rig_set(&r, "hang.0");
	f = rig_ask(&r, "restart 0");
	cr_assert(rig_saw(&r, "events", "hang %lld\n", id + 1));
	root = rig_json(&r, "status --json");
	next = json_object_get(json_array_get(json_object_get(root, "slots"), 0),
			       "successor");
	cr_expect_eq(number(next, "instance"), id + 1);
	cr_expect_str_eq(json_string_value(json_object_get(next, "state")),
			 "starting");
	cr_expect_eq(number(root, "ready"), 1);
	json_decref(root);
	rig_unset(&r, "hang.0");
	cr_expect_eq(rig_asked(f, NULL, 0), 0);
	rig_stop(&r);
}

/* Who asked does not wait for it: the drain goes on. */
Test(replace, its_asker_may_leave)
{
	struct rig r;
	long long id;
	pid_t asker;
	FILE *f;

	rig_start(&r, 1, "");
	id = rig_slot(&r, 0, "instance");
	rig_set(&r, "hang.0");
	f = rig_ask(&r, "drain 0 & echo $!; wait");
	cr_assert_eq(fscanf(f, "%d", &asker), 1);
	cr_assert(rig_saw(&r, "events", "hang %lld\n", id + 1));
	kill(asker, SIGKILL);
	rig_asked(f, NULL, 0);
	rig_unset(&r, "hang.0");
	cr_assert(rig_saw(&r, "events", "drain %lld ", id));
	expect_server(&r, 0, id + 1);
	rig_stop(&r);
}
