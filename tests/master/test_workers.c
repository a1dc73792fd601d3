/* The supervisor without its master: what several slots do together, what is
 * owed, and an exec, whose place a second supervisor in this process takes. */
#include "config.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/conf/conf.h"
#include "common/loop/loop.h"
#include "common/service/listener.h"
#include "master/control/query.h"
#include "master/workers/supervisor.h"
#include "tests/master/harness.h"

TestSuite(workers, .timeout = 300);

struct team {
	struct rig files;	/* for rig_set(), rig_sees() */
	struct loop *loop;
	struct timer pause;
	struct conf *conf;
	struct listeners *listeners;
	struct supervisor *sup;
	struct queries *queries;	/* or NULL */
	int ready, stopped, died, done;
	char error[128];	/* of the last done; "": none */
};

static void on_ready(void *arg)
{
	((struct team *)arg)->ready++;
}

static void on_stopped(void *arg)
{
	((struct team *)arg)->stopped++;
}

static void on_answer(void *arg, struct instance *i, uint32_t query,
		      struct slice json)
{
	struct team *t = arg;

	if (t->queries != NULL)
		queries_answer(t->queries, i, query, json);
}

static void on_died(void *arg, struct instance *i)
{
	(void)i;
	((struct team *)arg)->died++;
}

static void on_all_replaced(void *arg, const char *error)
{
	struct team *t = arg;

	t->done++;
	snprintf(t->error, sizeof(t->error), "%s", error != NULL ? error : "");
}

static void on_one_replaced(void *arg, unsigned slot, const char *error)
{
	(void)slot;
	on_all_replaced(arg, error);
}

static void on_pause(void *arg)
{
	loop_stop(((struct team *)arg)->loop);
}

static void turn(struct team *t)
{
	timer_arm(&t->pause, 20);
	loop_run(t->loop);
}

#define WAIT(t, expr) do {                                                   \
	int64_t end_ = clock_mono_ms() + 60000;                              \
	while (!(expr)) {                                                    \
		cr_assert_lt(clock_mono_ms(), end_, "%s", #expr);            \
		turn(t);                                                     \
	}                                                                    \
} while (0)
#define SAW(t, ...) rig_sees(&(t)->files, "events", __VA_ARGS__)

static struct conf *read_conf(const struct team *t, const char *extra)
{
	char path[96], err[CONF_ERR_MAX];
	struct conf *conf = NULL;
	FILE *f;

	snprintf(path, sizeof(path), "%s/conf", t->files.dir);
	f = fopen(path, "w");
	cr_assert_not_null(f);
	fprintf(f, "[server]\nnode = n\nrun_dir = %s\n" RIG_STUCK RIG_STOP
		"%s[auth]\njwt_secret = x\n"
		"[directory]\ndatabase_url = postgresql://h/d\n", t->files.dir,
		extra);
	fclose(f);
	cr_assert_eq(conf_load(path, CONF_FOR_SERVER, &conf, err), 0, "%s", err);
	return conf;
}

static struct supervisor_events events_of(struct team *t)
{
	return (struct supervisor_events){ on_ready, on_stopped, on_answer,
					   on_died, t };
}

static void begin(struct team *t, unsigned slots, const char *extra)
{
	struct supervisor_events ev = events_of(t);
	char err[LISTENER_ERR_MAX];

	*t = (struct team){ .files = { .dir = "/tmp/pairwire-test-XXXXXX" } };
	cr_assert_not_null(mkdtemp(t->files.dir));
	setenv("FAKE_DIR", t->files.dir, 1);
	t->conf = read_conf(t, extra);
	cr_assert_eq(listeners_open("127.0.0.1", 0, slots, &t->listeners, err), 0);
	t->loop = loop_new();
	timer_init(&t->pause, t->loop, on_pause, t);
	cr_assert_eq(supervisor_new(t->loop, t->conf, t->listeners, slots,
				    FAKE_WORKER, &ev, &t->sup), 0);
	WAIT(t, t->ready == 1);
}

static void end(struct team *t)
{
	supervisor_stop(t->sup);
	WAIT(t, t->stopped > 0);
	supervisor_free(&t->sup);
	timer_free(&t->pause);
	loop_free(&t->loop);
	listeners_close(&t->listeners);
	conf_free(&t->conf);
	rig_remove(&t->files);
}

static struct slot_view view(const struct team *t, unsigned slot)
{
	struct slot_view v;

	supervisor_slot(t->sup, slot, &v);
	return v;
}

static uint32_t id_of(const struct team *t, unsigned slot)
{
	struct slot_view v = view(t, slot);

	return v.worker != NULL ? v.worker->id : 0;
}

