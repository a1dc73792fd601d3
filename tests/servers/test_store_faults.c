/* What the driver reports when things go wrong, against fake_mongod.js: writes,
 * and outages. */
#include "tests/servers/fake_mongod.h"

#include <errno.h>

TestSuite(faults, .init = setup, .fini = teardown, .timeout = 240);
TestSuite(outages, .init = setup_outages, .fini = teardown, .timeout = 240);
TestSuite(deadlines, .init = setup_deadlines, .fini = teardown, .timeout = 240);

static bool in_store(const char *id)
{
	struct message *m;
	bool there;

	WAIT_FOR(loop, up);
	m = get_one(loop, store, id);
	there = m != NULL;
	free(m);
	return there;
}

/* Written, but perhaps not for good: unknown. The resend finds out. */
Test(faults, write_concern_timeout)
{
	struct message m = message_new("x"), again, *first = NULL;

	tell("next insert writeConcernError 64");
	cr_expect_eq(insert_one(loop, store, &m, NULL), STORE_UNAVAILABLE);
	cr_expect(up, "the server is not gone");
	cr_expect(in_store(m.id));
	again = m;
	again.pos++;
	cr_expect_eq(insert_one(loop, store, &again, &first), STORE_DUPLICATE);
	cr_assert_not_null(first);
	cr_expect_eq(first->pos, m.pos);
	free(first);
	/* The very same row again is the one that did arrive. */
	cr_expect_eq(insert_one(loop, store, &m, NULL), STORE_OK);
}

Test(faults, not_primary_once)
{
	struct message m = message_new("x");

	tell("next insert error 10107");
	cr_expect_eq(insert_one(loop, store, &m, NULL), STORE_OK,
		     "the driver did not try again");
	cr_expect_eq(tell("count insert"), 2);
}

Test(faults, not_primary_twice)
{
	struct message m = message_new("x");

	tell("next insert error 10107");
	tell("next insert error 10107");
	cr_expect_eq(insert_one(loop, store, &m, NULL), STORE_UNAVAILABLE);
	cr_expect(!in_store(m.id));
	cr_expect_eq(insert_one(loop, store, &m, NULL), STORE_OK);
}

Test(faults, connection_lost_before)
{
	struct message m = message_new("x");

	tell("next insert dropBefore");
	cr_expect_eq(insert_one(loop, store, &m, NULL), STORE_OK);
	cr_expect(in_store(m.id));
}

/* The driver sends it again and meets its own row: this server keeps no
 * record of retried writes, as many do not. That is no duplicate. */
Test(faults, answer_lost)
{
	struct message m = message_new("x");

	tell("next insert dropAfter");
	cr_expect_eq(insert_one(loop, store, &m, NULL), STORE_OK);
	cr_expect_eq(tell("count insert"), 2);
}

Test(faults, answer_lost_and_server_gone)
{
	struct message m = message_new("x"), again, *first = NULL;
	struct inserted a = { 0 };

	tell("next insert dropAfter");
	tell("next insert dropBefore");
	message_store_insert(store, &m, on_inserted, &a);
	WAIT_FOR(loop, a.done);
	cr_expect_eq(a.r, STORE_UNAVAILABLE);
	WAIT_FOR(loop, up);
	again = m;
	again.pos++;
	cr_expect_eq(insert_one(loop, store, &again, &first), STORE_DUPLICATE);
	free(first);
}

#define WAITING 5

/* Inserts of one lane: the first is on its way when the others come. */
static void insert_behind(struct inserted a[WAITING], struct message m[WAITING],
			  store_insert_cb *first)
{
	for (int i = 0; i < WAITING; i++) {
		m[i] = message_new("x");
		message_store_insert(store, &m[i], i == 0 ? first : on_inserted,
				     &a[i]);
		if (i == 0)
			WAIT_FOR(loop, tell("count insert") == 1);
	}
}

static void expect_all_refused(const struct inserted a[WAITING])
{
	for (int i = 0; i < WAITING; i++) {
		WAIT_FOR(loop, a[i].done);
		cr_expect_eq(a[i].r, STORE_UNAVAILABLE, "row %d", i);
		cr_expect_eq(a[i].order, i);
	}
}

static struct inserted later;
static struct message later_m;

static void insert_next(void *arg, enum store_result r,
			const struct message *first)
{
	on_inserted(arg, r, first);
	message_store_insert(store, &later_m, on_inserted, &later);
}

/* What is not confirmed may turn up, or vanish: nothing that waited behind it
 * was sent. What comes once that is known is stored. */
Test(faults, behind_an_unknown_outcome)
{
	struct inserted a[WAITING] = { 0 };
	struct message m[WAITING];

	later_m = message_new("x");
	tell("next insert writeConcernError 64 held");
	insert_behind(a, m, insert_next);
	tell("release");
	expect_all_refused(a);
	WAIT_FOR(loop, later.done);
	cr_expect_eq(later.r, STORE_OK);
	cr_expect_eq(tell("count insert"), 2);
	for (int i = 0; i < WAITING; i++)
		cr_expect_eq(in_store(m[i].id), i == 0, "row %d", i);
}

