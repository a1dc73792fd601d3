/* A device catching up, with the store, the directory, the router and its socket
 * faked: order, bounds, barriers, and what goes wrong meanwhile. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "worker/chat/catch_up_impl.h"
#include "worker/chat/connect.h"
#include "worker/directory.h"

#define NOW_US 5000000000LL
#define ROWS_MAX 1000

/* --- the store --- */
static struct message db[ROWS_MAX];
static char ids[ROWS_MAX][MESSAGE_ID_LEN + 1];
static size_t nrows;
static bool store_is_up = true;

enum asked { NOTHING, MISSED, RECEIPTS, COUNT };
static struct {
	enum asked what;
	struct store_missed q;
	void *cb;
	void *arg;
} asked;

static void ask(enum asked what, const struct store_missed *q, void *cb, void *arg)
{
	cr_assert_eq(asked.what, NOTHING, "one query of a device at a time");
	asked.what = what;
	asked.q = *q;
	asked.q.user_id = "ben";	/* the store copies it */
	asked.cb = cb;
	asked.arg = arg;
}
void message_store_missed(struct message_store *s, const struct store_missed *q,
			  store_rows_cb *cb, void *arg)
{
	(void)s;
	ask(MISSED, q, (void *)cb, arg);
}
void message_store_receipts(struct message_store *s, const struct store_missed *q,
			    store_rows_cb *cb, void *arg)
{
	(void)s;
	ask(RECEIPTS, q, (void *)cb, arg);
}
void message_store_missed_count(struct message_store *s, const char *user,
				int64_t since, size_t max, store_count_cb *cb,
				void *arg)
{
	struct store_missed q = { .user_id = user, .since = since };

	(void)s;
	cr_expect_eq(max, 151);
	ask(COUNT, &q, (void *)cb, arg);
}
bool message_store_up(const struct message_store *s)
{
	(void)s;
	return store_is_up;
}

static const char *const people[] = { "anna", "ben" };

/* from anna (0) or ben (1) to the other */
static struct message *row(unsigned from, int64_t pos)
{
	struct message *m = &db[nrows];

	snprintf(ids[nrows], sizeof(ids[0]), "%024zx", nrows);
	*m = (struct message){
		.match_id = "m1", .sender_id = people[from],
		.recipient_id = people[1 - from], .content = SLICE("x"),
		.src = "h:b:1", .pos = pos, .chg = pos, .sent_at_ms = pos / 1000,
	};
	memcpy(m->id, ids[nrows], sizeof(m->id));
	nrows++;
	return m;
}

/* --- the rest of the world --- */
static char sent[4000][120];
static int nsent;
static uint32_t marks;
static struct {
	bool async;
	int err;
	bool ended;
	directory_match_cb *cb;
	void *arg;
} dir;
static void (*entered)(void *arg, int err);
static void *entered_arg;
static unsigned made_good;
static const char *accepted_as;	/* "": anew */

bool sio_send_pieces(struct sio_socket *k, const struct slice *p, size_t n)
{
	char frame[600];
	const char *id;

	(void)k;
	cr_assert_eq(n, 2);
	snprintf(frame, sizeof(frame), "%.*s", (int)p[0].n, p[0].p);
	id = strstr(frame, "d\":\"");	/* id or messageId */
	snprintf(sent[nsent++], sizeof(sent[0]), "%.*s %.*s",
		 (int)strcspn(frame + 4, "\""), frame + 4,
		 id != NULL ? MESSAGE_ID_LEN : 0, id != NULL ? id + 4 : "");
	return true;
}
uint32_t sio_mark(struct sio_socket *k) { (void)k; return ++marks; }
const char *sio_socket_id(const struct sio_socket *k) { (void)k; return "sid"; }
int64_t router_good_us(const struct router *r) { (void)r; return 0; }
unsigned router_losses(const struct router *r) { (void)r; return 7; }
void router_made_good(struct router *r, unsigned lost)
{
	(void)r;
	made_good = lost;
}
void presence_enter(struct presence *p, const char *u, const char *s,
		    void (*cb)(void *arg, int err), void *arg)
{
	(void)p; (void)u; (void)s;
	entered = cb;
	entered_arg = arg;
}
void directory_match(struct directory *d, const char *id, directory_match_cb *cb,
		     void *arg)
{
	struct match m = { id, "anna", "ben", !dir.ended };

	(void)d;
	if (dir.async) {
		dir.cb = cb;
		dir.arg = arg;
		return;
	}
	cb(arg, dir.err, dir.err == 0 ? &m : NULL);
}
void connect_accept(struct device *d, const char *sid)
{
	d->accepted = true;
	accepted_as = sid != NULL ? "recovered" : "anew";
}

