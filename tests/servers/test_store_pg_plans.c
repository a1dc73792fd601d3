/* Which indexes PostgreSQL uses, and how much of them. Plans are made while the
 * table is empty and kept: they must be those of a large one. */
#include "tests/servers/pg_schema.h"

TestSuite(pg_plans, .init = schema_setup, .fini = schema_teardown, .timeout = 240);

/* All that is changed or fetched is found by id; the last sentAt from the end of
 * a match's history. */
Test(pg_plans, plans_of_an_empty_table)
{
	struct loop *l = loop_new();
	struct message_store *s;
	bool up = false;
	struct message m = message_new("x");
	const struct store_confirm c = {
		.recipient_id = m.recipient_id,
		.at_ms = m.sent_at_ms,
		.chg = m.pos,
		.ids = (const char(*)[MESSAGE_ID_LEN + 1])&m.id,
		.n = 1,
	};

	s = store_new_at(l, url_for(NULL), 5000, &up);
	WAIT_FOR(l, up);
	for (int i = 0; i < 3; i++) {
		struct last last = { 0 }, owe = { 0 };
		struct got d = { 0 }, r = { 0 };

		message_store_last_sent(s, m.sender_id, m.match_id, on_last,
					&last);
		message_store_set_owe(s, m.id, 5, on_done, &owe);
		message_store_delivered(s, &c, on_rows, &d);
		message_store_read(s, m.match_id, &c, on_rows, &r);
		WAIT_FOR(l, last.done && owe.done && d.done && r.done);
		free(get_one(l, s, m.id));
	}
	message_store_free(&s);	/* sessions report their counts at the end */
	WAIT_FOR(l, atoi(sql("SELECT idx_scan FROM pg_stat_user_indexes WHERE "
			     "schemaname = '%s' AND indexrelname = "
			     "'messages_pkey'", schema)) >= 12);
	cr_expect_str_eq(sql("SELECT idx_scan FROM pg_stat_user_indexes WHERE "
			     "schemaname = '%s' AND indexrelname = "
			     "'messages_history_idx'", schema), "3");
	cr_expect_str_eq(sql("SELECT coalesce(string_agg(indexrelname, ' '), "
			     "'') FROM pg_stat_user_indexes WHERE "
			     "schemaname = '%s' AND idx_scan > 0 AND "
			     "indexrelname NOT IN ('messages_pkey', "
			     "'messages_history_idx')", schema), "");
	cr_expect_str_eq(sql("SELECT seq_scan FROM pg_stat_user_tables WHERE "
			     "schemaname = '%s'", schema), "6",
			 "other than by making six indexes");
	loop_free(&l);
}

/* Whole reads of one user, one after the other. */
struct reader {
	struct message_store *s;
	bool up;
	const char *user;
	const char *match;
	size_t bytes;	/* what it asks for at most; 0: without a bound */
	char name[56];	/* of its sessions begins so */
};

static void on_count(void *arg, int err, size_t n)
{
	(void)n;
	cr_assert_eq(err, 0);
	*(bool *)arg = true;
}

static void expect_rows(struct loop *l, struct got *g, size_t want,
			const char *what)
{
	WAIT_FOR(l, g->done);
	cr_assert_eq(g->err, 0, "%s: %d", what, g->err);
	cr_expect_eq(g->n, want, "%s: %zu rows", what, g->n);
	got_clear(g);
}

/* All but unread. Of an empty table, or one that was filled. */
static void read_all(struct loop *l, struct reader *r, bool filled)
{
	struct store_missed q = { .user_id = r->user, .limit = 60,
				  .bytes = r->bytes };
	struct store_page p = { .match_id = r->match, .limit = 3,
				.bytes = r->bytes };
	struct got g = { 0 };
	bool counted = false;

	message_store_missed(r->s, &q, on_rows, &g);
	expect_rows(l, &g, filled ? 5 : 0, "undelivered");
	q.since = 1000000;
	message_store_missed(r->s, &q, on_rows, &g);
	expect_rows(l, &g, filled ? 13 : 0, "missed");
	message_store_receipts(r->s, &q, on_rows, &g);
	expect_rows(l, &g, filled ? 3 : 0, "receipts");
	message_store_missed_count(r->s, r->user, q.since, 100, on_count,
				   &counted);
	WAIT_FOR(l, counted);
	message_store_due(r->s, 5, 10, on_rows, &g);
	expect_rows(l, &g, filled ? 1 : 0, "due");
	message_store_history(r->s, &p, on_rows, &g);
	expect_rows(l, &g, filled ? 3 : 0, "history's end");
	snprintf(p.after.id, sizeof(p.after.id), "%024d", filled ? 100000 : 0);
	p.match_id = "m0";
	message_store_history(r->s, &p, on_rows, &g);
	WAIT_FOR(l, g.done);
	cr_expect_eq(g.n, filled ? 3 : 0, "history's middle: %zu", g.n);
	got_clear(&g);
}

