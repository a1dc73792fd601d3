/* The reads when things go wrong, and what they ask of the server, against
 * fake_mongod.js. */
#include "tests/servers/fake_mongod.h"

#include <errno.h>

TestSuite(fault_reads, .init = setup, .fini = teardown, .timeout = 240);
TestSuite(read_deadlines, .init = setup_deadlines, .fini = teardown, .timeout = 240);

static void on_counted(void *arg, int err, size_t n)
{
	struct got *g = arg;

	*g = (struct got){ .done = true, .err = err, .n = n };
}

/* Every read, once. The fake refuses a hint that names none of the indexes that
 * were made, as MongoDB does. */
static void start_reads(struct got g[7], const struct message *m)
{
	const struct store_missed to = { .user_id = m->recipient_id,
					 .since = m->pos - 1, .limit = 10 };
	const struct store_missed from = { .user_id = m->sender_id,
					   .since = m->pos - 1, .limit = 10 };
	struct store_page p = { .match_id = m->match_id, .limit = 10 };

	for (int i = 0; i < 7; i++)
		g[i] = (struct got){ 0 };
	message_store_missed(store, &to, on_rows, &g[0]);
	message_store_receipts(store, &from, on_rows, &g[1]);
	message_store_missed_count(store, m->recipient_id, m->pos - 1, 10,
				   on_counted, &g[2]);
	message_store_due(store, m->owe, 10, on_rows, &g[3]);
	message_store_unread(store, m->recipient_id, on_rows, &g[4]);
	message_store_history(store, &p, on_rows, &g[5]);
	p.before.at_ms = m->sent_at_ms + 1;
	memcpy(p.after.id, m->id, sizeof(p.after.id));
	message_store_history(store, &p, on_rows, &g[6]);
	for (int i = 0; i < 7; i++)
		WAIT_FOR(loop, g[i].done);
}

Test(fault_reads, reads_name_their_indexes)
{
	static const size_t want[] = { 1, 0, 1, 1, 1, 1, 0 };
	struct message m = message_new("x");
	struct got g[7];

	cr_assert_eq(insert_one(loop, store, &m, NULL), STORE_OK);
	start_reads(g, &m);
	for (int i = 0; i < 7; i++) {
		cr_expect_eq(g[i].err, 0, "read %d: %d", i, g[i].err);
		cr_expect_eq(g[i].n, want[i], "read %d: %zu", i, g[i].n);
		if (i != 2)
			got_clear(&g[i]);
	}
	cr_expect_eq(tell("count createIndexes"), 5, "an index was missed");
}

/* The server kept to the time it was given. It is not gone, nor is an index. */
Test(fault_reads, reads_out_of_time)
{
	struct message m = message_new("x");
	struct got g[7];
	int log = log_start();

	for (int i = 0; i < 5; i++)
		tell("next find error 50");
	for (int i = 0; i < 2; i++)
		tell("next aggregate error 50");
	start_reads(g, &m);
	for (int i = 0; i < 7; i++)
		cr_expect_eq(g[i].err, -ETIMEDOUT, "read %d: %d", i, g[i].err);
	cr_expect(up);
	cr_expect_eq(log_count(log, "MongoDB"), 0);
}

/* A group ends in time though each of its queries does. */
Test(read_deadlines, a_group_ends_in_time)
{
	const struct store_missed q = { .user_id = "me", .since = 1,
					.limit = 10 };
	struct got g = { 0 };

	for (int i = 0; i < 3; i++)	/* the third is not sent */
		tell("next find delay %d", TIMEOUT_MS * 2 / 3);
	message_store_missed(store, &q, on_rows, &g);
	WAIT_FOR(loop, g.done);
	cr_expect_eq(g.err, -ETIMEDOUT);
	message_store_free(&store);
	cr_expect_eq(tell("count find"), 2);
}

/* For a page that ends at so many bytes few more are sent; nor does one of small
 * rows take many queries. */
Test(fault_reads, pages_of_bytes)
{
	enum { HAVE = 60, LEN = 1000, WANT = 12 };
	static char content[LEN + 1];
	struct store_missed q = { .limit = HAVE, .bytes = WANT * LEN };
	struct store_page p = { .limit = HAVE, .bytes = WANT * LEN };
	struct inserted a[HAVE] = { { 0 } };
	struct message m[HAVE];
	struct got g = { 0 };
	int sent;

	memset(content, 'x', LEN);
	for (int i = 0; i < HAVE; i++) {
		m[i] = message_new(content);
		message_store_insert(store, &m[i], on_inserted, &a[i]);
	}
	for (int i = 0; i < HAVE; i++)
		WAIT_FOR(loop, a[i].done);
	q.user_id = m[0].recipient_id;
	p.match_id = m[0].match_id;
	for (int i = 0; i < 3; i++) {
		size_t want = i == 2 ? HAVE : WANT;
		int asked = tell("count find");

		sent = tell("count sent");
		if (i == 1)
			message_store_history(store, &p, on_rows, &g);
		else
			message_store_missed(store, &q, on_rows, &g);
		WAIT_FOR(loop, g.done);
		cr_expect_eq(g.err, 0);
		cr_expect_eq(g.n, want, "%zu rows", g.n);
		cr_expect_leq(tell("count sent") - sent, (int)want + 32);
		cr_expect_leq(tell("count find") - asked, 2);
		got_clear(&g);
		q.bytes = 10 * HAVE * LEN;
	}
}

/* Thousands come back at once, most have missed nothing. */
Test(fault_reads, many_users_in_one_query)
{
	static struct got g[80];
	int before = tell("count find");

	for (size_t i = 0; i < ARRAY_SIZE(g); i++) {
		message_id user;
		const struct store_missed q = { .user_id = user, .limit = 100 };

		message_id_make("", "", NULL, user);
		message_store_missed(store, &q, on_rows, &g[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(g); i++) {
		WAIT_FOR(loop, g[i].done);
		cr_expect_eq(g[i].err, 0);
	}
	cr_expect_eq(tell("count find") - before, 1);
}