Test(outages, killed_in_the_middle_of_a_batch)
{
	struct inserted a[WAITING] = { 0 };
	struct message m[WAITING];

	tell("next insert silent");
	insert_behind(a, m, on_inserted);
	tell("down");
	expect_all_refused(a);
	tell("up");
	WAIT_FOR(loop, up);
	cr_expect_eq(tell("count insert"), 1);
	for (int i = 0; i < WAITING; i++)
		cr_expect_eq(in_store(m[i].id), i == 0, "row %d", i);
	cr_expect_eq(insert_one(loop, store, &m[1], NULL), STORE_OK);
}

Test(deadlines, answer_after_the_deadline)
{
	struct message m = message_new("x"), next = message_new("y");
	struct inserted a = { 0 }, b = { 0 };

	tell("next insert writeConcernError 64 held");
	message_store_insert(store, &m, on_inserted, &a);
	WAIT_FOR(loop, a.done);
	cr_expect_eq(a.r, STORE_UNAVAILABLE);
	/* The lane waits for the late answer and then goes on. */
	message_store_insert(store, &next, on_inserted, &b);
	loop_turn(loop, 100);
	cr_expect(!b.done);
	tell("release");
	WAIT_FOR(loop, b.done);
	cr_expect_eq(b.r, STORE_OK);
}

/* The row of the same id is there but not at the majority yet. */
Test(faults, present_but_not_yet_for_good)
{
	struct message m = message_new("x"), again, *first = NULL;
	int before;

	cr_assert_eq(insert_one(loop, store, &m, NULL), STORE_OK);
	again = m;
	again.pos++;
	before = tell("count find");
	tell("next find hide 3");
	cr_expect_eq(insert_one(loop, store, &again, &first), STORE_DUPLICATE);
	cr_expect_eq(tell("count find") - before, 4);
	free(first);
}

Test(deadlines, present_but_never_for_good)
{
	struct message m = message_new("x"), again;

	cr_assert_eq(insert_one(loop, store, &m, NULL), STORE_OK);
	again = m;
	again.pos++;
	tell("next find hide 1000000");
	cr_expect_eq(insert_one(loop, store, &again, NULL), STORE_UNAVAILABLE);
}

static void insert_three(struct inserted a[3], struct message m[3])
{
	for (int i = 0; i < 3; i++) {
		m[i] = message_new("x");
		message_store_insert(store, &m[i], on_inserted, &a[i]);
	}
	WAIT_FOR(loop, a[0].done && a[1].done && a[2].done);
}

/* The refused one is the batch's first in order of id. */
static void expect_one_refused(const struct inserted a[3])
{
	int refused = 0;

	for (int i = 0; i < 3; i++) {
		refused += a[i].r == STORE_REFUSED;
		cr_expect(a[i].r == STORE_REFUSED || a[i].r == STORE_OK);
	}
	cr_expect_eq(refused, 1);
}

Test(faults, one_row_refused)
{
	struct inserted a[3] = { 0 };
	struct message m[3];

	tell("next insert writeError 121");
	insert_three(a, m);
	expect_one_refused(a);
}

/* The row is fine, and the client may send it again. */
Test(faults, one_row_fails_for_other_reasons)
{
	static const int codes[] = { 13, 14031, 8000, 10107, 424242 };
	int log = log_start();

	for (size_t k = 0; k < ARRAY_SIZE(codes); k++) {
		struct inserted a[3] = { 0 };
		struct message m[3];
		int unknown = 0;

		tell("next insert writeError %d", codes[k]);
		insert_three(a, m);
		for (int i = 0; i < 3; i++) {
			unknown += a[i].r == STORE_UNAVAILABLE;
			cr_expect_neq(a[i].r, STORE_REFUSED, "code %d",
				      codes[k]);
		}
		cr_expect_eq(unknown, 1, "code %d", codes[k]);
	}
	cr_expect_eq(log_count(log, "refuses rows"), (int)ARRAY_SIZE(codes));
}

Test(faults, another_unique_index)
{
	struct inserted a[3] = { 0 };
	struct message m[3];

	tell("next insert duplicateElsewhere");
	insert_three(a, m);
	expect_one_refused(a);
}

/* The command as a whole is refused for one row's sake: halved. */
Test(faults, batch_refused)
{
	struct inserted a[3] = { 0 };
	struct message m[3];

	for (int i = 0; i < 2; i++)	/* all three, then the first alone */
		tell("next insert error 2");
	insert_three(a, m);
	cr_expect_eq(a[0].r, STORE_REFUSED);
	cr_expect_eq(a[1].r, STORE_OK);
	cr_expect_eq(a[2].r, STORE_OK);
}

Test(faults, refused_for_other_reasons)
{
	struct message m = message_new("x");

	tell("next insert error 13");
	cr_expect_eq(insert_one(loop, store, &m, NULL), STORE_UNAVAILABLE,
		     "no right to write is no fault of the row");
	cr_expect_eq(insert_one(loop, store, &m, NULL), STORE_OK);
}