/* --- all at once --- */

Test(workers, nobody_drains_before_all_are_there)
{
	struct team t;
	uint32_t a, b;

	begin(&t, 2, "drain_timeout = 5s\n");
	a = id_of(&t, 0);
	b = id_of(&t, 1);
	rig_set(&t.files, "hang.1");
	cr_assert_eq(supervisor_replace_all(t.sup, on_all_replaced, &t), 0);
	cr_expect_eq(supervisor_replace_all(t.sup, on_all_replaced, &t), -EBUSY);
	cr_expect_eq(supervisor_replace(t.sup, 0, 0, on_one_replaced, &t), -EBUSY);
	cr_expect_null(supervisor_save(t.sup));
	WAIT(&t, view(&t, 0).successor->state == INSTANCE_READY);
	WAIT(&t, SAW(&t, "hang %u\n", b + 2));
	cr_expect_not(SAW(&t, "drain %u", a));
	cr_expect_eq(id_of(&t, 0), a);
	cr_expect_eq(t.done, 0);
	rig_unset(&t.files, "hang.1");
	WAIT(&t, t.done == 1);
	cr_expect_str_eq(t.error, "");
	cr_expect_eq(id_of(&t, 0), a + 2);
	cr_expect_eq(id_of(&t, 1), b + 2);
	WAIT(&t, SAW(&t, "drain %u grace 5000\n", a) &&
		 SAW(&t, "drain %u grace 5000\n", b));
	WAIT(&t, supervisor_draining(t.sup) == 0);
	cr_expect_eq(t.died, 2);
	end(&t);
}

/* slot 0's is READY or still starts when slot 1's dies: both are given up. */
static void one_fails(const char *first)
{
	struct team t;
	uint32_t a, b;

	begin(&t, 2, "");
	a = id_of(&t, 0);
	b = id_of(&t, 1);
	rig_set(&t.files, "hang.1");
	if (*first != '\0')
		rig_set(&t.files, first);
	cr_assert_eq(supervisor_replace_all(t.sup, on_all_replaced, &t), 0);
	if (*first == '\0')
		WAIT(&t, view(&t, 0).successor->state == INSTANCE_READY);
	WAIT(&t, SAW(&t, "hang %u\n", b + 2));
	kill(view(&t, 1).successor->pid, SIGTERM);
	WAIT(&t, t.done == 1);
	cr_expect_str_eq(t.error, "slot 1: the new worker died: signal=15");
	cr_expect_eq(id_of(&t, 0), a);
	cr_expect_eq(id_of(&t, 1), b);
	cr_expect_eq(supervisor_ready(t.sup), 2);
	WAIT(&t, supervisor_draining(t.sup) == 0);
	cr_expect_eq(SAW(&t, "drain %u ", a + 2), *first == '\0');
	cr_expect_not(SAW(&t, "drain %u ", a));
	cr_expect_not(SAW(&t, "drain %u ", b));
	rig_unset(&t.files, "hang.1");
	if (*first != '\0')
		rig_unset(&t.files, first);
	cr_assert_eq(supervisor_replace_all(t.sup, on_all_replaced, &t), 0);
	WAIT(&t, t.done == 2);
	cr_expect_str_eq(t.error, "");
	cr_expect_eq(id_of(&t, 0), a + 4);
	end(&t);
}

Test(workers, one_failure_calls_all_off)
{
	one_fails("");
}

Test(workers, one_failure_calls_off_who_starts)
{
	one_fails("hang.0");
}

Test(workers, a_death_meanwhile_calls_nothing_off)
{
	struct team t;
	uint32_t a, b;

	begin(&t, 2, "");
	a = id_of(&t, 0);
	b = id_of(&t, 1);
	rig_set(&t.files, "hang.1");
	cr_assert_eq(supervisor_replace_all(t.sup, on_all_replaced, &t), 0);
	WAIT(&t, view(&t, 0).successor->state == INSTANCE_READY);
	kill(view(&t, 0).worker->pid, SIGKILL);
	WAIT(&t, id_of(&t, 0) == a + 2);
	cr_expect_eq(view(&t, 0).restarts, 1);
	kill(view(&t, 1).worker->pid, SIGKILL);
	WAIT(&t, id_of(&t, 1) == b + 2);
	cr_expect_eq(t.done, 0);
	rig_unset(&t.files, "hang.1");
	WAIT(&t, t.done == 1);
	cr_expect_str_eq(t.error, "");
	cr_expect_eq(t.died, 2);
	end(&t);
}

