#include "common/protocol/cursor.h"

#include <errno.h>

#include "tests/unit/protocol/exact.h"

#define NOW 1900000000000000LL	/* µs, 2030 */

static struct cursor_stream streams[40];

static void fill(size_t n, int64_t first, int64_t step)
{
	for (size_t i = 0; i < n; i++)
		streams[i] = (struct cursor_stream){
			cursor_stream_id(text("anna"), text("m"),
					 (struct slice){ (char *)&i, sizeof(i) }),
			first + (int64_t)i * step,
		};
}

static bool has(const struct cursor *c, const struct cursor_stream *s)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->streams[i].id == s->id && c->streams[i].pos == s->pos)
			return true;
	return false;
}

/* Offsets are kept by clients for a day: what is written today must be read by
 * every version to come. */
Test(cursor, written_as_ever)
{
	struct buf b = { 0 };
	struct cursor_stream s = {
		cursor_stream_id(text("anna"), text("m1"), text("h:b:1")),
		NOW + 1,
	};

	cr_expect_eq(s.id, 0xe81a9c6ae8c, "%llx", (unsigned long long)s.id);
	cursor_write(&b, NOW, &s, 1);
	cr_expect_str_eq(buf_str(&b), "1.GwAo5EsAA.DoGpxq6MB");
	buf_clear(&b);
	cursor_write(&b, 0, NULL, 0);
	cr_expect_str_eq(buf_str(&b), "1.A");
	buf_free(&b);
}

Test(cursor, parts_of_a_stream_do_not_run_together)
{
	uint64_t id = cursor_stream_id(text("ab"), text("c"), text("d"));

	cr_expect_neq(id, cursor_stream_id(text("a"), text("bc"), text("d")));
	cr_expect_neq(id, cursor_stream_id(text("ab"), text("cd"), text("")));
	cr_expect_neq(id, cursor_stream_id(text("c"), text("ab"), text("d")));
	cr_expect_eq(id >> 48, 0);
}

/* {streams, first pos, step} -> how many are in it */
static const struct {
	size_t n;
	int64_t first, step;
	unsigned kept;
} table[] = {
	{ 0, 0, 0, 0 },
	{ 1, NOW + 1, 0, 1 },
	{ 1, NOW, 0, 0 },		/* up to the floor: nothing to say */
	{ 5, NOW - 2, 1, 2 },
	{ 16, NOW + 1, 7, 16 },
	{ 17, NOW + 1, 7, 16 },
	{ 40, NOW + 1, 60000000, 16 },
	{ 40, NOW + 40, -1, 16 },	/* the newest come first */
	{ 1, (1LL << 59), 0, 1 },
};

Test(cursor, round_trip_keeps_the_newest)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct buf b = { 0 };
		struct cursor c = { .n = 99 };
		int64_t oldest = INT64_MAX;

		fill(table[i].n, table[i].first, table[i].step);
		cursor_write(&b, NOW, streams, table[i].n);
		cr_expect_lt(b.len, 300, "bounded");
		cr_assert_eq(cursor_read(buf_slice(&b), &c), 0, "%zu", i);
		cr_expect_eq(c.floor, NOW);
		cr_expect_eq(c.n, table[i].kept, "%zu: %u", i, c.n);
		for (unsigned k = 0; k < c.n; k++)
			if (c.streams[k].pos < oldest)
				oldest = c.streams[k].pos;
		for (size_t k = 0; k < table[i].n; k++)
			if (streams[k].pos > NOW && streams[k].pos >= oldest)
				cr_expect(has(&c, &streams[k]), "%zu %zu", i, k);
		buf_free(&b);
	}
}

Test(cursor, every_truncation_is_refused_or_whole)
{
	struct buf b = { 0 };

	fill(4, NOW + 1000000, 1000000);
	cursor_write(&b, NOW, streams, 4);
	for (size_t n = 0; n < b.len; n++) {
		struct slice s = exact(b.p, n);
		struct cursor c = { .n = 99 };
		int err = cursor_read(s, &c);

		/* a number cut short is a number; no stream is cut short */
		cr_expect(err == 0 || (err == -EBADMSG && c.n == 99), "%zu", n);
		if (err == 0 && c.n > 0)
			cr_expect_eq(c.streams[0].id, streams[0].id);
		free((char *)s.p);
	}
	buf_free(&b);
}

Test(cursor, garbage_is_refused)
{
	static const char *const bad[] = {
		"", "1", "1.", "2.GwBxeT4AA", "1.GwBxeT4AA.", "1..", "1.G w",
		"1.AGwBxeT4", "1.GwBxeT4AAAA", "1.GwBxeT4AA.YN_1wB_",
		"1.GwBxeT4AA.YN_1wB_n", "1.GwBxeT4AA.YN_1wB_nA",
		"1.GwBxeT4AA.YN_1wB_nAB", "1.GwBxeT4AA..YN_1wB_nB",
		"1.GwBxeT4AA.YN_1wB_nBBBBBBBBBBB", "1.GwBxeT4AA.YN.1wB_nB",
		"1.GwBxeT4AA.YN_1wB_nB\n", "Q84jpm-", "1.GwBxeT4AA.YN_1w\xc3\xa4nB",
		/* 17 streams */
		"1.A.AAAAAAAAB.AAAAAAABB.AAAAAAACB.AAAAAAADB.AAAAAAAEB.AAAAAAAFB"
		".AAAAAAAGB.AAAAAAAHB.AAAAAAAIB.AAAAAAAJB.AAAAAAAKB.AAAAAAALB"
		".AAAAAAAMB.AAAAAAANB.AAAAAAAOB.AAAAAAAPB.AAAAAAAQB",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct slice s = exact(bad[i], strlen(bad[i]));
		struct cursor c = { .n = 99 };

		cr_expect_eq(cursor_read(s, &c), -EBADMSG, "%s", bad[i]);
		cr_expect_eq(c.n, 99);
		free((char *)s.p);
	}
}

Test(cursor, the_greatest_numbers_do_not_overflow)
{
	struct cursor c;

	cr_assert_eq(cursor_read(text("1.__________.AAAAAAAA__________"), &c), 0);
	cr_expect_eq(c.floor, (1LL << 60) - 1);
	cr_expect_eq(c.streams[0].pos, (1LL << 61) - 2);
}