/* --- ben's device --- */
static struct chat c;
static struct device *ben;

static struct device *device(void)
{
	struct device *d = device_new(&c, &c.users, "ben",
				      (struct sio_socket *)(uintptr_t)3);

	d->since_ms = (uint64_t)NOW_US / 1000;
	d->user->registered = true;
	return d;
}

static void setup(void)
{
	clock_fake_set(1000000, NOW_US);
	c.loop = loop_new();
	c.conf = (struct chat_conf){ .recovery_events = 150,
				     .catch_up_bytes = 100000 };
	users_init(&c.users);
	streams_init(&c.streams, 10);
	catch_up_init(&c);
	ben = device();
}

static void leave(void)
{
	char id[PW_ID_MAX + 1];

	catch_up_drop(ben);
	device_gone(&c.users, ben, id);
	ben = NULL;
}

static void answer_err(int err)
{
	enum asked what = asked.what;

	asked.what = NOTHING;
	if (what == COUNT)
		((store_count_cb *)asked.cb)(asked.arg, err, 0);
	else
		((store_rows_cb *)asked.cb)(asked.arg, err, NULL, 0);
}

static void teardown(void)
{
	if (ben != NULL)
		leave();
	if (asked.what != NOTHING)
		answer_err(-ECANCELED);
	cr_expect_eq(stats_get(STAT_catching_up), 0);
	catch_up_free(&c);
	users_free(&c.users);
	streams_free(&c.streams);
	buf_free(&c.scratch);
	buf_free(&c.offset);
	loop_free(&c.loop);
}

TestSuite(catch_up, .init = setup, .fini = teardown, .timeout = 10);

/* What the contract of message_store_missed() says, of db. */
static bool is_missed(const struct message *m, const struct store_missed *q)
{
	bool mine = strcmp(m->recipient_id, q->user_id) == 0;

	return (m->pos > q->after_pos ||
		(m->pos == q->after_pos && strcmp(m->id, q->after_id) > 0)) &&
	       ((mine && m->delivered_at_ms == 0) || m->pos > q->since);
}

static int by_pos(const void *a, const void *b)
{
	const struct message *m = a, *n = b;

	return m->pos != n->pos ? (m->pos > n->pos) - (m->pos < n->pos) :
				  strcmp(m->id, n->id);
}

static void answer(void)
{
	enum asked what = asked.what;
	static struct message rows[ROWS_MAX];
	struct store_missed q = asked.q;
	size_t n = 0, all = 0;

	cr_assert_neq(what, NOTHING);
	asked.what = NOTHING;
	for (size_t i = 0; i < nrows; i++) {
		bool in = what == RECEIPTS ?
				  strcmp(db[i].sender_id, "ben") == 0 &&
					  db[i].chg > q.since &&
					  db[i].delivered_at_ms != 0 &&
					  db[i].chg > q.after_pos :
				  is_missed(&db[i], &q);

		all += in;
		if (in)
			rows[n++] = db[i];
	}
	qsort(rows, n, sizeof(rows[0]), by_pos);
	cr_assert_leq(q.limit, 500, "what the store allows");
	if (n > q.limit)
		n = q.limit;
	if (what == COUNT)
		((store_count_cb *)asked.cb)(asked.arg, 0, all);
	else
		((store_rows_cb *)asked.cb)(asked.arg, 0, rows, n);
}

/* The queries that want to be asked are, and answered; pongs come at once. */
static void settle(void)
{
	do {
		catch_up_pump(c.catch_ups);
		if (asked.what != NOTHING)
			answer();
		if (ben != NULL && ben->catch_up != NULL && ben->catch_up->waiting)
			catch_up_confirmed(ben, marks);
	} while (asked.what != NOTHING || (c.catch_ups->registering == 0 &&
					   !list_empty(&c.catch_ups->ready)));
}