Test(outages, down_and_up)
{
	struct message m = message_new("x");
	struct inserted a = { 0 };

	tell("down");
	cr_expect_eq(insert_one(loop, store, &m, NULL), STORE_UNAVAILABLE);
	WAIT_FOR(loop, !up);
	message_store_insert(store, &m, on_inserted, &a);
	loop_turn(loop, 0);
	cr_expect(a.done, "waited for what is known");
	WAIT_FOR(loop, a.done);
	cr_expect_eq(a.r, STORE_UNAVAILABLE);
	tell("up");
	WAIT_FOR(loop, up);
	cr_expect_eq(insert_one(loop, store, &m, NULL), STORE_OK);
}

/* A server that is down from the start is no silence: one line. */
Test(outages, down_at_start)
{
	struct message m = message_new("x");
	struct message_store *s;
	bool second_up = false;
	char url[128];
	int log;

	tell("down");
	cr_expect_eq(insert_one(loop, store, &m, NULL), STORE_UNAVAILABLE);
	WAIT_FOR(loop, !up);
	log = log_start();
	snprintf(url, sizeof(url), "mongodb://127.0.0.1:%u/x?replicaSet=fake"
		 "&heartbeatFrequencyMS=500&serverSelectionTimeoutMS=300", port);
	s = store_new_at(loop, url, PATIENT_MS, &second_up);
	WAIT_FOR(loop, log_count(log, "MongoDB cannot be reached") > 0);
	loop_turn(loop, 3000);	/* two more attempts */
	cr_expect_leq(log_count(log, "MongoDB cannot be reached"), 2);
	cr_expect_eq(log_count(log, "MongoDB is there"), 0);
	tell("up");
	WAIT_FOR(loop, up && second_up);
	cr_expect_eq(log_count(log, "MongoDB is there"), 2);
	message_store_free(&s);
}

/* An index that a command names was dropped: made anew, without a restart. */
Test(faults, index_dropped)
{
	struct message m = message_new("x");
	struct last last = { 0 };
	int before = tell("count createIndexes");

	tell("next find error 2");
	message_store_last_sent(store, m.sender_id, m.match_id, on_last, &last);
	WAIT_FOR(loop, last.done);
	cr_expect_lt(last.err, 0);
	WAIT_FOR(loop, tell("count createIndexes") == 2 * before);
	last.done = false;
	message_store_last_sent(store, m.sender_id, m.match_id, on_last, &last);
	WAIT_FOR(loop, last.done);
	cr_expect_eq(last.err, 0);
	loop_turn(loop, 500);
	cr_expect_eq(tell("count createIndexes"), 2 * before);
	cr_expect(up);
}

/* The server that answers again may be another one, restored or empty. */
Test(outages, indexes_after_an_outage)
{
	struct message m = message_new("x");
	int before = tell("count createIndexes");

	tell("down");
	cr_expect_eq(insert_one(loop, store, &m, NULL), STORE_UNAVAILABLE);
	WAIT_FOR(loop, !up);
	tell("up");
	WAIT_FOR(loop, up);
	cr_expect_eq(tell("count createIndexes"), 2 * before);
}

/* A mark that the majority has not confirmed is an error to the caller; it may
 * stay set. */
Test(faults, delivered_fails)
{
	struct message m = message_new("x"), *back;
	struct got g = { 0 };
	const struct store_confirm c = {
		.recipient_id = m.recipient_id,
		.at_ms = m.sent_at_ms + 1,
		.chg = m.pos + 1,
		.ids = (const char(*)[MESSAGE_ID_LEN + 1])&m.id,
		.n = 1,
	};

	cr_assert_eq(insert_one(loop, store, &m, NULL), STORE_OK);
	tell("next update writeConcernError 64");
	message_store_delivered(store, &c, on_rows, &g);
	WAIT_FOR(loop, g.done);
	cr_expect_eq(g.err, -ETIMEDOUT);
	got_clear(&g);
	message_store_delivered(store, &c, on_rows, &g);
	WAIT_FOR(loop, g.done);
	cr_expect_eq(g.err, 0, "nothing was left to change");
	cr_expect_eq(g.n, 0);
	tell("next find error 1");
	got_clear(&g);
	message_store_get(store, c.ids, 1, on_rows, &g);
	WAIT_FOR(loop, g.done);
	cr_expect_lt(g.err, 0);
	back = get_one(loop, store, m.id);
	cr_expect_eq(back->delivered_at_ms, c.at_ms);
	free(back);
}

Test(faults, free_while_a_thread_waits)
{
	struct message m = message_new("x");
	struct inserted a = { 0 };

	tell("next insert delay 3000");
	message_store_insert(store, &m, on_inserted, &a);
	WAIT_FOR(loop, tell("count insert") == 1);
	message_store_free(&store);
	cr_expect(a.done);
	cr_expect_eq(a.r, STORE_UNAVAILABLE);
}
