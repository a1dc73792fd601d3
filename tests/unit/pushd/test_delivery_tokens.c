/* Dead tokens, and those that are not believed to be dead. */
#include <errno.h>
#include <stdio.h>

#include "tests/unit/pushd/fake_push.h"

TestSuite(delivery_tokens, .init = fake_setup, .fini = fake_teardown, .timeout = 240);

#define USERS 40

static void open_with_users(void)
{
	char user[16], id[16];

	for (int i = 0; i < USERS; i++) {
		snprintf(user, sizeof(user), "u%d", i);
		snprintf(id, sizeof(id), "d%d", i);
		fake_device(user, id, PROVIDER_APNS, "");
	}
	fake.conf.skip_if_delivered = false;
	fake.conf.owes = false;
	fake.conf.max_in_flight = 1000;
	fake_open();
}

static void push_to(int i)
{
	static unsigned n;
	char user[16];

	snprintf(user, sizeof(user), "u%d", i);
	fake_message("e", user, ++n);
	fake_turn();
}

/* So many that some may be deleted. */
static void some_were_taken(void)
{
	for (int i = 30; i < USERS; i++)
		push_to(i);
}

static void dead(int i)
{
	char id[16];

	snprintf(id, sizeof(id), "d%d", i);
	fake_outcome(id, OUTCOME_DELETE, "Unregistered", -1);
	push_to(i);
}

static int64_t kept(void)
{
	return meter_get_each(METER_tokens_kept, PROVIDER_APNS);
}

static int64_t put_off(void)
{
	return meter_get_each(METER_tokens_put_off, PROVIDER_APNS);
}

static int64_t deleted(void)
{
	return meter_get_each(METER_tokens_deleted, PROVIDER_APNS);
}

Test(delivery_tokens, deleted_after_a_while)
{
	open_with_users();
	some_were_taken();
	fake.acked = 0;
	dead(0);
	cr_expect_eq(fake.acked, 1, "the event does not wait for that");
	fake_trace();
	fake_pass(59000);
	did("");
	fake_pass(2000);
	did("delete(d0)");
	cr_expect_eq(deleted(), 1);
	cr_expect_eq(kept(), 0);
}

Test(delivery_tokens, at_once)
{
	fake.conf.guard_hold_ms = 0;
	open_with_users();
	some_were_taken();
	dead(0);
	fake_trace();
	fake_pass(1);
	did("delete(d0)");
}

Test(delivery_tokens, registered_since_then)
{
	struct outcome o = { .kind = OUTCOME_DELETE, .reason = "Unregistered",
			     .retry_after_ms = -1, .dead_since_ms = 5000,
			     .refused_address = true };

	open_with_users();
	some_were_taken();
	fake_updated("d0", 5001);
	fake_updated("d1", 5000);
	fake_outcome_is("d0", &o);
	fake_outcome_is("d1", &o);
	fake_outcome_is("d2", &o);
	for (int i = 0; i < 3; i++)
		push_to(i);
	fake_trace();
	fake_pass(61000);
	did("delete(d1) delete(d2)");
}

Test(delivery_tokens, none_when_they_are_too_many)
{
	open_with_users();
	for (int i = 0; i < 12; i++)
		push_to(i);
	for (int i = 20; i < 25; i++)
		dead(i);	/* 5 of 17 */
	fake_pass(30000);
	dead(25);		/* 6 of 18: more than 30 percent */
	fake_trace();
	fake_pass(61000);
	did("");
	cr_expect_eq(deleted(), 0);
	cr_expect_eq(kept(), 6);
	dead(26);
	cr_expect_eq(kept(), 7);
	for (int i = 0; i < 100; i++)
		push_to(i % 10);
	dead(27);
	fake_trace();
	fake_pass(61000);
	did("delete(d27)");
}

Test(delivery_tokens, ten_messages_to_one_are_one_dead_token)
{
	open_with_users();
	some_were_taken();
	for (int i = 0; i < 10; i++)
		dead(0);
	fake_trace();
	fake_pass(61000);
	did("delete(d0)");
	cr_expect_eq(deleted(), 1);
}

Test(delivery_tokens, hundred_percent_is_no_guard)
{
	fake.conf.guard_share = 100;
	open_with_users();
	for (int i = 0; i < 30; i++)
		dead(i);
	fake_pass(61000);
	cr_expect_eq(deleted(), 30);
}