Test(workers, a_stop_ends_it)
{
	struct team t;

	begin(&t, 2, "");
	rig_set(&t.files, "hang.1");
	cr_assert_eq(supervisor_replace_all(t.sup, on_all_replaced, &t), 0);
	WAIT(&t, view(&t, 0).successor->state == INSTANCE_READY);
	supervisor_stop(t.sup);
	WAIT(&t, t.stopped == 1);
	cr_expect_eq(t.done, 1);
	cr_expect_not_null(strstr(t.error, "the master was told to stop"));
	cr_expect_eq(rig_count(&t.files, "events", "stop "), 4);
	cr_expect_eq(supervisor_replace(t.sup, 0, 0, on_one_replaced, &t),
		     -ESHUTDOWN);
	end(&t);
}

/* --- what is owed --- */

/* So many that its socket takes no more. */
static void fill(struct team *t, struct instance *i)
{
	kill(i->pid, SIGSTOP);
	for (int n = 0; n < 100000 && i->owed == 0; n++)
		supervisor_log(t->sup, 3, "chat");
	cr_assert_neq(i->owed, 0);
}

/* The text of all events before the first of this name. */
static const char *events_until(const struct team *t, const char *name)
{
	static char text[1 << 16];
	char path[96], *end;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/events", t->files.dir);
	f = fopen(path, "r");
	cr_assert_not_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	end = strstr(text, name);
	cr_assert_not_null(end);
	*end = '\0';
	return text;
}

static void on_taken(void *arg, const struct query_answers *a)
{
	const json_t *one = json_array_get(a->unanswered, 0);
	struct team *t = arg;

	t->done++;
	cr_expect_eq(json_array_size(a->list), 1);
	cr_expect_eq(json_array_size(a->unanswered), 1);
	cr_expect_eq(json_integer_value(json_object_get(one, "slot")), 0);
	cr_expect_str_eq(json_string_value(json_object_get(one, "reason")),
			 "cannot be asked");
}

/* Its answer would be about what came before. */
Test(workers, who_is_owed_something_is_not_asked_whether_it_has_it)
{
	struct team t;

	begin(&t, 2, "");
	t.queries = queries_new(t.loop, t.sup);
	view(&t, 0).worker->owed = 1;	/* though its socket would take it */
	queries_all(t.queries, (struct control_request){ 0 }, &(struct question){
		.cmd = "taken", .told = true, .deadline_ms = 60000,
		.done = on_taken, .arg = &t });
	WAIT(&t, t.done == 1);
	cr_expect_eq(rig_count(&t.files, "events", "query 0"), 0);
	queries_free(&t.queries);
	end(&t);
}

Test(workers, what_cannot_be_sent_now_is_sent_later)
{
	struct conf *next;
	struct instance *i;
	struct team t;
	char want[64];
	uint32_t a;
	pid_t pid;

	begin(&t, 1, "drain_timeout = 5s\n");
	a = id_of(&t, 0);
	i = view(&t, 0).worker;
	pid = i->pid;
	fill(&t, i);
	next = read_conf(&t, "drain_timeout = 7s\n");
	cr_assert_eq(supervisor_set_conf(t.sup, next), 0);
	cr_assert_eq(supervisor_replace(t.sup, 0, 1234, on_one_replaced, &t), 0);
	WAIT(&t, t.done == 1);
	cr_assert_eq(supervisor_draining(t.sup), 1);
	cr_expect_neq(i->owed, 0);
	kill(pid, SIGCONT);
	WAIT(&t, SAW(&t, "drain %u grace 1234\n", a));
	snprintf(want, sizeof(want), "reload %u drain_timeout 7000 ", a);
	cr_expect_not_null(strstr(events_until(&t, "\ndrain "), want));
	WAIT(&t, supervisor_draining(t.sup) == 0);
	end(&t);
	conf_free(&next);
}

