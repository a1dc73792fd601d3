/* Pushes that fell due, with store, directory and queue faked. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/ipc/stats.h"
#include "common/queue/push_queue.h"
#include "common/store/message_store.h"
#include "worker/chat/push_due.h"
#include "worker/directory.h"

#define ID "0123456789abcdef01234567"

/* What was asked, and whom to answer. */
static struct {
	int gets, names, pushes, owes;
	size_t reads, answered;
	int owe_err;
	bool durable;
	store_rows_cb *rows[150];	/* of each read */
	directory_name_cb *name;
	push_add_cb *pushed;
	void *rows_arg[150], *name_arg, *pushed_arg;
	char json[400];
} saw;

static struct chat c;

void message_store_get(struct message_store *s,
		       const char (*ids)[MESSAGE_ID_LEN + 1], size_t n,
		       store_rows_cb *cb, void *arg)
{
	(void)s;
	cr_expect_str_eq(ids[0], ID);
	cr_assert_lt(saw.reads, ARRAY_SIZE(saw.rows));
	saw.rows[saw.reads] = cb;
	saw.rows_arg[saw.reads++] = arg;
	saw.gets += (int)n;
}

void message_store_set_owe(struct message_store *s, const char *id, int64_t owe,
			   void (*cb)(void *arg, int err), void *arg)
{
	(void)s;
	cr_expect_str_eq(id, ID);
	if (saw.durable) {
		cr_expect_eq(owe, 0);
	} else {	/* the next tenth of a second from then on */
		cr_expect_geq(owe, cluster_now_us() + 700000);
		cr_expect_lt(owe, cluster_now_us() + 800000);
		cr_expect_eq(owe % 100000, 0);
	}
	saw.owes++;
	cb(arg, saw.owe_err);
}

void directory_name(struct directory *d, const char *user,
		    directory_name_cb *cb, void *arg)
{
	(void)d;
	cr_expect_str_eq(user, "anna");
	saw.name = cb;
	saw.name_arg = arg;
	saw.names++;
}

void push_queue_add(struct push_queue *q, const char *marker, const char *user,
		    struct slice json, push_add_cb *cb, void *arg)
{
	(void)q;
	cr_expect_str_eq(marker, ID);
	cr_expect_str_eq(user, "ben");
	snprintf(saw.json, sizeof(saw.json), "%.*s", (int)json.n, json.p);
	saw.pushed = cb;
	saw.pushed_arg = arg;
	saw.pushes++;
}

bool push_queue_durable(const struct push_queue *q)
{
	(void)q;
	return saw.durable;
}

static void setup(void)
{
	clock_fake_set(1000000, 5000000000);
	c.loop = loop_new();
	c.conf.push_ttl_ms = 1000;
	c.conf.push_requeue_ms = 700;
	chat_push_init(&c);
}

/* The first read that waits. */
static void answer_read(int err, const struct message *rows, size_t n)
{
	size_t i = saw.answered++;

	cr_assert_lt(i, saw.reads);
	saw.rows[i](saw.rows_arg[i], err, rows, n);
}

static void teardown(void)
{
	while (saw.answered < saw.reads)
		answer_read(-ECANCELED, NULL, 0);
	chat_push_free(&c);
	buf_free(&c.scratch);
	loop_free(&c.loop);
}

TestSuite(push_due, .init = setup, .fini = teardown, .timeout = 240);

static void stop(void *loop)
{
	loop_stop(loop);
}

static void run_turn(void)
{
	struct task t;

	task_init(&t, LOOP_REAP, stop, c.loop);
	loop_defer(c.loop, &t);
	loop_run(c.loop);
}

/* It falls due and is read again; err: the store's. */
static void fall_due(int64_t owe, int64_t delivered_at_ms, int err)
{
	struct message row = {
		.match_id = "m1", .sender_id = "anna", .recipient_id = "ben",
		.content = SLICE("hi"), .owe = owe,
		.delivered_at_ms = delivered_at_ms,
	};

	memcpy(row.id, ID, sizeof(ID));
	chat_push_due(&c, ID);
	run_turn();
	answer_read(err, &row, err == 0);
}

