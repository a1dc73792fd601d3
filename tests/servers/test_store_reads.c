/* What a device was not sent, what is due, unread and history, against a real
 * server. Rows are letters; a read's answer is a word of them. */
#include "tests/servers/store_fixture.h"

#include <errno.h>

#define ROWS_MAX 26

/* A row of the scene's table; times are from the scene's start. */
struct row {
	char from_me;		/* else to me */
	int64_t pos;		/* µs; 0: an old row, without */
	int64_t chg;		/* 0: = pos */
	int delivered, read;
	int64_t owe;		/* 0: none owed */
	int sent_ms;
	size_t len;		/* of content; 0: 1 */
};

struct scene {
	struct loop *l;
	struct message_store *s;
	int64_t t0;		/* µs */
	message_id me, other, match, stem;
	const struct row *rows;
	size_t n;
};

static const char *row_id(const struct scene *c, size_t i)
{
	static message_id id;

	snprintf(id, sizeof(id), "%.22s%02x", c->stem, (unsigned)i % 256);
	return id;
}

static void insert_row(struct scene *c, size_t i)
{
	const struct row *r = &c->rows[i];
	struct message m = message_new("xxxxxxxxx");

	m.content.n = r->len != 0 ? r->len : 1;
	memcpy(m.id, row_id(c, i), sizeof(m.id));
	m.match_id = c->match;
	m.sender_id = r->from_me ? c->me : c->other;
	m.recipient_id = r->from_me ? c->other : c->me;
	m.pos = r->pos != 0 ? c->t0 + r->pos : 0;
	m.chg = r->chg != 0 ? c->t0 + r->chg : m.pos;
	m.owe = r->owe != 0 ? c->t0 + r->owe : 0;
	m.sent_at_ms = c->t0 / 1000 + r->sent_ms;
	m.delivered_at_ms = r->delivered ? c->t0 / 1000 + r->delivered : 0;
	m.read_at_ms = r->read ? c->t0 / 1000 + r->read : 0;
	cr_assert_eq(insert_one(c->l, c->s, &m, NULL), STORE_OK, "row %zu", i);
}

/* Without its rows. */
static struct scene scene_empty(const struct row *rows, size_t n)
{
	struct scene c = { .l = loop_new(), .rows = rows, .n = n,
			   .t0 = cluster_now_us() / 1000 * 1000 };

	cr_assert_leq(n, ROWS_MAX);
	message_id_make("", "", NULL, c.me);
	message_id_make("", "", NULL, c.other);
	message_id_make("", "", NULL, c.match);
	message_id_make("", "", NULL, c.stem);
	c.s = store_new(c.l);
	return c;
}

static struct scene scene_new(const struct row *rows, size_t n)
{
	struct scene c = scene_empty(rows, n);

	for (size_t i = n; i-- > 0;)	/* the order of insertion is none */
		insert_row(&c, i);
	return c;
}

static void scene_free(struct scene *c)
{
	message_store_free(&c->s);
	loop_free(&c->l);
}

/* The letters of what came, in its order; '?' for somebody else's. */
static const char *word(const struct scene *c, const struct got *g)
{
	static char text[ARRAY_SIZE(g->v) + 1];

	for (size_t k = 0; k < g->n; k++) {
		text[k] = '?';
		for (size_t i = 0; i < c->n; i++)
			if (strcmp(g->v[k]->id, row_id(c, i)) == 0)
				text[k] = (char)('a' + i);
	}
	text[g->n] = '\0';
	return text;
}

static void expect_word(struct scene *c, struct got *g, const char *want,
			const char *what, size_t nth)
{
	WAIT_FOR(c->l, g->done);
	cr_assert_eq(g->err, 0, "%s %zu: err %d", what, nth, g->err);
	cr_expect_str_eq(word(c, g), want, "%s %zu: %s, not %s", what, nth,
			 word(c, g), want);
	got_clear(g);
}

