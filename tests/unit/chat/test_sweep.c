/* The sweep, with store, queue, directory and presence faked. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/ipc/stats.h"
#include "common/queue/push_queue.h"
#include "common/store/message_store.h"
#include "worker/chat/push_due.h"
#include "worker/chat/route.h"
#include "worker/chat/sweep.h"
#include "worker/directory.h"

#define TIMEOUT_MS 40
#define PAGE 200

/* What the fakes say, and what they saw. */
static struct {
	bool store_up, queue_up;
	int lead_err;
	bool lead;
	int due_err;
	unsigned due;		/* rows that are due, of users u0, u1 ... */
	bool due_later;		/* answered by the test */
	int match_err, queue_err;
	const char *ended;	/* a message whose match is */
	const char *refused;	/* a message that the queue does not take */

	int leads, dues, queued, pokes;
	unsigned limit;
	struct {
		char id[MESSAGE_ID_LEN + 1];
		int64_t owe;
	} owes[2 * PAGE];
	int nowes;
	store_rows_cb *rows;
	void *rows_arg;
} saw;

static struct chat c;

static const char *id_of(unsigned i)
{
	static char id[MESSAGE_ID_LEN + 1];

	snprintf(id, sizeof(id), "%024x", i);
	return id;
}

bool message_store_up(const struct message_store *s) { (void)s; return saw.store_up; }
bool push_queue_up(const struct push_queue *q) { (void)q; return saw.queue_up; }

void presence_lead(struct presence *p, const char *job, unsigned hold_ms,
		   void (*cb)(void *arg, int err, bool yes), void *arg)
{
	(void)p;
	cr_expect_str_eq(job, "sweep");
	cr_expect_gt(hold_ms, 200);
	saw.leads++;
	cb(arg, saw.lead_err, saw.lead);
}

static void answer_due(unsigned limit)
{
	static struct message rows[PAGE];
	unsigned n = saw.due < limit ? saw.due : limit;

	for (unsigned i = 0; i < n; i++) {
		rows[i] = (struct message){
			.match_id = saw.ended != NULL &&
				    strcmp(saw.ended, id_of(i)) == 0 ? "ended" : "m",
			.sender_id = "anna",
			.recipient_id = i % 2 ? "ben" : "carl",
			.content = SLICE("hi"), .owe = 1,
		};
		memcpy(rows[i].id, id_of(i), sizeof(rows[i].id));
	}
	saw.rows(saw.rows_arg, saw.due_err, rows, saw.due_err == 0 ? n : 0);
}

void message_store_due(struct message_store *s, int64_t now_us, unsigned limit,
		       store_rows_cb *cb, void *arg)
{
	(void)s;
	saw.limit = limit;
	cr_expect_leq(now_us, cluster_now_us());
	saw.dues++;
	saw.rows = cb;
	saw.rows_arg = arg;
	if (!saw.due_later)
		answer_due(limit);
}

void message_store_set_owe(struct message_store *s, const char *id, int64_t owe,
			   void (*cb)(void *arg, int err), void *arg)
{
	(void)s;
	strcpy(saw.owes[saw.nowes].id, id);
	saw.owes[saw.nowes++].owe = owe;
	cb(arg, 0);
}

void directory_match(struct directory *d, const char *id, directory_match_cb *cb,
		     void *arg)
{
	struct match m = { id, "anna", "ben", strcmp(id, "ended") != 0 };

	(void)d;
	cb(arg, saw.match_err, saw.match_err == 0 ? &m : NULL);
}

void push_enqueue(struct chat *chat, const struct message *m, int64_t read_ms,
		  void (*done)(void *arg, int err), void *arg)
{
	int err = saw.queue_err;

	(void)chat; (void)read_ms;
	if (saw.refused != NULL && strcmp(saw.refused, m->id) == 0)
		err = -EREMOTEIO;
	saw.queued += err == 0;
	done(arg, err);
}

void route_found(struct chat *chat, const struct message *m, struct device *asker)
{
	(void)chat; (void)asker;
	cr_expect_str_eq(m->match_id, "m");
	saw.pokes++;
}

static void setup(void)
{
	memset(&saw, 0, sizeof(saw));
	saw.store_up = saw.queue_up = saw.lead = true;
	c.loop = loop_new();
	c.conf.delivery_timeout_ms = TIMEOUT_MS;
	users_init(&c.users);
	sweep_init(&c);
}

static void teardown(void)
{
	sweep_free(&c);
	users_free(&c.users);
	loop_free(&c.loop);
}

TestSuite(sweep, .init = setup, .fini = teardown, .timeout = 240);

static void stop(void *loop)
{
	loop_stop(loop);
}

static void run_ms(int64_t ms)
{
	struct timer t = { 0 };

	timer_init(&t, c.loop, stop, c.loop);
	timer_arm(&t, ms);
	loop_run(c.loop);
	timer_free(&t);
}

/* Until there were n queries. */
static void run_until(int dues)
{
	int64_t end = clock_mono_ms() + 60000;

	while (saw.dues < dues && clock_mono_ms() < end)
		run_ms(2);
	cr_assert_geq(saw.dues, dues);
}

