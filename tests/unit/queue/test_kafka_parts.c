/* What is out of which partition, over assignments that come and go. */
#include "common/queue/kafka_parts.h"

#include <criterion/criterion.h>

#define KEY SLICE("ann")

static struct parts parts;

static void take(struct part *part, int64_t offset)
{
	char entry[ENTRY_MAX];

	cr_assert(parts_take(&parts, part, offset, KEY, entry));
}

Test(kafka_parts, names_entries)
{
	static const char *const unknown[] = {
		"", "push", "push/", "push/3", "push/3/", "push/3/x", "push/4/17",
		"push/3/16", "push/3/18", "other/3/17", "pushx/3/17", "/3/17",
	};
	struct part *part;
	char entry[ENTRY_MAX];

	parts_init(&parts, "push");
	part = parts_add(&parts, 3);
	cr_assert(parts_take(&parts, part, 17, KEY, entry));
	cr_expect_str_eq(entry, "push/3/17");
	cr_expect_not(parts_take(&parts, part, 17, KEY, entry));
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		cr_expect_not(parts_finish(&parts, unknown[i]), "%s", unknown[i]);
	cr_expect_eq(parts.out, 1);
	cr_expect(parts_finish(&parts, "push/3/17"));
	cr_expect_not(parts_finish(&parts, "push/3/17"));
	cr_expect_eq(parts.out, 0);
	parts_clear(&parts);
}

Test(kafka_parts, rejected_waits_for_its_dead_letter)
{
	struct part *part;
	struct slice key;
	char entry[ENTRY_MAX];

	parts_init(&parts, "push");
	part = parts_add(&parts, 0);
	take(part, 1);
	cr_assert(parts_take(&parts, part, 2, (struct slice){ 0 }, entry));
	cr_assert(parts_reject(&parts, "push/0/1", &key));
	cr_expect_eq(key.n, 3);
	cr_expect_eq(memcmp(key.p, "ann", 3), 0);
	cr_expect_not(parts_reject(&parts, "push/0/1", &key));
	cr_expect_not(parts_finish(&parts, "push/0/1"));
	cr_expect_eq(offset_window_next(&part->window), -1);
	parts_rejected(&parts, "push/0/1");
	cr_expect_eq(offset_window_next(&part->window), 2);
	cr_assert(parts_reject(&parts, "push/0/2", &key));
	cr_expect_null(key.p, "it had none");
	cr_expect_not(parts_reject(&parts, "push/0/3", &key));
	cr_expect_eq(parts.out, 1);
	parts_clear(&parts);
	cr_expect_eq(parts.out, 0);
}

Test(kafka_parts, lost_counts_until_its_outcomes)
{
	struct part *first, *again;
	struct slice key;

	parts_init(&parts, "push");
	first = parts_add(&parts, 0);
	take(first, 1);
	take(first, 2);
	take(first, 3);
	first->state = PART_LEAVING;
	cr_expect_null(parts_ours(&parts, 0));
	cr_expect_eq(parts_not_lost(&parts, 0), first);
	cr_expect_eq(parts_leaving(&parts), 3);
	parts_lose(&parts, first);
	cr_expect_null(parts_not_lost(&parts, 0));
	cr_expect_eq(parts_leaving(&parts), 0);
	cr_expect_not(parts_reject(&parts, "push/0/3", &key), "another's");
	cr_expect_eq(parts.out, 2);

	again = parts_add(&parts, 0);
	cr_expect_eq(parts_ours(&parts, 0), again);
	take(again, 1);
	cr_expect_eq(parts.out, 3);
	cr_expect(parts_finish(&parts, "push/0/2"), "of the lost one only");
	cr_expect_eq(offset_window_next(&again->window), -1);
	cr_expect(parts_finish(&parts, "push/0/1"));
	cr_expect_eq(parts.out, 0);
	cr_expect_eq(offset_window_next(&again->window), 2);
	cr_expect_eq(list_first(&parts.all), &again->node);
	parts_lose(&parts, again);
	cr_expect(list_empty(&parts.all));
}

Test(kafka_parts, fetched_are_ours_and_not_full)
{
	struct part *one, *other;

	parts_init(&parts, "push");
	cr_expect_not(parts_fetched(&parts));
	one = parts_add(&parts, 0);
	one->full = true;
	cr_expect_not(parts_fetched(&parts));
	other = parts_add(&parts, 1);
	cr_expect(parts_fetched(&parts));
	take(other, 1);
	other->state = PART_LEAVING;
	cr_expect_not(parts_fetched(&parts));
	parts_lose(&parts, other);
	cr_expect_not(parts_fetched(&parts));
	one->full = false;
	cr_expect(parts_fetched(&parts));
	parts_clear(&parts);
}
