/* Senders whose credentials are refused, and those that must not be stopped by that. */
#include <stdio.h>

#include "tests/unit/pushd/fake_users.h"

TestSuite(delivery_refused, .init = fake_setup, .fini = fake_teardown, .timeout = 240);

static void open_few(void)
{
	fake.conf.max_in_flight = 40;
	open_with_users();
}

/* The other sender has just been of use. */
static void open_beside(void)
{
	open_few();
	push_to('v', 50);
	fake_turn();
}

static void all_well(void)
{
	fake.all = (struct outcome){ .retry_after_ms = -1 };
}

/* n of them, and nobody is well from now on. */
static void refuse(char kind, int n)
{
	fail_all(OUTCOME_CONFIG, "PERMISSION_DENIED", -1);
	for (int i = 0; i < n; i++) {
		push_to(kind, i);
		fake_turn();
	}
}

Test(delivery_refused, the_others_go_on)
{
	fake_log();
	open_beside();
	refuse('u', 20);
	cr_expect(fake.paused, "20 of 40 wait");
	fake_pass(50000);
	cr_expect(fake.paused, "a mishap, perhaps");
	cr_expect_eq(fake.rejected, 0);
	fake_pass(90000);
	cr_expect_not(fake.paused);
	cr_expect_eq(fake.rejected, 20);
	cr_expect_eq(delivery_in_flight(fake.d), 0);
	fake_trace();
	push_to('u', 20);	/* may be the probe */
	push_to('u', 21);
	fake_turn();
	did("send(f20 badge=3)"
	    " reject(eu21 0: fcm credentials for app default refused: PERMISSION_DENIED)"
	    " reject(eu20 1: fcm credentials for app default refused: PERMISSION_DENIED)");
	all_well();
	push_to('v', 1);
	push_to('u', 22);
	fake_turn();
	did("send(a1 badge=3)"
	    " reject(eu22 0: fcm credentials for app default refused: PERMISSION_DENIED)"
	    " had(x/v1:a1) ack(ev1)");
	fake_pass(60000);
	push_to('u', 23);
	fake_turn();
	push_to('u', 24);
	fake_turn();
	did("send(f23 badge=3) had(x/u23:f23) ack(eu23)"
	    " send(f24 badge=3) had(x/u24:f24) ack(eu24)");
	cr_expect_str_eq(fake_logged(),
		"fcm: notifications wait for_ms=1000 reason=\"PERMISSION_DENIED\"\n"
		"fcm: refused for long: notifications go to the dead letter"
		" reason=\"PERMISSION_DENIED\"\n");
}

/* A token's end-point that refused one is not asked again for as long. */
Test(delivery_refused, asked_once_more_after_the_minute)
{
	open_beside();
	refuse('u', 20);
	fake_pass(60500);
	all_well();
	push_to('u', 20);
	fake_turn();
	cr_expect_eq(fake.rejected, 0);
	fake_pass(10000);
	cr_expect_eq(fake.rejected, 0);
	cr_expect_eq(fake.acked, 22);
}

Test(delivery_refused, what_the_probe_says_is_waited_for)
{
	open_beside();
	refuse('u', 20);
	fake_pass(140000);
	cr_expect_eq(fake.rejected, 20);
	fake_pass(60000);
	fake.slow = "f20";
	push_to('u', 20);
	push_to('u', 21);
	fake_turn();
	cr_expect_eq(fake.rejected, 20);
	all_well();
	fake.slow = NULL;
	fake_turn();
	cr_expect_eq(fake.rejected, 20);
	cr_expect_eq(fake.acked, 3);
}

/* A queue that is Kafka's keeps its place for one event only so far. */
Test(delivery_refused, also_a_single_one)
{
	open_beside();
	refuse('u', 1);
	fake_pass(140000);
	cr_expect_eq(fake.rejected, 1);
	cr_expect_eq(delivery_in_flight(fake.d), 0);
}

/* His other device had it. */
Test(delivery_refused, one_of_two_devices)
{
	open_few();
	fake_device("u0", "a", PROVIDER_APNS, "");
	fail_all(OUTCOME_CONFIG, "http_403", -1);
	fake_outcome("a", OUTCOME_OK, "", -1);
	push_to('u', 0);
	fake_turn();
	did("send(f0 badge=3) send(a badge=3) had(x/u0:a)");
	fake_pass(140000);
	cr_expect_not_null(strstr(fake_trace(), ": fcm credentials for app default"
						" refused: http_403)"));
	cr_expect_eq(fake.rejected, 1);
	cr_expect_eq(delivery_in_flight(fake.d), 0);
}

