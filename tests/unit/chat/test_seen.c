#include "worker/chat/seen.h"

#include <criterion/criterion.h>

static bool has(const struct seen *s, uint64_t stream, int64_t pos)
{
	return pos <= seen_last(s, stream);
}

Test(seen, nothing_is_seen_of_nothing)
{
	struct seen *s = NULL;
	struct buf b = { 0 };

	cr_expect_eq(seen_last(s, 1), 0);
	seen_offset(s, 5, &b);
	cr_expect_str_eq(buf_str(&b), "1.F");
	seen_trim(&s, 100);
	seen_free(&s);
	buf_free(&b);
}

Test(seen, last_of_each_stream)
{
	struct seen *s = NULL;

	/* in no order, each a few times, never backwards */
	for (int64_t round = 1; round <= 3; round++)
		for (uint64_t i = 0; i < 100; i++) {
			struct place at = { i * 37 % 101, round * 1000 };

			seen_note(&s, &at, 0);
			at.pos = 1;
			seen_note(&s, &at, 0);
		}
	for (uint64_t i = 0; i < 100; i++) {
		cr_expect(has(s, i * 37 % 101, 3000));
		cr_expect_not(has(s, i * 37 % 101, 3001));
	}
	cr_expect_not(has(s, 100 * 37 % 101, 1));
	seen_free(&s);
}

Test(seen, old_streams_leave_when_room_is_needed)
{
	struct seen *s = NULL;
	unsigned known = 0;

	for (uint64_t i = 0; i < 10000; i++)
		seen_note(&s, &(struct place){ i * 7919 % 10007, (int64_t)i },
			  (int64_t)i - 10);
	for (uint64_t i = 0; i < 10000; i++) {
		bool has_it = has(s, i * 7919 % 10007, (int64_t)i);

		known += has_it;
		cr_expect(has_it || i < 9990, "%u", (unsigned)i);
	}
	cr_expect_leq(known, 64);
	seen_free(&s);
}

Test(seen, offset_and_back)
{
	struct seen *s = NULL, *back = NULL;
	struct buf b = { 0 };
	struct cursor c;

	seen_note(&s, &(struct place){ 7, 1000 }, 500);
	seen_note(&s, &(struct place){ 9, 500 }, 500);
	seen_note(&s, &(struct place){ 8, 1001 }, 500);
	seen_offset(s, 500, &b);
	cr_assert_eq(cursor_read(buf_slice(&b), &c), 0);
	cr_expect_eq(c.n, 2);
	seen_restore(&back, &c);
	cr_expect_eq(seen_last(back, 7), 1000);
	cr_expect_eq(seen_last(back, 8), 1001);
	cr_expect_eq(seen_last(back, 9), 0);
	seen_trim(&back, 1000);
	cr_expect_not_null(back, "one is newer");
	seen_trim(&back, 1001);
	cr_expect_null(back);
	seen_free(&s);
	buf_free(&b);
}
