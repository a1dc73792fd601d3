/* Inserts, against a real server. */
#include "tests/servers/store_fixture.h"

#include <sys/resource.h>

static void expect_same(const struct message *a, const struct message *b)
{
	cr_expect_str_eq(a->id, b->id);
	cr_expect_str_eq(a->match_id, b->match_id);
	cr_expect_str_eq(a->sender_id, b->sender_id);
	cr_expect(message_same(a, b), "content, type, media or recipient");
	cr_expect_eq(a->temp_id == NULL, b->temp_id == NULL);
	if (a->temp_id != NULL && b->temp_id != NULL)
		cr_expect_str_eq(a->temp_id, b->temp_id);
	cr_expect_eq(a->sent_at_ms, b->sent_at_ms);
	cr_expect_eq(a->pos, b->pos);
	cr_expect_str_eq(a->src, b->src);
	cr_expect_eq(a->owe, b->owe);
	cr_expect_eq(a->chg, b->chg);
	cr_expect_eq(a->delivered_at_ms, b->delivered_at_ms);
	cr_expect_eq(a->read_at_ms, b->read_at_ms);
}

static void there_and_back(struct loop *l, struct message_store *s,
			   const struct message *m)
{
	struct message *back;

	cr_assert_eq(insert_one(l, s, m, NULL), STORE_OK);
	back = get_one(l, s, m->id);
	cr_assert_not_null(back);
	expect_same(back, m);
	free(back);
}

Test(store, content_comes_back)
{
	static char longest[4097];
	static const char *const contents[] = {
		"hello",
		"",
		"\xf0\x9f\x98\x80 \xd0\x96 \xe2\x82\xac",
		"\"quoted\" 'single' \\back\\ {a,b} NULL null \\N %s $1",
		"line\nline\ttab\r\x01\x1f\x7f",
		"NULL",
		"  spaces  ",
		"{}",
		longest,
	};
	struct loop *l = loop_new();
	struct message_store *s = store_new(l);

	for (int i = 0; i < 4096; i++)
		longest[i] = "abc\"\\'{},"[i % 9];
	for (size_t i = 0; i < ARRAY_SIZE(contents); i++) {
		struct message m = message_new(contents[i]);

		there_and_back(l, s, &m);
	}
	message_store_free(&s);
	cr_expect_null(s);
	loop_free(&l);
}

Test(store, fields_come_back)
{
	static const char *const temp_ids[] = {
		NULL, "\"t1\"", "17", "-1", "9007199254740991",
		"\"a\\\"b\\\\\"", "\"\xd0\x96\xf0\x9f\x98\x80\"", "\"\"",
	};
	struct loop *l = loop_new();
	struct message_store *s = store_new(l);

	for (size_t i = 0; i < ARRAY_SIZE(temp_ids); i++) {
		struct message m = message_new("x");

		m.temp_id = temp_ids[i];
		m.type = (enum message_type)(i % MESSAGE_TYPES);
		m.media_url = i % 2 != 0 ? "https://cdn.example/a?b=c&d={e}" :
					   NULL;
		m.owe = i % 2 != 0 ? INT64_C(9007199254740993) : 0;
		m.chg = m.pos + (int64_t)i;
		m.src = "h,\"x\":b{}:1";
		there_and_back(l, s, &m);
	}
	message_store_free(&s);
	loop_free(&l);
}

/* Floating point on the way to a timestamp would lose some of these. */
Test(store, milliseconds_are_exact)
{
	static const int64_t times[] = {
		1, 999, 1735689600001, 1735689600999, 1753005617017,
		1893455999501, 4102444800123, 7258118399999,
	};
	struct loop *l = loop_new();
	struct message_store *s = store_new(l);

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		struct message m = message_new("x");

		m.sent_at_ms = times[i];
		m.delivered_at_ms = times[i] + 1;
		m.read_at_ms = times[i] + 2;
		there_and_back(l, s, &m);
	}
	message_store_free(&s);
	loop_free(&l);
}

Test(store, resend_and_clash)
{
	struct loop *l = loop_new();
	struct message_store *s = store_new(l);
	struct message m = message_new("hello"), again, *first = NULL;

	cr_assert_eq(insert_one(l, s, &m, NULL), STORE_OK);
	again = m;
	again.pos += 50000;
	again.chg = again.pos;
	again.sent_at_ms += 50;
	again.src = "host:boot:2";
	cr_expect_eq(insert_one(l, s, &again, &first), STORE_DUPLICATE);
	cr_assert_not_null(first);
	expect_same(first, &m);
	free(first);
	again.content = SLICE("hullo");
	cr_expect_eq(insert_one(l, s, &again, &first), STORE_CLASH);
	cr_expect_null(first);
	message_store_free(&s);
	loop_free(&l);
}