static void expect_asked(int gets, int names, int pushes, int owes)
{
	cr_expect_eq(saw.gets, gets, "%d", saw.gets);
	cr_expect_eq(saw.names, names, "%d", saw.names);
	cr_expect_eq(saw.pushes, pushes, "%d", saw.pushes);
	cr_expect_eq(saw.owes, owes, "%d", saw.owes);
}

Test(push_due, queued_with_the_name_when_it_is_known)
{
	fall_due(1, 0, 0);
	expect_asked(1, 1, 0, 0);
	saw.name(saw.name_arg, 0, "Anna");
	expect_asked(1, 1, 1, 0);
	cr_expect_not_null(strstr(saw.json, "\"Anna\""), "%s", saw.json);
	saw.pushed(saw.pushed_arg, 0);
	expect_asked(1, 1, 1, 1);
	cr_expect_eq(stats_get(STAT_push_queued), 1);

	fall_due(1, 0, 0);
	saw.name(saw.name_arg, -EAGAIN, NULL);
	expect_asked(2, 2, 2, 1);
	cr_expect_null(strstr(saw.json, "Anna"), "%s", saw.json);
	saw.pushed(saw.pushed_arg, 0);
	cr_expect_eq(stats_get(STAT_push_queued), 2);
}

Test(push_due, nothing_is_owed_for_what_a_durable_queue_has)
{
	saw.durable = true;
	fall_due(1, 0, 0);
	saw.name(saw.name_arg, 0, "Anna");
	expect_asked(1, 1, 1, 0);
	saw.pushed(saw.pushed_arg, 0);
	expect_asked(1, 1, 1, 1);

	fall_due(1, 0, 0);
	saw.name(saw.name_arg, 0, "Anna");
	saw.pushed(saw.pushed_arg, -ETIMEDOUT);	/* as it was */
	expect_asked(2, 2, 2, 1);
}

Test(push_due, not_what_was_delivered_or_owes_nothing_or_cannot_be_read)
{
	fall_due(1, 1, 0);
	fall_due(0, 0, 0);
	fall_due(1, 0, -ETIMEDOUT);
	expect_asked(3, 0, 0, 0);
}

Test(push_due, stays_owing_when_the_queue_refuses)
{
	fall_due(1, 0, 0);
	saw.name(saw.name_arg, 0, "");
	saw.pushed(saw.pushed_arg, -ENOSPC);
	expect_asked(1, 1, 1, 0);
	cr_expect_eq(stats_get(STAT_push_refused), 1);
	cr_expect_eq(stats_get(STAT_push_queued), 0);
}

static void on_done(void *arg, int err)
{
	*(int *)arg = err;
}

Test(push_due, tells_how_it_went)
{
	static const struct {
		int add, owe, done;
	} rows[] = {
		{ 0, 0, 0 }, { -ENOSPC, 0, -ENOSPC }, { 0, -ENOTCONN, -ENOTCONN },
	};
	struct message m = { .match_id = "m1", .sender_id = "anna",
			     .recipient_id = "ben", .content = SLICE("hi") };
	int done;

	memcpy(m.id, ID, sizeof(ID));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		done = 1;
		saw.owe_err = rows[i].owe;
		push_enqueue(&c, &m, clock_mono_ms(), on_done, &done);
		saw.name(saw.name_arg, 0, "Anna");
		cr_expect_eq(done, 1);
		saw.pushed(saw.pushed_arg, rows[i].add);
		cr_expect_eq(done, rows[i].done);
	}
	push_enqueue(&c, &m, clock_mono_ms(), on_done, &done);
	c.down = true;
	saw.name(saw.name_arg, -EAGAIN, NULL);
	cr_expect_eq(done, -ECANCELED);
}