/* What is asked for, and the word that answers. */
struct page {
	int64_t since;		/* 0: from the beginning */
	char after;		/* a row; 0: none */
	unsigned limit;
	const char *want;
	size_t bytes;
};

static struct store_missed missed_of(const struct scene *c,
				     const struct page *p, bool by_chg)
{
	struct store_missed q = { .user_id = c->me, .limit = p->limit,
				  .bytes = p->bytes };

	if (p->since != 0)
		q.since = c->t0 + p->since;
	if (p->after != 0) {
		const struct row *r = &c->rows[p->after - 'a'];

		q.after_pos = c->t0 + (by_chg && r->chg != 0 ? r->chg : r->pos);
		memcpy(q.after_id, row_id(c, (size_t)(p->after - 'a')),
		       sizeof(q.after_id));
	}
	return q;
}

static const struct row traffic[] = {
	/* a */ { .pos = 10 },
	/* b */ { .pos = 20, .chg = 300, .delivered = 1 },
	/* c */ { .from_me = 1, .pos = 30, .chg = 310, .delivered = 1 },
	/* d */ { .pos = 40, .len = 5 },
	/* e */ { .pos = 50, .chg = 320, .delivered = 1, .read = 2 },
	/* f */ { .pos = 50 },
	/* g */ { .pos = 50, .chg = 320, .delivered = 1 },
	/* h */ { .from_me = 1, .pos = 60 },
	/* i */ { .from_me = 1, .pos = 60, .chg = 310, .delivered = 1 },
	/* j */ { .pos = 70 },
	/* k */ { .pos = 0 },			/* old ones */
	/* l */ { .from_me = 1, .pos = 0, .chg = 400, .delivered = 1 },
};

Test(reads, missed)
{
	static const struct page cases[] = {
		{ 0, 0, 500, "adfj", 0 },
		{ 0, 0, 2, "ad", 0 },
		{ 0, 'd', 2, "fj", 0 },
		{ 0, 'f', 2, "j", 0 },
		{ 0, 'j', 2, "", 0 },
		{ 5, 0, 500, "abcdefghij", 0 },
		{ 30, 0, 500, "adefghij", 0 },
		{ 50, 0, 500, "adfhij", 0 },
		{ 69, 0, 500, "adfj", 0 },
		{ 1000, 0, 500, "adfj", 0 },
		/* Page by page, through rows of one pos. */
		{ 30, 0, 3, "ade", 0 },
		{ 30, 'e', 1, "f", 0 },
		{ 30, 'f', 2, "gh", 0 },
		{ 30, 'h', 1, "i", 0 },
		{ 30, 'i', 5, "j", 0 },
		{ 30, 0, 4, "adef", 0 },
		{ 50, 'd', 1, "f", 0 },
		/* As much as there is room for. */
		{ 0, 0, 500, "a", 1 },
		{ 0, 0, 500, "ad", 2 },
		{ 0, 0, 500, "ad", 6 },
		{ 0, 0, 500, "adf", 7 },
		{ 0, 0, 1, "a", 7 },
		{ 0, 0, 500, "adfj", 1000 },
		{ 5, 0, 500, "abcd", 4 },
		{ 5, 0, 500, "abcde", 9 },
		{ 5, 'd', 500, "e", 1 },
		{ 30, 'e', 500, "f", 1 },
		{ 30, 'f', 500, "gh", 2 },
		{ 30, 'h', 500, "i", 1 },
	};
	struct scene c = scene_new(traffic, ARRAY_SIZE(traffic));
	static struct got g[ARRAY_SIZE(cases)];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct store_missed q = missed_of(&c, &cases[i], false);

		message_store_missed(c.s, &q, on_rows, &g[i]);
		cr_assert(!g[i].done, "answered within the call");
		expect_word(&c, &g[i], cases[i].want, "alone", i);
	}
	/* All in one statement; each is told of its own rows. */
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct store_missed q = missed_of(&c, &cases[i], false);

		message_store_missed(c.s, &q, on_rows, &g[i]);
		memset(&q, 'x', sizeof(q));
	}
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect_word(&c, &g[i], cases[i].want, "grouped", i);
	scene_free(&c);
}