static enum emitted live(const struct message *m)
{
	struct emission e = {
		.frame = SLICE("42[\"live\",{\"id\":\"\"}]"), .id = m->id,
		.at = place_of(m),
		.tracked = strcmp(m->recipient_id, "ben") == 0,
	};
	char frame[100];

	e.frame.n = (size_t)snprintf(frame, sizeof(frame),
				     "42[\"message:new\",{\"id\":\"%s\"}]", m->id);
	e.frame.p = frame;
	return emit_message(ben, &e);
}

/* sent[] is exactly the rows first to last, in order. */
static void sent_rows(size_t first, size_t last)
{
	cr_assert_eq(nsent, last - first + 1, "%d", nsent);
	for (int i = 0; i < nsent; i++)
		cr_expect_str_eq(strchr(sent[i], ' ') + 1,
				 ids[first + (size_t)i]);
}

static void connect_ben(void)
{
	catch_up_registered(ben);
	cr_assert_str_eq(accepted_as, "anew");
}

Test(catch_up, pages_with_a_barrier_then_what_came_live)
{
	for (int i = 0; i < 250; i++)
		row(0, 1000 + i);
	connect_ben();
	catch_up_pump(c.catch_ups);
	cr_expect_eq(asked.q.since, 0);
	answer();
	cr_expect_eq(nsent, 0, "it is more than a brief look");
	catch_up_pump(c.catch_ups);
	cr_expect_neq(asked.q.since, 0);
	answer();
	cr_expect_eq(nsent, 100);
	catch_up_pump(c.catch_ups);
	cr_expect_eq(asked.what, NOTHING, "it has not answered yet");
	row(0, NOW_US);
	cr_expect_eq(live(&db[250]), EMIT_HELD);
	catch_up_confirmed(ben, marks - 1);
	catch_up_pump(c.catch_ups);
	cr_expect_eq(asked.what, NOTHING, "an older pong");
	settle();
	sent_rows(0, 250);
	cr_expect_null(ben->catch_up);
	cr_expect_eq(device_pending_count(ben), 251);
	cr_expect_eq(live(&db[250]), EMIT_REPEAT);
	cr_expect_eq(live(row(0, NOW_US + 1)), EMIT_WRITTEN);
}

Test(catch_up, a_page_ends_when_it_is_large)
{
	c.conf.catch_up_bytes = 1000;
	for (int i = 0; i < 20; i++)
		row(0, 1000 + i);
	connect_ben();
	catch_up_pump(c.catch_ups);
	answer();
	cr_expect_gt(nsent, 1);
	cr_expect_lt(nsent, 10);
	settle();
	sent_rows(0, 19);
}

Test(catch_up, too_much_live_is_read_from_the_store)
{
	row(0, 1000);
	connect_ben();
	catch_up_pump(c.catch_ups);
	for (int i = 0; i < 600; i++)
		cr_expect_eq(live(row(0, NOW_US + i)), EMIT_HELD);
	cr_expect_leq(ben->catch_up->nheld, 256);
	settle();
	sent_rows(0, 600);
}

/* A burst's rows run ahead of the time; what somebody else sends while one page
 * of them is read has a pos before its end. */
Test(catch_up, what_is_stored_behind_a_page_comes_before_what_follows_it)
{
	size_t first, second;

	for (int i = 0; i < 150; i++)
		row(0, NOW_US + i * 1000);
	connect_ben();
	for (int i = 0; i < 2; i++) {
		catch_up_pump(c.catch_ups);
		answer();
	}
	cr_expect_eq(nsent, 100);
	first = nrows;
	row(0, NOW_US + 20000)->src = "h:b:2";
	cr_expect_eq(live(&db[first]), EMIT_HELD);
	second = nrows;
	row(0, NOW_US + 200000)->src = "h:b:2";	/* on its way */
	settle();
	cr_assert_eq(nsent, 152);
	cr_expect_str_eq(strchr(sent[100], ' ') + 1, ids[first]);
	cr_expect_str_eq(strchr(sent[151], ' ') + 1, ids[second]);
	cr_expect_eq(live(&db[second]), EMIT_REPEAT);
	cr_expect_eq(live(&db[first]), EMIT_REPEAT);
}