/* *first is the row as it is by now: who asks decides by these fields what is
 * left to do for a message that another worker stored. */
Test(store, resend_after_receipts)
{
	struct loop *l = loop_new();
	struct message_store *s = store_new(l);
	struct message m = message_new("hello"), again, *first = NULL;
	struct store_confirm c = {
		.recipient_id = m.recipient_id,
		.ids = (const char(*)[MESSAGE_ID_LEN + 1])&m.id,
		.n = 1,
	};
	struct last owe = { 0 };
	struct got g = { 0 };

	m.temp_id = "\"t1\"";
	m.media_url = "https://cdn.example/a";
	cr_assert_eq(insert_one(l, s, &m, NULL), STORE_OK);
	again = m;
	again.pos = again.chg = m.pos + 50000;
	again.owe = again.pos + 10000000;
	again.sent_at_ms += 50;
	again.src = "host:boot:2";
	message_store_set_owe(s, m.id, m.owe + 77, on_done, &owe);
	WAIT_FOR(l, owe.done);
	m.owe += 77;
	cr_expect_eq(insert_one(l, s, &again, &first), STORE_DUPLICATE);
	cr_assert_not_null(first);
	expect_same(first, &m);
	free(first);
	for (int read = 0; read < 2; read++) {
		c.at_ms = m.sent_at_ms + 5 + read;
		c.chg = m.pos + 1 + read;
		if (read)
			message_store_read(s, m.match_id, &c, on_rows, &g);
		else
			message_store_delivered(s, &c, on_rows, &g);
		WAIT_FOR(l, g.done);
		cr_assert_eq(g.n, 1);
		got_clear(&g);
		*(read ? &m.read_at_ms : &m.delivered_at_ms) = c.at_ms;
		m.owe = 0;
		m.chg = c.chg;
		cr_expect_eq(insert_one(l, s, &again, &first), STORE_DUPLICATE);
		cr_assert_not_null(first);
		expect_same(first, &m);
		cr_expect_str_eq(first->recipient_id, m.recipient_id);
		free(first);
	}
	message_store_free(&s);
	loop_free(&l);
}

Test(store, same_id_in_one_batch)
{
	struct loop *l = loop_new();
	struct message_store *s = store_new(l);
	struct message m = message_new("hello"), other;
	struct inserted a[3] = { 0 };

	message_store_insert(s, &m, on_inserted, &a[0]);
	other = m;
	other.pos++;
	message_store_insert(s, &other, on_inserted, &a[1]);
	other.content = SLICE("hullo");
	message_store_insert(s, &other, on_inserted, &a[2]);
	WAIT_FOR(l, a[2].done);
	cr_expect_eq(a[0].r, STORE_OK);
	cr_expect_eq(a[1].r, STORE_DUPLICATE);
	cr_assert_not_null(a[1].first);
	expect_same(a[1].first, &m);
	cr_expect_str_eq(a[1].first->recipient_id, m.recipient_id);
	cr_expect_eq(a[2].r, STORE_CLASH);
	free(a[1].first);
	message_store_free(&s);
	loop_free(&l);
}

/* Two workers get the same send: exactly one of them stores it, the other is
 * told of that one. */
#define RIVALS 400
Test(store, same_ids_from_two_stores)
{
	static struct inserted a[2][RIVALS];
	struct loop *l = loop_new();
	struct message_store *s[2] = { store_new(l), store_new(l) };
	size_t ok = 0, duplicate = 0;

	for (int i = 0; i < RIVALS; i++) {
		struct message m = message_new("hello");
		char match[16];

		snprintf(match, sizeof(match), "m%d", i);
		m.match_id = match;
		for (int k = 0; k < 2; k++) {
			m.pos++;
			m.src = k == 0 ? "host:boot:1" : "host:boot:2";
			message_store_insert(s[k], &m, on_inserted, &a[k][i]);
		}
	}
	WAIT_FOR(l, inserted_count == 2 * RIVALS);
	for (int i = 0; i < RIVALS; i++) {
		cr_expect_neq(a[0][i].r, a[1][i].r, "row %d: %d", i, a[0][i].r);
		for (int k = 0; k < 2; k++) {
			ok += a[k][i].r == STORE_OK;
			duplicate += a[k][i].r == STORE_DUPLICATE;
			if (a[k][i].first != NULL)
				cr_expect_str_eq(a[k][i].first->src,
						 k == 0 ? "host:boot:2" :
							  "host:boot:1");
			free(a[k][i].first);
		}
	}
	cr_expect_eq(ok, RIVALS);
	cr_expect_eq(duplicate, RIVALS);
	message_store_free(&s[0]);
	message_store_free(&s[1]);
	loop_free(&l);
}