Test(reads, missed_has_all_fields)
{
	static const struct row rows[] = { { .pos = 10, .owe = 77 } };
	struct scene c = scene_new(rows, 1);
	struct store_missed q = missed_of(&c, &(struct page){ .limit = 10 },
					  false);
	struct message *m = get_one(c.l, c.s, row_id(&c, 0));
	struct got g = { 0 };

	message_store_missed(c.s, &q, on_rows, &g);
	WAIT_FOR(c.l, g.done);
	cr_assert_eq(g.n, 1);
	cr_expect(message_same(g.v[0], m));
	cr_expect_str_eq(g.v[0]->match_id, m->match_id);
	cr_expect_str_eq(g.v[0]->sender_id, m->sender_id);
	cr_expect_str_eq(g.v[0]->src, m->src);
	cr_expect_eq(g.v[0]->sent_at_ms, m->sent_at_ms);
	cr_expect_eq(g.v[0]->pos, m->pos);
	cr_expect_eq(g.v[0]->owe, m->owe);
	cr_expect_eq(g.v[0]->chg, m->chg);
	got_clear(&g);
	free(m);
	scene_free(&c);
}

Test(reads, receipts)
{
	static const struct page cases[] = {
		{ 5, 0, 500, "ci", 0 },
		{ 309, 0, 500, "ci", 0 },
		{ 310, 0, 500, "", 0 },
		{ 5, 0, 1, "c", 0 },
		{ 5, 'c', 1, "i", 0 },
		{ 5, 'i', 1, "", 0 },
	};
	struct scene c = scene_new(traffic, ARRAY_SIZE(traffic));

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct store_missed q = missed_of(&c, &cases[i], true);
		struct got g = { 0 };

		message_store_receipts(c.s, &q, on_rows, &g);
		WAIT_FOR(c.l, g.done);
		for (size_t k = 0; k < g.n; k++)
			cr_expect_eq(g.v[k]->content.n, 0);
		expect_word(&c, &g, cases[i].want, "receipts", i);
	}
	scene_free(&c);
}

struct counted {
	bool done;
	int err;
	size_t n;
};

static void on_counted(void *arg, int err, size_t n)
{
	*(struct counted *)arg = (struct counted){ true, err, n };
}

/* As many as missed and receipts report. */
Test(reads, missed_count)
{
	static const struct {
		int64_t since;
		size_t max, want;
	} cases[] = {
		{ 5, 100, 12 },	{ 30, 100, 10 }, { 50, 100, 8 },
		{ 310, 100, 4 }, { 5, 12, 12 },	 { 5, 11, 11 },
		{ 5, 1, 1 },
	};
	struct scene c = scene_new(traffic, ARRAY_SIZE(traffic));

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct counted n = { 0 };

		message_store_missed_count(c.s, c.me, c.t0 + cases[i].since,
					   cases[i].max, on_counted, &n);
		WAIT_FOR(c.l, n.done);
		cr_expect_eq(n.err, 0);
		cr_expect_eq(n.n, cases[i].want, "case %zu: %zu", i, n.n);
	}
	scene_free(&c);
}

/* Other tests' rows are due, too, in 1970's tenth second or by the clock of the
 * wall; these in its first. */