/* As many as that within a minute are not read again and again. */
Test(catch_up, a_great_burst_comes_to_its_end)
{
	for (int i = 0; i < 990; i++)
		row(0, NOW_US + i);
	connect_ben();
	settle();
	sent_rows(0, 989);
}

/* One of his own was found in the store, in place of which another is on its way. */
Test(catch_up, his_own_come_in_order_when_he_is_told_to_look)
{
	struct place third;

	row(1, NOW_US - 5000);		/* before it came */
	for (int i = 1; i <= 3; i++)
		row(1, NOW_US + i * 1000);
	ben->accepted = true;
	catch_up_user(&c, SLICE("ben"));
	third = place_of(&db[3]);
	cr_expect(catch_up_sent(ben, &third));
	settle();
	sent_rows(1, 2);
	for (int i = 1; i <= 3; i++)
		cr_expect_eq(live(&db[i]), EMIT_REPEAT);
}

/* What his other device sent is held here; that somebody has it comes after. */
Test(catch_up, a_receipt_comes_behind_what_it_is_of)
{
	struct slice receipt =
		SLICE("42[\"message:delivered\",{\"messageId\":\"\"}]");

	row(0, 1000);
	connect_ben();
	catch_up_pump(c.catch_ups);
	row(1, NOW_US + 1000)->delivered_at_ms = NOW_US / 1000;
	cr_expect_eq(live(&db[1]), EMIT_HELD);
	cr_expect(catch_up_hold_receipt(ben, receipt));
	for (int i = 2; i < 400; i++)	/* too many: the messages are read again */
		live(row(0, NOW_US + i));
	for (int i = 0; i < 400; i++)
		catch_up_hold_receipt(ben, receipt);
	cr_expect_lt(ben->catch_up->nheld, 600);
	settle();
	cr_assert_eq(nsent, 400 + 256);
	for (int i = 0; i < 400; i++)
		cr_expect_eq(strncmp(sent[i], "message:new", 11), 0, "%d", i);
	for (int i = 400; i < nsent; i++)
		cr_expect_eq(strncmp(sent[i], "message:delivered", 17), 0);
	cr_expect_not(catch_up_hold_receipt(ben, receipt));
}

/* Whoever sees what his other device sent may send next: behind it (M0). */
Test(catch_up, own_messages_raise_what_is_sent_next)
{
	struct stream *st = stream_get(&c.streams, "ben", "m1");

	row(1, NOW_US + 1000000);
	ben->accepted = true;
	catch_up_start(ben, true);
	settle();
	sent_rows(0, 0);
	cr_expect_eq(stream_next_ms(st, NOW_US / 1000),
		     NOW_US / 1000 + 1001);
}

/* Its worker died, it came back within the second, and all there catch up. */
Test(catch_up, what_it_confirmed_just_before_it_came_does_not_come_again)
{
	clock_fake_set(1000000, NOW_US + 700000);
	ben->since_ms += 500;
	ben->accepted = true;
	row(0, NOW_US + 100000)->delivered_at_ms = NOW_US / 1000 + 499;
	row(1, NOW_US + 100000)->delivered_at_ms = NOW_US / 1000 + 500;
	catch_up_start(ben, true);
	settle();
	sent_rows(1, 1);
}

/* Its time is of a wall clock that Redis has put right since. */
Test(catch_up, who_came_in_the_future_has_no_floor_of_his_own)
{
	cr_expect_eq(emit_floor(ben), NOW_US - EMIT_SETTLED_US);
	ben->since_ms += 3600 * 1000;
	cr_expect_eq(emit_floor(ben), 0);
	row(0, NOW_US - 1000);
	row(1, NOW_US - 900);
	ben->accepted = true;
	catch_up_start(ben, true);
	settle();
	sent_rows(0, 1);
}

