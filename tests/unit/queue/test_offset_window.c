/* Which offset may be committed, whatever the order of the outcomes. */
#include "common/queue/offset_window.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "common/base/mem.h"

static char some;		/* a tag */

static void no_free(void *tag)
{
	(void)tag;
}

Test(offset_window, commits_what_is_contiguous)
{
	static const struct {
		int64_t finish;
		int64_t next;
		int64_t span;
	} steps[] = {	/* of 10, 11, 14, 15, 20 */
		{ 11, -1, 11 },
		{ 12, -1, 11 },		/* never came */
		{ 20, -1, 11 },
		{ 10, 12, 7 },
		{ 10, 12, 7 },		/* again */
		{ 15, 12, 7 },
		{ 14, 21, 0 },
		{ 14, 21, 0 },
	};
	static const int64_t offsets[] = { 10, 11, 14, 15, 20 };
	struct offset_window w;

	offset_window_init(&w);
	cr_expect_eq(offset_window_next(&w), -1);
	cr_expect_eq(offset_window_position(&w), -1);
	cr_expect_eq(offset_window_span(&w), 0);
	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++)
		cr_assert(offset_window_add(&w, offsets[i], &some));
	cr_expect_eq(offset_window_position(&w), 21);
	cr_expect_eq(offset_window_unfinished(&w), 5);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		offset_window_finish(&w, steps[i].finish);
		cr_expect_eq(offset_window_next(&w), steps[i].next, "step %zu", i);
		cr_expect_eq(offset_window_span(&w), steps[i].span, "step %zu", i);
	}
	cr_expect_eq(offset_window_unfinished(&w), 0);
	cr_expect_eq(offset_window_position(&w), 21);
	offset_window_clear(&w, no_free);
}

Test(offset_window, takes_only_what_is_new)
{
	struct offset_window w;

	offset_window_init(&w);
	cr_expect_not(offset_window_add(&w, -1, &some));
	cr_expect(offset_window_add(&w, 0, &some));
	cr_expect_not(offset_window_add(&w, 0, &some));
	cr_expect(offset_window_add(&w, 5, &some));
	cr_expect_not(offset_window_add(&w, 3, &some));
	cr_expect_eq(offset_window_finish(&w, 0), &some);
	cr_expect_eq(offset_window_finish(&w, 5), &some);
	cr_expect_not(offset_window_add(&w, 5, &some), "its outcome is known");
	cr_expect(offset_window_add(&w, 6, &some));
	offset_window_clear(&w, no_free);
}

/* Assigned anew: from where the group is now, be it back. */
Test(offset_window, begins_anew)
{
	struct offset_window w;
	char *tag = mem_strdup("key");

	offset_window_init(&w);
	cr_assert(offset_window_add(&w, 100, tag));
	cr_expect_eq(offset_window_tag(&w, 100), tag);
	cr_expect_null(offset_window_tag(&w, 99));
	offset_window_clear(&w, free);
	cr_expect_null(offset_window_tag(&w, 100));
	cr_expect_null(offset_window_finish(&w, 100));
	cr_expect_eq(offset_window_next(&w), -1);
	cr_expect(offset_window_add(&w, 7, &some));
	offset_window_clear(&w, no_free);
}

/* Against the plain definition: random gaps, random orders, adding between. */
Test(offset_window, agrees_with_the_definition)
{
	enum { N = 600 };
	static int64_t offsets[N];
	static bool done[N];
	struct offset_window w;

	srand(1);
	for (int round = 0; round < 30; round++) {
		size_t came = 0;
		int64_t last = rand() % 3;

		offset_window_init(&w);
		memset(done, 0, sizeof(done));
		for (int step = 0; step < 4 * N; step++) {
			int64_t next = -1, position = -1, span = 0;
			size_t i, unfinished = 0;

			if (came < N && rand() % 2 == 0) {
				last += 1 + (rand() % 4 == 0 ? rand() % 50 : 0);
				offsets[came++] = last;
				cr_assert(offset_window_add(&w, last, &some));
			} else if (came > 0) {
				i = (size_t)rand() % came;
				cr_assert_eq(offset_window_finish(&w, offsets[i]),
					     done[i] ? NULL : &some);
				done[i] = true;
			}
			for (i = 0; i < came && done[i]; i++)
				next = offsets[i] + 1;
			if (came > 0)
				position = offsets[came - 1] + 1;
			if (i < came)
				span = position - offsets[i];
			for (i = 0; i < came; i++)
				unfinished += !done[i];
			cr_assert_eq(offset_window_next(&w), next);
			cr_assert_eq(offset_window_position(&w), position);
			cr_assert_eq(offset_window_span(&w), span);
			cr_assert_eq(offset_window_unfinished(&w), unfinished);
		}
		offset_window_clear(&w, no_free);
	}
}