Test(reads, due)
{
	static const struct row rows[] = {
		/* a */ { .pos = 1, .owe = 30 },
		/* b */ { .pos = 2, .owe = 10 },
		/* c */ { .pos = 3, .owe = 20, .delivered = 1 },
		/* d */ { .pos = 4 },
		/* e */ { .pos = 5, .owe = 40 },
		/* f */ { .pos = 6, .owe = 25 },
	};
	static const struct {
		int64_t now;
		unsigned limit;
		const char *want;
	} cases[] = {
		{ 9, 500, "" },	    { 10, 500, "b" }, { 39, 500, "bfa" },
		{ 40, 500, "bfae" }, { 40, 2, "bf" },
	};
	struct scene c = scene_empty(rows, ARRAY_SIZE(rows));
	struct got g = { 0 };
	struct last gone = { 0 };

	c.t0 = 1000000;
	for (size_t i = 0; i < c.n; i++)
		insert_row(&c, i);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		message_store_due(c.s, c.t0 + cases[i].now, cases[i].limit,
				  on_rows, &g);
		expect_word(&c, &g, cases[i].want, "due", i);
	}
	/* Later, and then no more: it is in the queue. */
	message_store_set_owe(c.s, row_id(&c, 1), c.t0 + 35, on_done, &gone);
	WAIT_FOR(c.l, gone.done);
	message_store_due(c.s, c.t0 + 40, 500, on_rows, &g);
	expect_word(&c, &g, "fabe", "due", 100);
	for (size_t i = 0; i < c.n; i++) {
		gone.done = false;
		message_store_set_owe(c.s, row_id(&c, i), 0, on_done, &gone);
		WAIT_FOR(c.l, gone.done);
		cr_expect_eq(gone.err, 0);
	}
	message_store_due(c.s, c.t0 + 40, 500, on_rows, &g);
	expect_word(&c, &g, "", "due", 101);
	/* What owes nothing does not begin to owe again. */
	gone.done = false;
	message_store_set_owe(c.s, row_id(&c, 0), c.t0 + 20, on_done, &gone);
	WAIT_FOR(c.l, gone.done);
	message_store_due(c.s, c.t0 + 40, 500, on_rows, &g);
	expect_word(&c, &g, "", "due", 102);
	scene_free(&c);
}

/* What one turn sets is one statement: times of their own, and shared ones. */
Test(reads, owe_of_many_at_once)
{
	static const struct row rows[] = {
		/* a */ { .pos = 1, .owe = 1 },
		/* b */ { .pos = 2, .owe = 1 },
		/* c */ { .pos = 3, .owe = 1 },
		/* d */ { .pos = 4, .owe = 1 },
		/* e */ { .pos = 5, .owe = 1, .delivered = 1 },
		/* f */ { .pos = 6 },
	};
	static const int64_t owe[ARRAY_SIZE(rows)] = { 7, 5, 7, 0, 7, 7 };
	static const int64_t want[ARRAY_SIZE(rows)] = { 7, 5, 7, 0, 1, 0 };
	struct scene c = scene_new(rows, ARRAY_SIZE(rows));
	struct last set[ARRAY_SIZE(rows)] = { 0 };

	for (size_t i = 0; i < c.n; i++)
		message_store_set_owe(c.s, row_id(&c, i),
				      owe[i] != 0 ? c.t0 + owe[i] : 0, on_done,
				      &set[i]);
	for (size_t i = 0; i < c.n; i++) {
		struct message *m;

		WAIT_FOR(c.l, set[i].done);
		cr_expect_eq(set[i].err, 0);
		m = get_one(c.l, c.s, row_id(&c, i));
		cr_expect_eq(m->owe, want[i] != 0 ? c.t0 + want[i] : 0,
			     "row %zu: %lld", i, (long long)(m->owe - c.t0));
		free(m);
	}
	scene_free(&c);
}

/* One more question; what is not of this scene is left out. */
static void ask_due(struct scene *c, int64_t now, struct got *g)
{
	size_t n = 0;

	got_clear(g);
	message_store_due(c->s, now, 500, on_rows, g);
	WAIT_FOR(c->l, g->done);
	for (size_t i = 0; i < g->n; i++)
		if (strncmp(g->v[i]->id, c->stem, 22) == 0)
			g->v[n++] = g->v[i];
		else
			free(g->v[i]);
	g->n = n;
}