/* Another device has confirmed some of what is held here. */
Test(catch_up, what_another_confirms_meanwhile_makes_no_gap)
{
	for (int i = 0; i < 100; i++)
		row(0, 1000 + i);
	connect_ben();
	for (int i = 0; i < 2; i++) {
		catch_up_pump(c.catch_ups);
		answer();
	}
	cr_expect_eq(nsent, 100);
	for (int i = 0; i < 4; i++)
		live(row(0, NOW_US - 1000 + i));
	db[100].delivered_at_ms = 1;	/* a clock that is behind */
	db[101].delivered_at_ms = NOW_US / 1000 + 5;
	settle();
	sent_rows(0, 103);
}

Test(catch_up, what_others_had_before_it_came_is_not_for_it)
{
	row(0, NOW_US - 2000)->delivered_at_ms = NOW_US / 1000 - 1;
	row(1, NOW_US - 1000);		/* of his own other device */
	row(0, NOW_US - 500);
	connect_ben();
	settle();
	sent_rows(2, 2);
}

Test(catch_up, a_match_that_ended_is_left_out)
{
	row(0, 1000);
	dir.ended = true;
	connect_ben();
	settle();
	cr_expect_eq(nsent, 0);
}

Test(catch_up, a_look_up_is_waited_for_in_order)
{
	struct match m = { "m1", "anna", "ben", true };

	row(0, 1000);
	row(0, 1001);
	dir.async = true;
	connect_ben();
	catch_up_pump(c.catch_ups);
	answer();
	cr_expect_eq(nsent, 0);
	cr_expect_eq(live(row(0, NOW_US)), EMIT_HELD);
	dir.cb(dir.arg, 0, &m);
	cr_expect_eq(nsent, 1);
	dir.async = false;
	dir.cb(dir.arg, 0, &m);
	sent_rows(0, 2);
}

Test(catch_up, what_cannot_be_looked_up_waits)
{
	row(0, 1000);
	row(0, 1001);
	dir.err = -EAGAIN;
	connect_ben();
	settle();
	cr_expect_eq(nsent, 0);
	cr_expect_not_null(ben->catch_up);
	dir.err = 0;
	catch_up_wake(&c);
	settle();
	sent_rows(0, 1);
}

Test(catch_up, a_store_that_is_down_is_waited_for)
{
	row(0, 1000);
	store_is_up = false;
	connect_ben();
	settle();
	cr_expect_eq(nsent, 0);
	store_is_up = true;
	catch_up_wake(&c);
	catch_up_pump(c.catch_ups);
	answer_err(-ETIMEDOUT);
	catch_up_wake(&c);
	settle();
	sent_rows(0, 0);
}

/* Rows since its offset, and one that comes live -> is it taken up? */
Test(catch_up, recovered_or_not)
{
	static const struct {
		int missed;
		const char *how;
	} table[] = { { 0, "recovered" }, { 99, "recovered" },
		      { 149, "recovered" }, { 150, "anew" } };
	struct cursor from = { .floor = NOW_US - 1000000 };

	for (size_t t = 0; t < ARRAY_SIZE(table); t++) {
		nrows = 0;
		nsent = 0;
		for (int i = 0; i < table[t].missed; i++)
			row(0, NOW_US - 1000 + i)->delivered_at_ms = 1;
		accepted_as = "no";
		catch_up_recover(ben, "AAAAAAAAAAAAAAAAAAAA", &from);
		settle();
		cr_expect_str_eq(accepted_as, "no", "not registered yet");
		catch_up_registered(ben);
		cr_expect_eq(live(row(0, NOW_US)), EMIT_HELD);
		settle();
		cr_expect_str_eq(accepted_as, table[t].how, "%zu", t);
		if (strcmp(table[t].how, "anew") != 0)
			sent_rows(0, (size_t)table[t].missed);
		else
			sent_rows(nrows - 1, nrows - 1);
		leave();
		ben = device();
	}
}

Test(catch_up, a_store_in_trouble_keeps_nobody_waiting)
{
	struct cursor from = { .floor = NOW_US - 1000000 };

	row(0, 1000);
	catch_up_recover(ben, "AAAAAAAAAAAAAAAAAAAA", &from);
	catch_up_registered(ben);
	catch_up_pump(c.catch_ups);
	answer_err(-ENOTCONN);
	cr_expect_str_eq(accepted_as, "anew");
	catch_up_wake(&c);
	settle();
	sent_rows(0, 0);

	leave();
	ben = device();
	nsent = 0;
	accepted_as = "no";
	catch_up_recover(ben, "AAAAAAAAAAAAAAAAAAAA", &from);
	catch_up_registered(ben);
	catch_up_pump(c.catch_ups);
	clock_fake_set(1000000 + 6000000, NOW_US);
	deadlines_run(&c.catch_ups->openings);
	cr_expect_str_eq(accepted_as, "anew");
	answer();		/* too late: asked again as a fresh one */
	cr_expect_eq(nsent, 0);
	settle();
	sent_rows(0, 0);
}

