/* A device catching up: order, bounds, barriers, and what goes wrong meanwhile. */
#include "tests/unit/chat/catch_up_world.h"

Test(catch_up, pages_with_a_barrier_then_what_came_live)
{
	for (int i = 0; i < 250; i++)
		row(0, 1000 + i);
	connect_ben();
	catch_up_pump(c.catch_ups);
	cr_expect_eq(asked.q.since, 0);
	answer();
	cr_expect_eq(nsent, 0, "it is more than a brief look");
	catch_up_pump(c.catch_ups);
	cr_expect_neq(asked.q.since, 0);
	answer();
	cr_expect_eq(nsent, 100);
	catch_up_pump(c.catch_ups);
	cr_expect_eq(asked.what, NOTHING, "it has not answered yet");
	row(0, NOW_US);
	cr_expect_eq(live(&db[250]), EMIT_HELD);
	catch_up_confirmed(ben, marks - 1);
	catch_up_pump(c.catch_ups);
	cr_expect_eq(asked.what, NOTHING, "an older pong");
	settle();
	sent_rows(0, 250);
	cr_expect_null(ben->catch_up);
	cr_expect_eq(device_pending_count(ben), 251);
	cr_expect_eq(live(&db[250]), EMIT_REPEAT);
	cr_expect_eq(live(row(0, NOW_US + 1)), EMIT_WRITTEN);
}

Test(catch_up, a_page_ends_when_it_is_large)
{
	c.conf.catch_up_bytes = 1000;
	for (int i = 0; i < 20; i++)
		row(0, 1000 + i);
	connect_ben();
	catch_up_pump(c.catch_ups);
	answer();
	cr_expect_gt(nsent, 1);
	cr_expect_lt(nsent, 10);
	settle();
	sent_rows(0, 19);
}

/* No more is read than it is given before its next pong, and nothing twice but
 * what is so new that others may belong before it. */
Test(catch_up, large_rows_are_read_as_they_are_given)
{
	static char content[300000];
	const struct slice large = { content, sizeof(content) };

	memset(content, 'x', sizeof(content));
	c.conf.catch_up_bytes = 500000;
	c.conf.content_max = sizeof(content);
	for (int i = 0; i < 20; i++)
		row(0, 1000 + i)->content = large;
	connect_ben();
	catch_up_pump(c.catch_ups);
	answer();
	cr_expect_eq(nsent, 0, "it is more than a brief look");
	nread = 0;
	settle();
	sent_rows(0, 19);
	cr_expect_leq(nread, 22, "%zu", nread);
	nread = 0;
	for (int i = 0; i < 40; i++)
		row(0, NOW_US + i)->content = large;
	catch_up_start(ben, false);
	settle();
	sent_rows(0, 59);
	cr_expect_lt(nread, 500, "%zu", nread);
}

Test(catch_up, too_much_live_is_read_from_the_store)
{
	row(0, 1000);
	connect_ben();
	catch_up_pump(c.catch_ups);
	for (int i = 0; i < 600; i++)
		cr_expect_eq(live(row(0, NOW_US + i)), EMIT_HELD);
	cr_expect_leq(ben->catch_up->nheld, 256);
	settle();
	sent_rows(0, 600);
}

/* A burst's rows run ahead of the time; what somebody else sends while one page
 * of them is read has a pos before its end. */
Test(catch_up, what_is_stored_behind_a_page_comes_before_what_follows_it)
{
	size_t first, second;

	for (int i = 0; i < 150; i++)
		row(0, NOW_US + i * 1000);
	connect_ben();
	for (int i = 0; i < 2; i++) {
		catch_up_pump(c.catch_ups);
		answer();
	}
	cr_expect_eq(nsent, 100);
	first = nrows;
	row(0, NOW_US + 20000)->src = "h:b:2";
	cr_expect_eq(live(&db[first]), EMIT_HELD);
	second = nrows;
	row(0, NOW_US + 200000)->src = "h:b:2";	/* on its way */
	settle();
	cr_assert_eq(nsent, 152);
	cr_expect_str_eq(strchr(sent[100], ' ') + 1, ids[first]);
	cr_expect_str_eq(strchr(sent[151], ' ') + 1, ids[second]);
	cr_expect_eq(live(&db[second]), EMIT_REPEAT);
	cr_expect_eq(live(&db[first]), EMIT_REPEAT);
}

