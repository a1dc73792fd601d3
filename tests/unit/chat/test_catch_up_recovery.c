/* A device that takes its session up again, and routes whose losses are made good. */
#include "tests/unit/chat/catch_up_world.h"

/* Rows since its offset, and one that comes live -> is it taken up? */
Test(catch_up, recovered_or_not)
{
	static const struct {
		int missed;
		const char *how;
	} table[] = { { 0, "recovered" }, { 99, "recovered" },
		      { 149, "recovered" }, { 150, "anew" } };
	struct cursor from = { .floor = NOW_US - 1000000 };

	for (size_t t = 0; t < ARRAY_SIZE(table); t++) {
		nrows = 0;
		nsent = 0;
		for (int i = 0; i < table[t].missed; i++)
			row(0, NOW_US - 1000 + i)->delivered_at_ms = 1;
		accepted_as = "no";
		catch_up_recover(ben, "AAAAAAAAAAAAAAAAAAAA", &from);
		settle();
		cr_expect_str_eq(accepted_as, "no", "not registered yet");
		catch_up_registered(ben);
		cr_expect_eq(live(row(0, NOW_US)), EMIT_HELD);
		settle();
		cr_expect_str_eq(accepted_as, table[t].how, "%zu", t);
		if (strcmp(table[t].how, "anew") != 0)
			sent_rows(0, (size_t)table[t].missed);
		else
			sent_rows(nrows - 1, nrows - 1);
		leave();
		ben = device();
	}
}

Test(catch_up, a_store_in_trouble_keeps_nobody_waiting)
{
	struct cursor from = { .floor = NOW_US - 1000000 };

	row(0, 1000);
	catch_up_recover(ben, "AAAAAAAAAAAAAAAAAAAA", &from);
	catch_up_registered(ben);
	catch_up_pump(c.catch_ups);
	answer_err(-ENOTCONN);
	cr_expect_str_eq(accepted_as, "anew");
	catch_up_wake(&c);
	settle();
	sent_rows(0, 0);

	leave();
	ben = device();
	nsent = 0;
	accepted_as = "no";
	catch_up_recover(ben, "AAAAAAAAAAAAAAAAAAAA", &from);
	catch_up_registered(ben);
	catch_up_pump(c.catch_ups);
	clock_fake_set(1000000 + 14000000, NOW_US);
	deadlines_run(&c.catch_ups->openings);
	cr_expect_str_eq(accepted_as, "no");
	c.conf.opening_ms = 13000;
	catch_up_set_conf(&c);
	deadlines_run(&c.catch_ups->openings);
	cr_expect_str_eq(accepted_as, "anew");
	answer();		/* too late: asked again as a fresh one */
	cr_expect_eq(nsent, 0);
	settle();
	sent_rows(0, 0);
}

Test(catch_up, what_it_has_by_its_offset_is_confirmed_not_sent)
{
	struct cursor from = { .floor = NOW_US - 1000000, .n = 1 };

	row(0, NOW_US - 1000);
	row(0, NOW_US - 500);
	from.streams[0].id = place_of(&db[0]).stream;
	from.streams[0].pos = db[0].pos;
	catch_up_recover(ben, "AAAAAAAAAAAAAAAAAAAA", &from);
	catch_up_registered(ben);
	settle();
	sent_rows(1, 1);
	cr_expect_eq(device_pending_count(ben), 2);
	cr_expect(device_pending_has(ben, ids[0]));
}

Test(catch_up, own_messages_and_receipts_of_whoever_recovers)
{
	struct cursor from = { .floor = NOW_US - 1000000 };
	struct message *m;
	struct place at;

	m = row(1, NOW_US - 3000);
	m->delivered_at_ms = 9;
	m->chg = NOW_US - 100;
	m = row(1, NOW_US - 2000);
	m->delivered_at_ms = m->read_at_ms = 9;
	m->chg = NOW_US - 50;
	row(1, NOW_US - 1000);
	catch_up_recover(ben, "AAAAAAAAAAAAAAAAAAAA", &from);
	catch_up_registered(ben);
	at = place_of(&db[2]);	/* he is told of it meanwhile */
	ben->accepted = true;
	emit_sent(ben, SLICE("42[\"message:sent\",{}]"), &at);
	settle();
	cr_assert_eq(nsent, 6);
	cr_expect_eq(strncmp(sent[0], "message:sent", 12), 0);
	cr_expect_eq(strncmp(sent[1], "message:new", 11), 0);
	cr_expect_eq(strncmp(sent[2], "message:new", 11), 0);
	cr_expect_eq(strncmp(sent[3], "message:delivered", 17), 0);
	cr_expect_eq(strncmp(sent[4], "message:delivered", 17), 0);
	cr_expect_eq(strncmp(sent[5], "message:read", 12), 0);
	cr_expect_eq(live(&db[2]), EMIT_REPEAT);
}

Test(catch_up, all_of_them_after_their_routes)
{
	connect_ben();
	settle();
	catch_up_all(&c);
	row(0, NOW_US);			/* was lost */
	row(0, NOW_US + 1);
	cr_expect_eq(live(&db[1]), EMIT_HELD, "behind what was lost");
	settle();
	cr_expect_eq(nsent, 0, "not before the route is registered");
	entered(entered_arg, 0);
	cr_expect_eq(made_good, 0);
	settle();
	sent_rows(0, 1);
	cr_expect_eq(made_good, 7);
}

Test(catch_up, nothing_is_made_good_while_a_route_is_missing)
{
	connect_ben();
	settle();
	catch_up_all(&c);
	entered(entered_arg, -ENOTCONN);
	settle();
	cr_expect_null(ben->catch_up);
	cr_expect_eq(made_good, 0);
	catch_up_all(&c);
	entered(entered_arg, 0);
	leave();
	cr_expect_eq(made_good, 7, "who left needs nothing");
}