/* What is due is found also when it comes behind what was read already: at once
 * if it is late by no more than an insert can be. */
Test(reads, due_late)
{
	static const struct row rows[] = {
		/* a */ { .pos = 1, .owe = 50000000 },
		/* b */ { .pos = 2, .owe = 1000 },
	};
	struct scene c = scene_empty(rows, ARRAY_SIZE(rows));
	const int64_t now = 110000000;
	struct last gone = { 0 };
	struct got g = { 0 };

	c.t0 = 10000000;
	for (size_t i = 0; i < 3; i++) {
		ask_due(&c, now, &g);
		expect_word(&c, &g, i == 2 ? "a" : "", "due", i);
		if (i == 1)
			insert_row(&c, 0);
	}
	insert_row(&c, 1);
	for (int i = 0; i < 500 && g.n < 2; i++)
		ask_due(&c, now, &g);
	expect_word(&c, &g, "ba", "due", 3);
	for (size_t i = 0; i < 2; i++) {
		gone.done = false;
		message_store_set_owe(c.s, row_id(&c, i), 0, on_done, &gone);
		WAIT_FOR(c.l, gone.done);
	}
	scene_free(&c);
}

Test(reads, unread)
{
	struct scene c = scene_new(traffic, ARRAY_SIZE(traffic));
	struct got g = { 0 };

	message_store_unread(c.s, c.me, on_rows, &g);
	WAIT_FOR(c.l, g.done);
	cr_assert_eq(g.n, 6);
	for (size_t i = 0; i < g.n; i++) {
		cr_expect_str_eq(g.v[i]->match_id, c.match);
		cr_expect_gt(g.v[i]->pos, c.t0);
	}
	expect_word(&c, &g, "abdfgj", "unread", 0);
	message_store_unread(c.s, "nobody", on_rows, &g);
	expect_word(&c, &g, "", "unread", 1);
	scene_free(&c);
}

static const struct row talk[] = {
	/* a */ { .sent_ms = 10 },	/* old: without pos */
	/* b */ { .sent_ms = 20, .from_me = 1 },
	/* c */ { .sent_ms = 20 },
	/* d */ { .sent_ms = 30, .pos = 5 },
	/* e */ { .sent_ms = 40, .pos = 4, .from_me = 1 },
	/* f */ { .sent_ms = 50, .pos = 3 },
};

static struct store_bound bound_of(const struct scene *c, char id, int ms)
{
	struct store_bound b = { 0 };

	if (id != 0)
		memcpy(b.id, row_id(c, (size_t)(id - 'a')), sizeof(b.id));
	else if (ms != 0)
		b.at_ms = c->t0 / 1000 + ms;
	return b;
}

Test(reads, history)
{
	static const struct {
		char after;
		int after_ms;
		char before;
		int before_ms;
		unsigned limit;
		const char *want;
		size_t bytes;
	} cases[] = {
		{ 0, 0, 0, 0, 500, "abcdef", 0 },
		{ 0, 0, 0, 0, 2, "ef", 0 },
		{ 0, 0, 'e', 0, 2, "cd", 0 },
		{ 0, 0, 'c', 0, 2, "ab", 0 },
		{ 0, 0, 'b', 0, 2, "a", 0 },
		{ 0, 0, 'a', 0, 2, "", 0 },
		{ 'a', 0, 0, 0, 2, "bc", 0 },
		{ 'b', 0, 0, 0, 2, "cd", 0 },
		{ 'f', 0, 0, 0, 2, "", 0 },
		{ 'a', 0, 'd', 0, 500, "bc", 0 },
		{ 'a', 0, 'd', 0, 1, "b", 0 },
		{ 'd', 0, 'a', 0, 5, "", 0 },
		{ 'c', 0, 'c', 0, 5, "", 0 },
		{ 0, 20, 0, 0, 500, "def", 0 },
		{ 0, 19, 0, 0, 500, "bcdef", 0 },
		{ 0, 0, 0, 20, 500, "a", 0 },
		{ 0, 0, 0, 21, 500, "abc", 0 },
		{ 0, 10, 0, 50, 500, "bcde", 0 },
		{ 0, 10, 'e', 0, 500, "bcd", 0 },
		{ 'b', 0, 0, 31, 500, "cd", 0 },
		{ 0, 0, 0, 0, 500, "ef", 2 },
		{ 0, 0, 0, 0, 1, "f", 2 },
		{ 0, 0, 'c', 0, 500, "b", 1 },
		{ 0, 0, 0, 0, 500, "abcdef", 6 },
		{ 'a', 0, 0, 0, 500, "bc", 2 },
		{ 0, 20, 0, 0, 500, "d", 1 },
	};
	struct scene c = scene_new(talk, ARRAY_SIZE(talk));
	struct got g = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct store_page p = {
			.match_id = c.match,
			.after = bound_of(&c, cases[i].after,
					  cases[i].after_ms),
			.before = bound_of(&c, cases[i].before,
					   cases[i].before_ms),
			.limit = cases[i].limit,
			.bytes = cases[i].bytes,
		};

		message_store_history(c.s, &p, on_rows, &g);
		expect_word(&c, &g, cases[i].want, "history", i);
	}
	scene_free(&c);
}