static void read_unread(struct loop *l, struct reader *r, size_t want)
{
	struct got g = { 0 };

	message_store_unread(r->s, r->user, on_rows, &g);
	expect_rows(l, &g, want, "unread");
}

static struct reader reader_new(struct loop *l, const char *name, size_t bytes)
{
	struct reader r = { .user = name, .match = name, .bytes = bytes };
	static bool up[16];
	static int n;
	bool *mine = &up[n++ % 16];

	snprintf(r.name, sizeof(r.name), "%s-%d", schema, n);
	store_name = r.name;
	r.s = store_new_at(l, url_for(NULL), 60000, mine);
	WAIT_FOR(l, *mine);
	return r;
}

#define ENTRIES                                                         \
	"SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE "     \
	"schemaname = '%s'"

/* Index entries looked at since the last call; the session tells before it is
 * gone. */
static long entries(struct loop *l, struct reader *r)
{
	static long before;
	long now, sum;

	message_store_free(&r->s);
	WAIT_FOR(l, atol(sql("SELECT count(*) FROM pg_stat_activity WHERE "
			     "application_name LIKE '%s store%%'", r->name)) == 0);
	now = atol(sql(ENTRIES, schema));
	sum = now - before;
	before = now;
	return sum;
}

/* Users u1 … u500 of 100 delivered rows each; "rich" received 50,000 and sent
 * 50,000, all read, most in match m0; then "rich" and "poor" alike have of each
 * kind a few, half of them later than 1000000. */
static void fill(void)
{
	static const char *const users[] = { "rich", "poor" };

	sql("INSERT INTO messages SELECT lpad(i::text, 24, '0'),"
	    " 'm' || i %% 4, CASE WHEN i %% 4 = 1 THEN 'rich' ELSE"
	    " 'v' || i %% 1000 END, CASE WHEN i %% 4 = 0 THEN 'rich' ELSE"
	    " 'u' || i %% 1000 END, 'x', 'text', NULL, NULL, i, 'src',"
	    " timestamptz 'epoch' + i * interval '1 ms',"
	    " now(), now(), 0, i + 7 FROM generate_series(1, 200000) AS i");
	for (int k = 0; k < 2; k++)
		sql("INSERT INTO messages SELECT"
		    " lpad((%d + i)::text, 24, '0'), '%s',"
		    " CASE WHEN i %% 4 < 2 THEN '%s' ELSE 'x' END,"
		    " CASE WHEN i %% 4 < 2 THEN 'x' ELSE '%s' END,"
		    " 'x', 'text', NULL, NULL,"
		    " CASE WHEN i < 10 THEN 0 ELSE 1000000 END + i, 'src',"
		    " now(), CASE WHEN i %% 2 = 0 THEN now() END, NULL,"
		    " CASE WHEN i = 19 THEN %d ELSE 0 END, 1000000 + i"
		    " FROM generate_series(1, 20) AS i",
		    300000 + 1000 * k, users[k], users[k], users[k],
		    k == 0 ? 5 : 1000);
	/* As it is after a crowd came back: an index of the undelivered whose
	 * pages are many and all but empty. */
	sql("UPDATE messages SET delivered_at = NULL WHERE pos < 100000"
	    " AND recipient_id <> 'poor' AND recipient_id <> 'rich'");
	sql("UPDATE messages SET delivered_at = now() WHERE pos > 30"
	    " AND pos < 100000");
	sql("VACUUM messages");
}

static void look_at_few(size_t bytes)
{
	struct loop *l = loop_new();
	struct reader poor, rich, r;
	long few, many;

	poor = reader_new(l, "poor", bytes);
	rich = reader_new(l, "rich", bytes);
	sql("ALTER TABLE messages SET (autovacuum_enabled = off)");
	for (int i = 0; i < 3; i++) {
		read_all(l, &poor, false);
		read_all(l, &rich, false);
		read_unread(l, &rich, 0);
	}
	fill();
	read_all(l, &poor, true);
	few = entries(l, &poor);
	read_all(l, &rich, true);
	many = entries(l, &rich);
	cr_log_warn("index entries: poor=%ld rich=%ld", few, many);
	cr_expect_lt(few, 200);
	cr_expect_leq(many, few + 20);
	/* Plans of the grown table. */
	for (int k = 0; k < 2; k++) {
		r = reader_new(l, k == 0 ? "poor" : "rich", bytes);
		if (k == 0)
			sql("ANALYZE messages");
		read_all(l, &r, true);
		many = entries(l, &r);
		cr_expect_leq(many, few + 20, "%s, analyzed: %ld", r.user, many);
	}
	r = reader_new(l, "rich", bytes);
	read_unread(l, &r, 6);
	many = entries(l, &r);
	cr_expect_geq(many, 5000);
	cr_expect_leq(many, 5010);
	loop_free(&l);
}

Test(pg_plans, what_a_read_looks_at)
{
	look_at_few(0);
}

Test(pg_plans, what_a_read_of_so_many_bytes_looks_at)
{
	look_at_few(1 << 20);
}