/* Everybody has the newest, whether he was there, is about to be or comes. */
Test(workers, a_configuration_reaches_all)
{
	struct conf *next, *last;
	struct team t;
	uint32_t a;

	begin(&t, 2, "drain_timeout = 5s\n");
	a = id_of(&t, 0);
	supervisor_log(t.sup, 3, "chat");
	supervisor_log(t.sup, 2, "");
	supervisor_log(t.sup, 1, "chat");
	rig_set(&t.files, "hang.0");
	cr_assert_eq(supervisor_replace(t.sup, 0, 0, on_one_replaced, &t), 0);
	WAIT(&t, SAW(&t, "hang %u\n", a + 2));
	/* What is in force, in order. */
	WAIT(&t, SAW(&t, "log %u level 2 area \"\"\nlog %u level 1 area "
		     "\"chat\"\n", a + 2, a + 2));
	cr_expect_not(SAW(&t, "log %u level 3 area \"chat\"", a + 2));
	next = read_conf(&t, "drain_timeout = 7s\n");
	cr_assert_eq(supervisor_set_conf(t.sup, next), 0);
	conf_free(&t.conf);
	t.conf = next;
	for (uint32_t n = 0; n < 3; n++)
		WAIT(&t, SAW(&t, "reload %u drain_timeout 7000 ", a + n));
	rig_unset(&t.files, "hang.0");
	WAIT(&t, t.done == 1);
	cr_assert_eq(supervisor_replace(t.sup, 1, 0, on_one_replaced, &t), 0);
	WAIT(&t, t.done == 2);
	cr_expect(SAW(&t, "drain_timeout %u 7000\n", a + 3));
	cr_expect_not(SAW(&t, "log %u ", a + 3));
	cr_expect_not(SAW(&t, "reload %u ", a + 3));
	last = read_conf(&t, "drain_timeout = 9s\n");
	cr_assert_eq(supervisor_set_conf(t.sup, last), 0);
	WAIT(&t, SAW(&t, "reload %u drain_timeout 9000 ", a + 3));
	end(&t);
	conf_free(&last);
}

/* --- over an exec --- */

/* The supervisor that there was is not asked any more; nothing of it may be
 * freed, since what it had is the next one's. */
static struct team *volatile before;

static void exec_now(struct team *t, json_t *saved, unsigned slots)
{
	struct supervisor_events ev = events_of(t);
	char *text = json_dumps(saved, 0);
	json_t *copy;

	before = malloc(sizeof(*before));
	cr_assert_not_null(before);
	*before = *t;
	t->ready = t->died = 0;
	t->loop = loop_new();
	timer_init(&t->pause, t->loop, on_pause, t);
	copy = json_loads(text, 0, NULL);
	free(text);
	cr_assert_eq(supervisor_adopt(t->loop, t->conf, t->listeners, slots,
				      FAKE_WORKER, &ev, copy, &t->sup), 0);
	json_decref(copy);
	json_decref(saved);
}

Test(workers, an_exec_keeps_them)
{
	uint32_t a, b, c, young;
	struct instance *drainer;
	struct team t;
	char boot[17];
	json_t *saved;
	pid_t pid;

	begin(&t, 3, "");
	a = id_of(&t, 0);
	b = id_of(&t, 1);
	c = id_of(&t, 2);
	snprintf(boot, sizeof(boot), "%s", supervisor_boot(t.sup));
	supervisor_log(t.sup, 3, "chat");
	rig_set(&t.files, "stay.2");
	cr_assert_eq(supervisor_replace(t.sup, 2, 3600000, on_one_replaced, &t), 0);
	WAIT(&t, t.done == 1);
	rig_set(&t.files, "hang.1");
	kill(view(&t, 1).worker->pid, SIGKILL);
	WAIT(&t, SAW(&t, "hang %u\n", c + 2));
	young = id_of(&t, 1);
	pid = view(&t, 2).worker->pid;
	/* Dies while nobody looks. */
	kill(view(&t, 0).worker->pid, SIGKILL);
	saved = supervisor_save(t.sup);
	cr_assert_not_null(saved);
	fcntl(view(&t, 2).worker->ipc, F_SETFD, 0);
	exec_now(&t, saved, 3);

	cr_expect_str_eq(supervisor_boot(t.sup), boot);
	cr_expect(supervisor_started(t.sup));
	cr_expect_eq(fcntl(view(&t, 2).worker->ipc, F_GETFD), FD_CLOEXEC);
	cr_expect_eq(id_of(&t, 0), a);
	cr_expect_eq(id_of(&t, 1), young);
	cr_expect_eq(id_of(&t, 2), c + 1);
	cr_expect_eq(view(&t, 2).worker->pid, pid);
	cr_expect_eq(view(&t, 1).worker->state, INSTANCE_STARTING);
	cr_expect_eq(view(&t, 1).restarts, 1);
	cr_assert_eq(supervisor_draining(t.sup), 1);
	drainer = supervisor_drainer(t.sup, 0);
	cr_expect_eq(drainer->id, c);
	cr_expect_eq(drainer->state, INSTANCE_DRAINING);
	cr_expect_eq(drainer->grace_ms, 3600000);

	WAIT(&t, id_of(&t, 0) == young + 1);
	cr_expect_eq(t.died, 1);
	WAIT(&t, SAW(&t, "died %u told %u\n", a, c + 1));
	WAIT(&t, SAW(&t, "log %u level 3 area \"chat\"\n", young + 1));
	cr_expect_eq(t.ready, 0);
	rig_unset(&t.files, "hang.1");
	WAIT(&t, t.ready == 1);		/* its READY came to us */
	cr_expect_eq(view(&t, 1).restarts, 1);
	rig_unset(&t.files, "stay.2");
	WAIT(&t, supervisor_draining(t.sup) == 0);
	cr_expect(SAW(&t, "died %u told", b));
	cr_expect_eq(rig_count(&t.files, "events", "drain "), 1);
	end(&t);
}