Test(delivery_tokens, each_sender_has_its_own_guard)
{
	open_with_users();
	fake_device("bob", "b", PROVIDER_FCM, "");
	for (unsigned i = 0; i < 3; i++) {
		fake_message("e", "bob", 900 + i);
		fake_turn();
	}
	for (int i = 0; i < 6; i++)
		dead(i);
	fake_outcome("b", OUTCOME_DELETE, "UNREGISTERED", -1);
	fake_message("e", "bob", 1000);
	fake_turn();
	fake_trace();
	fake_pass(61000);
	did("delete(b)");
}

Test(delivery_tokens, those_that_wait_end_with_delivery)
{
	fake.conf.guard_share = 100;
	open_with_users();
	for (int i = 0; i < 5; i++)
		dead(i);
	fake_trace();
	fake_close();
	did("");
}

/* The credentials were wrong, and were put right in time. */
Test(delivery_tokens, what_takes_one_is_alive)
{
	open_with_users();
	some_were_taken();
	dead(0);
	dead(1);
	push_to(1);
	fake_trace();
	fake_pass(61000);
	did("delete(d0)");
	cr_expect_eq(deleted(), 1);
	dead(1);
	fake_trace();
	fake_pass(61000);
	did("delete(d1)");
}

/* Started again and again with the wrong credentials: a few are called dead each
 * time, and hardly anybody takes one. */
Test(delivery_tokens, none_before_the_credentials_are_known_to_work)
{
	open_with_users();
	for (int i = 0; i < 20; i++) {
		dead(i);
		if (i % 2 == 0)
			push_to(20 + i);
		dead(39 - i);
		fake_pass(3600000);
		fake_close();
		fake_open();
	}
	cr_expect_eq(deleted(), 0);
	cr_expect_eq(put_off(), 40);
}

Test(delivery_tokens, as_many_as_those_that_are_taken_allow)
{
	open_with_users();
	push_to(30);
	push_to(31);
	dead(0);
	fake_pass(61000);
	cr_expect_eq(put_off(), 1, "of three it would be a third");
	push_to(32);
	dead(0);
	dead(1);
	fake_trace();
	fake_pass(61000);
	did("delete(d0)");
	cr_expect_eq(put_off(), 2);
	cr_expect_eq(kept(), 0);
}

/* Nobody is notified when they fall due: what was taken before counts. */
Test(delivery_tokens, many_at_once_then_a_pause)
{
	open_with_users();
	for (int i = 0; i < 30; i++) {
		for (int k = 0; k < 3; k++)
			push_to(30 + (i + k) % 10);
		dead(i);
	}
	fake_pass(61000);
	cr_expect_eq(deleted(), 30);
	cr_expect_eq(put_off() + kept(), 0);
}

/* Sooner than the guard sees that they are too many, which were few for long. */
Test(delivery_tokens, a_jump_costs_so_many_and_no_more)
{
	open_with_users();
	for (int i = 0; i < 1000; i++)
		push_to(30 + i % 10);
	for (int i = 0; i < 30; i++)
		dead(i);
	fake_pass(61000);
	cr_expect_eq(deleted(), 10);
	cr_expect_eq(put_off(), 20);
}

Test(delivery_tokens, other_credentials_are_judged_anew)
{
	open_with_users();
	some_were_taken();
	dead(0);
	delivery_reloaded(fake.d, NULL);
	cr_expect_eq(put_off(), 1, "the old ones were wrong, perhaps");
	dead(1);
	fake_trace();
	fake_pass(61000);
	did("");
	cr_expect_eq(put_off(), 2);
	for (int i = 2; i < 5; i++)
		dead(i);
	cr_expect_eq(kept(), 0);
	dead(5);
	cr_expect_eq(kept(), 1, "five, and none was taken");
}

Test(delivery_tokens, old_credentials_answer_late)
{
	open_with_users();
	fake.slow = "d0";
	dead(0);
	delivery_reloaded(fake.d, NULL);
	some_were_taken();
	fake.slow = NULL;
	fake_turn();
	fake_trace();
	fake_pass(61000);
	did("");
	cr_expect_eq(put_off(), 1);
}
