/* Pages that end at so many rows or bytes, of rows by chance: each is the beginning
 * of all that the contract says is behind its place, so pages that follow each other
 * leave nothing out and have nothing twice. PW_TEST_SEED repeats a run. */
#include "tests/servers/store_fixture.h"

#include <inttypes.h>

#define ROWS 60
#define USERS 2
#define ASKED 60
#define TIMES 12	/* of so few, so that rows share theirs */

static struct loop *loop;
static struct message_store *store;
static uint64_t seed, state;
static message_id users[USERS], match, ids[ROWS];
static struct message rows[ROWS];
static int64_t t0;		/* µs */

static unsigned chance(unsigned n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % n;
}

static void make_row(size_t i)
{
	static char text[10] = "xxxxxxxxxx";
	message_id stem;

	rows[i] = message_new("");
	message_id_make("", "", NULL, stem);
	/* In no order that the rest has. */
	snprintf(ids[i], sizeof(ids[i]), "%02x%02x%.20s", chance(256),
		 (unsigned)i, stem);
	memcpy(rows[i].id, ids[i], sizeof(ids[i]));
	rows[i].match_id = match;
	rows[i].sender_id = users[chance(USERS)];
	rows[i].recipient_id = users[chance(USERS)];
	rows[i].content = (struct slice){ text, chance(10) };
	rows[i].sent_at_ms = t0 / 1000 + chance(TIMES);
	rows[i].pos = chance(12) == 0 ? 0 : t0 + chance(TIMES);
	rows[i].chg = rows[i].pos;
	rows[i].owe = 0;
	if (chance(2) == 0) {
		rows[i].delivered_at_ms = t0 / 1000 + 100;
		rows[i].chg = t0 + 100000 + chance(TIMES);
	}
}

static void setup(void)
{
	const char *given = getenv("PW_TEST_SEED");
	struct inserted a[ROWS] = { { 0 } };

	loop = loop_new();
	store = store_new(loop);
	t0 = cluster_now_us() / 1000 * 1000;
	seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)t0;
	state = seed;
	for (size_t i = 0; i < USERS; i++) {
		message_id_make("", "", NULL, users[i]);
		users[i][0] = (char)('a' + i);
	}
	message_id_make("", "", NULL, match);
	for (size_t i = 0; i < ROWS; i++) {
		make_row(i);
		message_store_insert(store, &rows[i], on_inserted, &a[i]);
	}
	for (size_t i = 0; i < ROWS; i++) {
		WAIT_FOR(loop, a[i].done);
		cr_assert_eq(a[i].r, STORE_OK);
		free(a[i].first);
	}
}

static void teardown(void)
{
	message_store_free(&store);
	loop_free(&loop);
}

TestSuite(pages, .init = setup, .fini = teardown, .timeout = 240);

/* --- what is to come --- */

static int compare(int64_t x, const char *x_id, int64_t y, const char *y_id)
{
	return x != y ? (x < y ? -1 : 1) : strcmp(x_id, y_id);
}

static int by_pos(const void *a, const void *b)
{
	const struct message *m = a, *n = b;

	return compare(m->pos, m->id, n->pos, n->id);
}

static int by_sent(const void *a, const void *b)
{
	const struct message *m = a, *n = b;

	return compare(m->sent_at_ms, m->id, n->sent_at_ms, n->id);
}

static bool is_missed(const struct message *m, const struct store_missed *q)
{
	bool to = strcmp(m->recipient_id, q->user_id) == 0;
	bool from = strcmp(m->sender_id, q->user_id) == 0;

	if (m->pos == 0 ||
	    compare(m->pos, m->id, q->after_pos, q->after_id) <= 0)
		return false;
	return (to && m->delivered_at_ms == 0) ||
	       ((to || from) && q->since != 0 && m->pos > q->since);
}

/* How many of those that are left begin the page, from either end. */
static size_t page_len(const struct message *left, size_t n, unsigned limit,
		       size_t bytes, bool falling)
{
	size_t i = 0, sum = 0;

	while (i < n && i < limit && (bytes == 0 || sum < bytes)) {
		sum += left[falling ? n - 1 - i : i].content.n;
		i++;
	}
	return i;
}