Test(delivery_refused, put_right_within_a_minute)
{
	open_beside();
	refuse('u', 20);
	all_well();
	fake_pass(20000);
	cr_expect_eq(fake.acked, 21);
	cr_expect_eq(fake.rejected, 0);
	refuse('u', 20);	/* its minute begins anew */
	fake_pass(55000);
	cr_expect_eq(fake.rejected, 0);
}

Test(delivery_refused, nobody_else_is_there)
{
	open_few();
	refuse('u', 20);
	fake_pass(1800000);
	cr_expect(fake.paused);
	cr_expect_eq(fake.rejected, 0);
	all_well();
	fake_pass(65000);
	cr_expect_eq(fake.acked, 20);
}

/* The clock is wrong, say. */
Test(delivery_refused, all_are_refused)
{
	open_beside();
	refuse('u', 10);
	refuse('v', 10);
	fake_pass(1800000);
	cr_expect(fake.paused);
	cr_expect_eq(fake.rejected, 0);
}

Test(delivery_refused, another_that_was_of_use_long_ago)
{
	open_few();
	fake.conf.ttl_ms = 14400000;
	fake_close();
	fake_open();
	push_to('v', 50);
	fake_turn();
	fake_pass(3600000);
	refuse('u', 20);
	fake_pass(1800000);
	cr_expect_eq(fake.rejected, 0);
}

/* Started while the queue is full of one app's. */
Test(delivery_refused, another_app_may_be_behind_those_that_wait)
{
	fake.apps = 2;
	open_few();
	refuse('w', 20);
	fake_pass(140000);
	cr_expect_not(fake.paused);
	cr_expect_eq(fake.rejected, 20);
	cr_expect_not_null(strstr(fake_trace(), "fcm credentials for app other"
						" refused: PERMISSION_DENIED"));
	refuse('u', 20);
	fake_pass(140000);
	cr_expect(fake.paused, "nor is there anybody else now");
	cr_expect_eq(fake.rejected, 20);
}

Test(delivery_refused, all_of_one_app_while_another_may_be_behind)
{
	fake.apps = 2;
	open_few();
	refuse('u', 10);
	refuse('v', 10);
	fake_pass(140000);
	cr_expect_not(fake.paused);
	cr_expect_eq(fake.rejected, 20);
}

Test(delivery_refused, two_of_three)
{
	open_beside();
	refuse('u', 10);
	refuse('w', 10);
	fake_pass(140000);
	cr_expect_not(fake.paused);
	cr_expect_eq(fake.rejected, 20);
}

Test(delivery_refused, an_outage_is_waited_for)
{
	static const enum outcome_kind kinds[] = { OUTCOME_PAUSE, OUTCOME_RETRY };

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		open_beside();
		fail_all(kinds[k], "UNAVAILABLE", -1);
		for (int i = 0; i < 40; i++)
			push_to('u', i);
		fake_pass(600000);
		cr_expect_eq(fake.rejected, 0);
		fake_close();
		all_well();
		fake.paused = false;
	}
}

Test(delivery_refused, one_that_turns_out_to_be_an_outage)
{
	open_beside();
	refuse('u', 20);
	fail_all(OUTCOME_RETRY, "UNAVAILABLE", -1);
	fake_pass(600000);
	cr_expect(fake.paused);
	cr_expect_eq(fake.rejected, 0);
}

Test(delivery_refused, new_credentials_have_their_minute)
{
	open_beside();
	refuse('u', 20);
	fake_pass(140000);
	cr_expect_eq(fake.rejected, 20);
	delivery_reloaded(fake.d, NULL);
	for (int i = 20; i < 30; i++)
		push_to('u', i);
	fake_pass(50000);
	cr_expect_eq(fake.rejected, 20);
	fake_pass(90000);
	cr_expect_eq(fake.rejected, 30);
}

static void on_idle(void *arg)
{
	(void)arg;
}

Test(delivery_refused, a_stop_leaves_them_in_the_queue)
{
	open_beside();
	refuse('u', 20);
	fake_pass(55000);
	delivery_stop(fake.d, on_idle, NULL);
	fake_pass(100000);
	cr_expect_eq(delivery_in_flight(fake.d), 0);
	cr_expect_eq(fake.rejected, 0);
	cr_expect_eq(fake.acked, 1);
}