static double cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

#define MANY 10000
#define SENDERS 100
Test(store, ten_thousand, .timeout = 240)
{
	static struct inserted a[MANY];
	struct loop *l = loop_new();
	struct message_store *s = store_new(l);
	char sender[SENDERS][MESSAGE_ID_LEN + 1];
	int last[SENDERS];
	int64_t t0, end;
	double cpu;

	for (int i = 0; i < SENDERS; i++) {
		message_id_make("", "", NULL, sender[i]);
		last[i] = -1;
	}
	t0 = clock_mono_us();
	cpu = cpu_s();
	for (int i = 0; i < MANY; i++) {
		struct message m = message_new(
			"a message of usual length, as people write them");

		m.sender_id = sender[i % SENDERS];
		message_store_insert(s, &m, on_inserted, &a[i]);
		if (i % 200 == 199)
			loop_turn(l, 0);
	}
	end = clock_mono_ms() + 50000;
	while (inserted_count < MANY && clock_mono_ms() < end)
		loop_turn(l, 2);
	cr_log_warn("inserts=%d per_s=%.0f client_cpu_us_each=%.1f",
		    inserted_count,
		    MANY * 1e6 / (double)(clock_mono_us() - t0),
		    (cpu_s() - cpu) * 1e6 / MANY);
	cr_assert_eq(inserted_count, MANY);
	for (int i = 0; i < MANY; i++) {
		cr_assert_eq(a[i].r, STORE_OK, "row %d: %d", i, a[i].r);
		cr_assert_gt(a[i].order, last[i % SENDERS],
			     "answers of a stream out of order");
		last[i % SENDERS] = a[i].order;
	}
	message_store_free(&s);
	loop_free(&l);
}

Test(store, only_the_bad_row_is_refused)
{
	struct inserted a[60] = { 0 };
	struct loop *l = loop_new();
	struct message_store *s = store_new(l);
	struct message m;

	for (int i = 0; i < 60; i++) {
		m = message_new(i == 30 ? "caf\xe9" : "caf\xc3\xa9");
		if (i == 40)
			m.temp_id = "\"\xff\"";
		message_store_insert(s, &m, on_inserted, &a[i]);
	}
	WAIT_FOR(l, inserted_count == 60);
	for (int i = 0; i < 60; i++) {
		cr_expect_eq(a[i].r,
			     i == 30 || i == 40 ? STORE_REFUSED : STORE_OK,
			     "row %d: %d", i, a[i].r);
		cr_expect_eq(a[i].order, i, "row %d", i);
	}
	m = message_new("after");
	cr_expect_eq(insert_one(l, s, &m, NULL), STORE_OK);
	message_store_free(&s);
	loop_free(&l);
}

Test(store, last_sent)
{
	struct loop *l = loop_new();
	struct message_store *s = store_new(l);
	struct message m = message_new("x");
	struct last last = { 0 };
	int64_t newest = m.sent_at_ms + 7;

	message_store_last_sent(s, m.sender_id, m.match_id, on_last, &last);
	cr_expect(!last.done, "answered within the call");
	WAIT_FOR(l, last.done);
	cr_expect_eq(last.err, 0);
	cr_expect_eq(last.ms, 0);
	for (int i = 0; i < 3; i++) {
		m = message_new("x");
		m.sent_at_ms = newest - (i == 1 ? 0 : 5 + i);
		cr_assert_eq(insert_one(l, s, &m, NULL), STORE_OK);
	}
	/* Neither the other's later one nor the sender's in another match. */
	m = message_new("x");
	m.sent_at_ms = newest + 100;
	m.sender_id = "other";
	cr_assert_eq(insert_one(l, s, &m, NULL), STORE_OK);
	m = message_new("x");
	m.sent_at_ms = newest + 200;
	m.match_id = "other";
	cr_assert_eq(insert_one(l, s, &m, NULL), STORE_OK);
	m = message_new("x");
	last.done = false;
	message_store_last_sent(s, m.sender_id, m.match_id, on_last, &last);
	WAIT_FOR(l, last.done);
	cr_expect_eq(last.ms, newest);
	message_store_free(&s);
	loop_free(&l);
}