static void expect_page(struct got *g, const struct message *want, size_t n,
			const char *what, int nth)
{
	bool same = g->err == 0 && g->n == n;

	for (size_t i = 0; same && i < n; i++)
		same = strcmp(g->v[i]->id, want[i].id) == 0 &&
		       g->v[i]->content.n == want[i].content.n;
	cr_expect(same, "%s %d of PW_TEST_SEED=%" PRIu64 ": err %d, %zu rows, not %zu",
		  what, nth, seed, g->err, g->n, n);
	got_clear(g);
}

static size_t some_bytes(void)
{
	return chance(4) == 0 ? 0 : 1 + chance(chance(2) == 0 ? 8 : 120);
}

static unsigned some_limit(void)
{
	return chance(2) == 0 ? 500 : 1 + chance(12);
}

/* --- */

static struct store_missed some_missed(void)
{
	struct store_missed q = { .user_id = users[chance(USERS)],
				  .limit = some_limit(),
				  .bytes = some_bytes() };
	const struct message *m = &rows[chance(ROWS)];

	if (chance(3) != 0)
		q.since = t0 - 2 + chance(TIMES + 3);
	if (chance(3) != 0 && m->pos != 0) {
		q.after_pos = m->pos;
		memcpy(q.after_id, m->id, sizeof(q.after_id));
	}
	return q;
}

/* Some alone, the others at once: these are grouped. */
Test(pages, missed)
{
	static struct got g[ASKED];
	struct store_missed q[ASKED];

	for (int k = 0; k < ASKED; k++) {
		q[k] = some_missed();
		message_store_missed(store, &q[k], on_rows, &g[k]);
		if (k < ASKED / 3)
			WAIT_FOR(loop, g[k].done);
	}
	qsort(rows, ROWS, sizeof(rows[0]), by_pos);
	for (int k = 0; k < ASKED; k++) {
		struct message want[ROWS];
		size_t n = 0;

		for (size_t i = 0; i < ROWS; i++)
			if (is_missed(&rows[i], &q[k]))
				want[n++] = rows[i];
		n = page_len(want, n, q[k].limit, q[k].bytes, false);
		WAIT_FOR(loop, g[k].done);
		expect_page(&g[k], want, n, "missed", k);
	}
}

static struct store_bound some_bound(void)
{
	struct store_bound b = { 0 };

	switch (chance(3)) {
	case 0:
		b.at_ms = t0 / 1000 - 1 + chance(TIMES + 2);
		break;
	case 1:
		memcpy(b.id, rows[chance(ROWS)].id, sizeof(b.id));
		break;
	default:
		break;
	}
	return b;
}

/* -1, 0, 1: before it, the same, behind it; `open` when there is no bound. */
static int beside(const struct message *m, const struct store_bound *b, int open)
{
	if (b->id[0] == '\0')
		return b->at_ms == 0 ? open :
				       compare(m->sent_at_ms, "", b->at_ms, "");
	for (size_t i = 0; i < ROWS; i++)
		if (strcmp(rows[i].id, b->id) == 0)
			return compare(m->sent_at_ms, m->id, rows[i].sent_at_ms,
				       b->id);
	return 0;
}

Test(pages, history)
{
	static struct got g[ASKED];
	struct store_page p[ASKED];

	for (int k = 0; k < ASKED; k++) {
		p[k] = (struct store_page){ .match_id = match,
					    .before = some_bound(),
					    .after = some_bound(),
					    .limit = some_limit(),
					    .bytes = some_bytes() };
		message_store_history(store, &p[k], on_rows, &g[k]);
	}
	qsort(rows, ROWS, sizeof(rows[0]), by_sent);
	for (int k = 0; k < ASKED; k++) {
		bool falling = p[k].after.id[0] == '\0' && p[k].after.at_ms == 0;
		struct message want[ROWS];
		size_t all = 0, n;

		for (size_t i = 0; i < ROWS; i++)
			if (beside(&rows[i], &p[k].after, 1) > 0 &&
			    beside(&rows[i], &p[k].before, -1) < 0)
				want[all++] = rows[i];
		n = page_len(want, all, p[k].limit, p[k].bytes, falling);
		WAIT_FOR(loop, g[k].done);
		expect_page(&g[k], falling ? want + all - n : want, n, "history",
			    k);
	}
}