Test(reads, history_from_a_row_that_is_not_there)
{
	struct scene c = scene_new(talk, ARRAY_SIZE(talk));
	struct message m = message_new("x");
	message_id strange[3];

	m.match_id = "another match";
	cr_assert_eq(insert_one(c.l, c.s, &m, NULL), STORE_OK);
	memcpy(strange[0], m.id, sizeof(strange[0]));
	message_id_make("", "", NULL, strange[1]);
	memcpy(strange[2], "no id", 6);
	for (int i = 0; i < 9; i++) {
		struct store_page p = { .match_id = c.match, .limit = 5 };
		struct got g = { 0 };

		if (i / 3 != 1)
			memcpy(p.before.id, strange[i % 3], sizeof(message_id));
		if (i / 3 != 0)
			memcpy(p.after.id,
			       i / 3 == 2 ? row_id(&c, 1) : strange[i % 3],
			       sizeof(message_id));
		message_store_history(c.s, &p, on_rows, &g);
		WAIT_FOR(c.l, g.done);
		cr_expect_eq(g.err, -ENOENT, "case %d: %d", i, g.err);
		got_clear(&g);
	}
	scene_free(&c);
}

static const struct page since_30 = { .since = 30, .limit = 100 };

/* Calls that come while a group is out are the next group: all are answered,
 * also beyond what one statement may report. */
#define ASKERS 120
Test(reads, many_who_ask_at_once)
{
	static struct got g[ASKERS];
	struct scene c = scene_new(traffic, ARRAY_SIZE(traffic));

	for (int i = 0; i < ASKERS; i++) {
		struct store_missed q = missed_of(&c, &since_30, false);

		if (i % 3 != 0)
			q.user_id = "nobody";
		message_store_missed(c.s, &q, on_rows, &g[i]);
		if (i % 50 == 49)
			loop_turn(c.l, 0);
	}
	for (size_t i = 0; i < ASKERS; i++)
		expect_word(&c, &g[i], i % 3 != 0 ? "" : "adefghij", "asker", i);
	scene_free(&c);
}

Test(reads, free_with_reads_pending)
{
	struct scene c = scene_new(traffic, ARRAY_SIZE(traffic));
	static struct got g[20];

	for (int i = 0; i < 20; i++) {
		struct store_missed q = missed_of(&c, &since_30, false);

		message_store_missed(c.s, &q, on_rows, &g[i]);
		if (i == 10)
			loop_turn(c.l, 0);
	}
	message_store_free(&c.s);
	for (int i = 0; i < 20; i++) {
		cr_expect(g[i].done);
		got_clear(&g[i]);
	}
	loop_free(&c.l);
}