Test(catch_up, what_it_has_by_its_offset_is_confirmed_not_sent)
{
	struct cursor from = { .floor = NOW_US - 1000000, .n = 1 };

	row(0, NOW_US - 1000);
	row(0, NOW_US - 500);
	from.streams[0].id = place_of(&db[0]).stream;
	from.streams[0].pos = db[0].pos;
	catch_up_recover(ben, "AAAAAAAAAAAAAAAAAAAA", &from);
	catch_up_registered(ben);
	settle();
	sent_rows(1, 1);
	cr_expect_eq(device_pending_count(ben), 2);
	cr_expect(device_pending_has(ben, ids[0]));
}

Test(catch_up, own_messages_and_receipts_of_whoever_recovers)
{
	struct cursor from = { .floor = NOW_US - 1000000 };
	struct message *m;
	struct place at;

	m = row(1, NOW_US - 3000);
	m->delivered_at_ms = 9;
	m->chg = NOW_US - 100;
	m = row(1, NOW_US - 2000);
	m->delivered_at_ms = m->read_at_ms = 9;
	m->chg = NOW_US - 50;
	row(1, NOW_US - 1000);
	catch_up_recover(ben, "AAAAAAAAAAAAAAAAAAAA", &from);
	catch_up_registered(ben);
	at = place_of(&db[2]);	/* he is told of it meanwhile */
	ben->accepted = true;
	emit_sent(ben, SLICE("42[\"message:sent\",{}]"), &at);
	settle();
	cr_assert_eq(nsent, 6);
	cr_expect_eq(strncmp(sent[0], "message:sent", 12), 0);
	cr_expect_eq(strncmp(sent[1], "message:new", 11), 0);
	cr_expect_eq(strncmp(sent[2], "message:new", 11), 0);
	cr_expect_eq(strncmp(sent[3], "message:delivered", 17), 0);
	cr_expect_eq(strncmp(sent[4], "message:delivered", 17), 0);
	cr_expect_eq(strncmp(sent[5], "message:read", 12), 0);
	cr_expect_eq(live(&db[2]), EMIT_REPEAT);
}

Test(catch_up, a_device_may_leave_at_any_point)
{
	struct match m = { "m1", "anna", "ben", true };

	row(0, 1000);
	connect_ben();
	leave();
	settle();
	ben = device();
	connect_ben();
	catch_up_pump(c.catch_ups);
	leave();
	answer();
	ben = device();
	connect_ben();
	catch_up_pump(c.catch_ups);
	dir.async = true;
	answer();
	leave();
	dir.cb(dir.arg, 0, &m);
	cr_expect_eq(nsent, 0);
	cr_expect_eq(c.catch_ups->asking, 0);
}

Test(catch_up, all_of_them_after_their_routes)
{
	connect_ben();
	settle();
	catch_up_all(&c);
	row(0, NOW_US);			/* was lost */
	row(0, NOW_US + 1);
	cr_expect_eq(live(&db[1]), EMIT_HELD, "behind what was lost");
	settle();
	cr_expect_eq(nsent, 0, "not before the route is registered");
	entered(entered_arg, 0);
	cr_expect_eq(made_good, 0);
	settle();
	sent_rows(0, 1);
	cr_expect_eq(made_good, 7);
}

Test(catch_up, nothing_is_made_good_while_a_route_is_missing)
{
	connect_ben();
	settle();
	catch_up_all(&c);
	entered(entered_arg, -ENOTCONN);
	settle();
	cr_expect_null(ben->catch_up);
	cr_expect_eq(made_good, 0);
	catch_up_all(&c);
	entered(entered_arg, 0);
	leave();
	cr_expect_eq(made_good, 7, "who left needs nothing");
}