/* The directory stood still for a while: confirmed or not, meanwhile? */
Test(push_due, read_again_when_it_took_long)
{
	static const struct {
		int64_t owe, delivered_at_ms;
		int err, pushes, done;
	} rows[] = {
		{ 1, 0, 0, 1, 0 }, { 1, 1, 0, 0, 0 }, { 0, 0, 0, 0, 0 },
		{ 1, 0, -ETIMEDOUT, 0, -ETIMEDOUT },
	};
	struct message m = { .match_id = "m1", .sender_id = "anna",
			     .recipient_id = "ben", .content = SLICE("hi") };
	int done;

	memcpy(m.id, ID, sizeof(ID));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		memset(&saw, 0, sizeof(saw));
		done = 1;
		push_enqueue(&c, &m, clock_mono_ms() - 200, on_done, &done);
		saw.name(saw.name_arg, 0, "Anna");
		expect_asked(1, 1, 0, 0);
		m.owe = rows[i].owe;
		m.delivered_at_ms = rows[i].delivered_at_ms;
		answer_read(rows[i].err, &m, rows[i].err == 0);
		expect_asked(1, 1, rows[i].pushes, 0);
		if (rows[i].pushes > 0) {
			cr_expect_not_null(strstr(saw.json, "\"Anna\""));
			saw.pushed(saw.pushed_arg, 0);
		}
		cr_expect_eq(done, rows[i].done, "%zu", i);
	}
}

Test(push_due, many_are_read_in_one_go)
{
	for (int i = 0; i < 100; i++)
		chat_push_due(&c, ID);
	run_turn();
	cr_expect_eq(saw.gets, 100);
	chat_push_due(&c, ID);	/* never read: no leak */
}

/* The store stood still: confirmed or not, meanwhile? */
Test(push_due, its_age_counts_from_when_it_was_asked)
{
	struct message row = { .match_id = "m1", .sender_id = "anna",
			       .recipient_id = "ben", .content = SLICE("hi"),
			       .owe = 1 };

	memcpy(row.id, ID, sizeof(ID));
	chat_push_due(&c, ID);
	run_turn();
	clock_fake_set(1200000, 5000200000);
	answer_read(0, &row, 1);
	saw.name(saw.name_arg, 0, "Anna");
	expect_asked(2, 1, 0, 0);
	row.delivered_at_ms = 5;
	answer_read(0, &row, 1);
	expect_asked(2, 1, 0, 0);
	cr_expect_eq(c.due_out, 0);
}

Test(push_due, a_slow_store_is_asked_for_so_many_and_no_more)
{
	struct message row = { .match_id = "m1", .sender_id = "anna",
			       .recipient_id = "ben", .content = SLICE("hi"),
			       .owe = 1 };

	memcpy(row.id, ID, sizeof(ID));
	for (int i = 0; i < 1500; i++)
		chat_push_due(&c, ID);
	for (int i = 0; i < 30; i++)
		run_turn();
	cr_expect_eq(saw.gets, 1000);
	answer_read(0, &row, 1);	/* the other 99 are gone; this one is under way */
	run_turn();
	cr_expect_eq(saw.gets, 1099);
	answer_read(-ETIMEDOUT, NULL, 0);
	run_turn();
	cr_expect_eq(saw.gets, 1199);
	saw.name(saw.name_arg, 0, "Anna");
	run_turn();
	cr_expect_eq(saw.gets, 1199);
	saw.pushed(saw.pushed_arg, -ENOSPC);
	run_turn();
	cr_expect_eq(saw.gets, 1200);
	while (saw.answered < saw.reads) {
		answer_read(0, NULL, 0);
		run_turn();
	}
	cr_expect_eq(saw.gets, 1500);
	cr_expect_eq(c.due_out, 0);
}

Test(push_due, what_is_too_much_is_left_to_the_sweep)
{
	for (int i = 0; i < 11000; i++)
		chat_push_due(&c, ID);
	do {
		run_turn();
		while (saw.answered < saw.reads)
			answer_read(0, NULL, 0);
	} while (!list_empty(&c.due));
	cr_expect_eq(saw.gets, 10000);
	chat_push_due(&c, ID);
	run_turn();
	cr_expect_eq(saw.gets, 10001);
}

Test(push_due, nothing_is_queued_when_the_chat_ends)
{
	fall_due(1, 0, 0);
	c.down = true;
	saw.name(saw.name_arg, 0, "Anna");
	expect_asked(1, 1, 0, 0);
}