/* As many as that within a minute are not read again and again. */
Test(catch_up, a_great_burst_comes_to_its_end)
{
	for (int i = 0; i < 990; i++)
		row(0, NOW_US + i);
	connect_ben();
	settle();
	sent_rows(0, 989);
}

/* One of his own was found in the store, in place of which another is on its way. */
Test(catch_up, his_own_come_in_order_when_he_is_told_to_look)
{
	struct place third;

	row(1, NOW_US - 5000);		/* before it came */
	for (int i = 1; i <= 3; i++)
		row(1, NOW_US + i * 1000);
	ben->accepted = true;
	catch_up_user(&c, SLICE("ben"));
	third = place_of(&db[3]);
	cr_expect(catch_up_sent(ben, &third));
	settle();
	sent_rows(1, 2);
	for (int i = 1; i <= 3; i++)
		cr_expect_eq(live(&db[i]), EMIT_REPEAT);
}

/* What his other device sent is held here; that somebody has it comes after. */
Test(catch_up, a_receipt_comes_behind_what_it_is_of)
{
	struct slice receipt =
		SLICE("42[\"message:delivered\",{\"messageId\":\"\"}]");

	row(0, 1000);
	connect_ben();
	catch_up_pump(c.catch_ups);
	row(1, NOW_US + 1000)->delivered_at_ms = NOW_US / 1000;
	cr_expect_eq(live(&db[1]), EMIT_HELD);
	cr_expect(catch_up_hold_receipt(ben, receipt));
	for (int i = 2; i < 400; i++)	/* too many: the messages are read again */
		live(row(0, NOW_US + i));
	for (int i = 0; i < 400; i++)
		catch_up_hold_receipt(ben, receipt);
	cr_expect_lt(ben->catch_up->nheld, 600);
	settle();
	cr_assert_eq(nsent, 400 + 256);
	for (int i = 0; i < 400; i++)
		cr_expect_eq(strncmp(sent[i], "message:new", 11), 0, "%d", i);
	for (int i = 400; i < nsent; i++)
		cr_expect_eq(strncmp(sent[i], "message:delivered", 17), 0);
	cr_expect_not(catch_up_hold_receipt(ben, receipt));
}

/* Whoever sees what his other device sent may send next: behind it (M0). */
Test(catch_up, own_messages_raise_what_is_sent_next)
{
	struct stream *st = stream_get(&c.streams, "ben", "m1");

	row(1, NOW_US + 1000000);
	ben->accepted = true;
	catch_up_start(ben, true);
	settle();
	sent_rows(0, 0);
	cr_expect_eq(stream_next_ms(st, NOW_US / 1000),
		     NOW_US / 1000 + 1001);
}

/* Its worker died, it came back within the second, and all there catch up. */
Test(catch_up, what_it_confirmed_just_before_it_came_does_not_come_again)
{
	clock_fake_set(1000000, NOW_US + 700000);
	ben->since_ms += 500;
	ben->accepted = true;
	row(0, NOW_US + 100000)->delivered_at_ms = NOW_US / 1000 + 499;
	row(1, NOW_US + 100000)->delivered_at_ms = NOW_US / 1000 + 500;
	catch_up_start(ben, true);
	settle();
	sent_rows(1, 1);
}

/* Its time is of a wall clock that Redis has put right since. */
Test(catch_up, who_came_in_the_future_has_no_floor_of_his_own)
{
	cr_expect_eq(emit_floor(ben), NOW_US - EMIT_SETTLED_US);
	ben->since_ms += 3600 * 1000;
	cr_expect_eq(emit_floor(ben), 0);
	good_us = NOW_US - 500;
	cr_expect_eq(emit_floor(ben), NOW_US - 500 - EMIT_SETTLED_US);
	row(0, NOW_US - 1000);
	row(1, NOW_US - 900);
	ben->accepted = true;
	catch_up_start(ben, true);
	settle();
	sent_rows(0, 1);
}