Test(sweep, queues_what_is_due_and_tells_the_devices)
{
	saw.due = 3;
	saw.ended = "000000000000000000000001";
	run_until(1);
	cr_expect_eq(saw.queued, 2);
	cr_expect_eq(saw.pokes, 2, "not for the ended match");
	cr_assert_eq(saw.nowes, 1);
	cr_expect_str_eq(saw.owes[0].id, saw.ended);
	cr_expect_eq(saw.owes[0].owe, 0);
	cr_expect_eq(stats_get(STAT_swept), 2);
	cr_expect_eq(stats_get(STAT_sweep_dropped), 1);
}

Test(sweep, looks_again_at_its_pace_and_at_once_behind_a_full_page)
{
	int64_t from = clock_mono_ms();

	run_until(3);
	cr_expect_eq(saw.limit, PAGE);
	cr_expect_geq(clock_mono_ms() - from, 2 * 100);
	saw.due = PAGE;
	from = clock_mono_ms();
	saw.dues = saw.leads = 0;
	run_until(200);
	cr_expect_leq(clock_mono_ms() - from, 15000, "20 s at its pace");
	cr_expect_eq(saw.leads, saw.dues, "each time it asks");
}

/* Large messages are looked at in small pages. */
Test(sweep, pages_of_large_messages)
{
	c.conf.content_max = 1 << 20;
	saw.due = PAGE;
	run_until(2);
	cr_expect_eq(saw.limit, 15, "%u", saw.limit);
	cr_expect_eq(saw.queued, 15 * saw.dues);
}

Test(sweep, another_leads_or_nobody_can_say)
{
	saw.lead = false;
	while (saw.leads < 2)
		run_ms(2);
	cr_expect_eq(saw.dues, 0);
	saw.lead_err = -ENOTCONN;
	run_until(1);
}

Test(sweep, waits_for_store_and_queue)
{
	int64_t from;

	saw.queue_up = false;
	run_ms(200);
	saw.queue_up = true;
	saw.store_up = false;
	sweep_wake(&c);
	run_ms(200);
	cr_expect_eq(saw.leads, 0);
	saw.store_up = true;
	from = clock_mono_ms();
	sweep_wake(&c);
	run_ms(TIMEOUT_MS / 2);
	cr_expect(saw.leads == 0 || clock_mono_ms() - from >= TIMEOUT_MS,
		  "confirmations first");
	run_until(1);
}

Test(sweep, backs_off_while_the_queue_takes_nothing)
{
	static const int errs[] = { -ENOSPC, -ETIMEDOUT };

	saw.due = 2;
	saw.queue_err = errs[0];
	run_ms(1500);
	cr_expect_leq(saw.dues, 10);
	cr_expect_eq(saw.nowes, 0, "rows stay as they are");
	saw.queue_err = errs[1];
	saw.dues = 0;
	sweep_wake(&c);
	run_until(1);
	saw.queue_err = 0;
	saw.dues = 0;
	sweep_wake(&c);
	run_until(1);
	cr_expect_eq(saw.queued, 2);
}

Test(sweep, one_that_cannot_be_handled_goes_behind_the_others)
{
	int64_t from = cluster_now_us();

	saw.due = 3;
	saw.refused = "000000000000000000000000";
	run_until(1);
	cr_expect_eq(saw.queued, 2);
	cr_assert_eq(saw.nowes, 1);
	cr_expect_str_eq(saw.owes[0].id, saw.refused);
	cr_expect_geq(saw.owes[0].owe, from + TIMEOUT_MS * 1000);
	cr_expect_leq(saw.owes[0].owe, cluster_now_us() + TIMEOUT_MS * 1000);

	saw.match_err = -EAGAIN;
	saw.nowes = 0;
	saw.queued = 0;
	saw.dues = 0;
	run_until(1);
	cr_expect_eq(saw.nowes, 3);
	cr_expect_eq(saw.queued, 0);
}

/* The store stood still: confirmations stood with it. */
Test(sweep, does_not_believe_an_old_answer_once)
{
	saw.due = 1;
	saw.due_later = true;
	run_until(1);
	run_ms(1100);
	answer_due(PAGE);
	cr_expect_eq(saw.queued, 0);
	run_until(2);
	run_ms(1100);
	answer_due(PAGE);
	cr_expect_eq(saw.queued, 1, "it is slow, that is all");
}

Test(sweep, the_store_fails)
{
	saw.due_err = -ETIMEDOUT;
	run_until(2);
	saw.due_err = 0;
	saw.due = 1;
	saw.dues = 0;
	run_until(1);
	cr_expect_eq(saw.queued, 1);
	saw.due_later = true;
	saw.dues = 0;
	run_until(1);
	c.down = true;		/* what the store's end does */
	saw.due_err = -ECANCELED;
	answer_due(PAGE);
	run_ms(300);
	cr_expect_eq(saw.dues, 1);
}