Test(workers, an_exec_keeps_what_is_owed)
{
	struct instance *i;
	struct team t;
	uint32_t a;
	pid_t pid;

	begin(&t, 1, "");
	a = id_of(&t, 0);
	i = view(&t, 0).worker;
	pid = i->pid;
	fill(&t, i);
	cr_assert_eq(supervisor_replace(t.sup, 0, 77, on_one_replaced, &t), 0);
	WAIT(&t, t.done == 1);
	exec_now(&t, supervisor_save(t.sup), 1);
	kill(pid, SIGCONT);
	WAIT(&t, SAW(&t, "drain %u grace 77\n", a));
	WAIT(&t, supervisor_draining(t.sup) == 0);
	WAIT(&t, t.ready == 1);		/* all were there already */
	end(&t);
}

/* Each member is needed, but for one that earlier versions do not write; others do
 * not matter. */
static void expect_needed(json_t *root, json_t *object, const char *where)
{
	char *names[32];
	size_t n = 0;
	const char *name;
	json_t *v;

	json_object_foreach(object, name, v) {
		(void)v;
		cr_assert_lt(n, ARRAY_SIZE(names));
		names[n++] = strdup(name);
	}
	cr_assert_gt(n, 0);
	for (size_t i = 0; i < n; i++) {
		char *key = names[i];
		json_t *was = json_incref(json_object_get(object, key));

		json_object_set_new(object, key, json_real(1.5));
		cr_expect_eq(supervisor_readable(root, 2), -EINVAL, "%s.%s wrong",
			     where, key);
		json_object_del(object, key);
		cr_expect_eq(supervisor_readable(root, 2),
			     strcmp(key, "conf_fd") == 0 ? 0 : -EINVAL,
			     "%s.%s missing", where, key);
		json_object_set_new(object, key, was);
		free(key);
	}
	json_object_set_new(object, "of a version to come", json_true());
	cr_expect_eq(supervisor_readable(root, 2), 0, "%s", where);
}

Test(workers, what_cannot_be_adopted)
{
	static const struct {
		const char *key;
		json_int_t bad;
	} bad[] = { { "instance", 0 }, { "instance", INT64_MAX }, { "slot", 1 },
		    { "slot", -1 }, { "slot", 2 }, { "pid", 1 }, { "pid", -5 },
		    { "ipc_fd", -1 }, { "stats_fd", INT64_MAX } };
	struct supervisor_events ev;
	struct supervisor *none = NULL;
	json_t *saved, *slot, *worker;
	struct team t;

	begin(&t, 2, "");
	supervisor_log(t.sup, 3, "chat");
	saved = supervisor_save(t.sup);
	slot = json_array_get(json_object_get(saved, "slots"), 0);
	worker = json_object_get(slot, "worker");
	cr_assert_eq(supervisor_readable(saved, 2), 0);
	cr_expect_eq(supervisor_readable(saved, 1), -EINVAL);
	cr_expect_eq(supervisor_readable(saved, 3), -EINVAL);
	cr_expect_eq(supervisor_readable(NULL, 2), -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		json_t *was = json_incref(json_object_get(worker, bad[i].key));

		json_object_set_new(worker, bad[i].key, json_integer(bad[i].bad));
		cr_expect_eq(supervisor_readable(saved, 2), -EINVAL, "%s",
			     bad[i].key);
		json_object_set_new(worker, bad[i].key, was);
	}
	expect_needed(saved, worker, "worker");
	expect_needed(saved, slot, "slot");
	expect_needed(saved, json_array_get(json_object_get(saved, "logs"), 0),
		      "logs");
	expect_needed(saved, saved, "all");
	/* No such descriptor: nothing is taken. */
	json_object_set_new(worker, "ipc_fd", json_integer(9999));
	ev = events_of(&t);
	cr_expect_eq(supervisor_adopt(t.loop, t.conf, t.listeners, 2, FAKE_WORKER,
				      &ev, saved, &none), -EBADF);
	cr_expect_null(none);
	json_decref(saved);
	end(&t);
}