/* Another device has confirmed some of what is held here. */
Test(catch_up, what_another_confirms_meanwhile_makes_no_gap)
{
	for (int i = 0; i < 100; i++)
		row(0, 1000 + i);
	connect_ben();
	for (int i = 0; i < 2; i++) {
		catch_up_pump(c.catch_ups);
		answer();
	}
	cr_expect_eq(nsent, 100);
	for (int i = 0; i < 4; i++)
		live(row(0, NOW_US - 1000 + i));
	db[100].delivered_at_ms = 1;	/* a clock that is behind */
	db[101].delivered_at_ms = NOW_US / 1000 + 5;
	settle();
	sent_rows(0, 103);
}

Test(catch_up, what_others_had_before_it_came_is_not_for_it)
{
	row(0, NOW_US - 2000)->delivered_at_ms = NOW_US / 1000 - 1;
	row(1, NOW_US - 1000);		/* of his own other device */
	row(0, NOW_US - 500);
	connect_ben();
	settle();
	sent_rows(2, 2);
}

/* Of two other devices the one that has the first has not proved it yet; the one
 * that has the second had, before this one came. */
Test(catch_up, what_was_proved_out_of_order_makes_no_gap)
{
	row(0, NOW_US - 3000)->delivered_at_ms = NOW_US / 1000 - 2;
	row(0, NOW_US - 2000);
	row(0, NOW_US - 1500)->delivered_at_ms = NOW_US / 1000 - 1;
	row(1, NOW_US - 1200);
	row(0, NOW_US - 1000)->delivered_at_ms = NOW_US / 1000 - 1;
	connect_ben();
	settle();
	cr_assert_eq(nsent, 3);
	for (int i = 0; i < 3; i++)
		cr_expect_str_eq(strchr(sent[i], ' ') + 1, ids[i < 2 ? i + 1 : 4]);
	cr_expect_eq(live(row(0, NOW_US)), EMIT_WRITTEN);
}

/* Each proof of that time has been written, or its session is over. */
Test(catch_up, what_is_older_than_a_minute_costs_one_look)
{
	for (int i = 0; i < 50; i++)
		row(0, 1000 + i);
	connect_ben();
	catch_up_pump(c.catch_ups);
	cr_expect_eq(asked.q.since, 0);
	answer();
	sent_rows(0, 49);
	settle();
	sent_rows(0, 49);
	cr_expect_eq(nread, 50);
}

Test(catch_up, a_match_that_ended_is_left_out)
{
	row(0, 1000);
	dir.ended = true;
	connect_ben();
	settle();
	cr_expect_eq(nsent, 0);
}

Test(catch_up, a_look_up_is_waited_for_in_order)
{
	struct match m = { "m1", "anna", "ben", true };

	row(0, 1000);
	row(0, 1001);
	dir.async = true;
	connect_ben();
	catch_up_pump(c.catch_ups);
	answer();
	cr_expect_eq(nsent, 0);
	cr_expect_eq(live(row(0, NOW_US)), EMIT_HELD);
	dir.cb(dir.arg, 0, &m);
	cr_expect_eq(nsent, 1);
	dir.async = false;
	dir.cb(dir.arg, 0, &m);
	sent_rows(0, 2);
}

Test(catch_up, what_cannot_be_looked_up_waits)
{
	row(0, 1000);
	row(0, 1001);
	dir.err = -EAGAIN;
	connect_ben();
	settle();
	cr_expect_eq(nsent, 0);
	cr_expect_not_null(ben->catch_up);
	dir.err = 0;
	catch_up_wake(&c);
	settle();
	sent_rows(0, 1);
}

Test(catch_up, a_store_that_is_down_is_waited_for)
{
	row(0, 1000);
	store_is_up = false;
	connect_ben();
	settle();
	cr_expect_eq(nsent, 0);
	store_is_up = true;
	catch_up_wake(&c);
	catch_up_pump(c.catch_ups);
	answer_err(-ETIMEDOUT);
	catch_up_wake(&c);
	settle();
	sent_rows(0, 0);
}

Test(catch_up, a_device_may_leave_at_any_point)
{
	struct match m = { "m1", "anna", "ben", true };

	row(0, 1000);
	connect_ben();
	leave();
	settle();
	ben = device();
	connect_ben();
	catch_up_pump(c.catch_ups);
	leave();
	answer();
	ben = device();
	connect_ben();
	catch_up_pump(c.catch_ups);
	dir.async = true;
	answer();
	leave();
	dir.cb(dir.arg, 0, &m);
	cr_expect_eq(nsent, 0);
	cr_expect_eq(c.catch_ups->asking, 0);
}
