/* The end, whatever is in hand; and a great many events. */
#include <errno.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "tests/unit/pushd/fake_push.h"

TestSuite(delivery_stop, .init = fake_setup, .fini = fake_teardown, .timeout = 240);

static int idle_calls;

static void on_idle(void *arg)
{
	cr_assert_eq(arg, &idle_calls);
	idle_calls++;
}

static void stop(void)
{
	delivery_stop(fake.d, on_idle, &idle_calls);
}

static void open_with_two(void)
{
	fake_device("ann", "d1", PROVIDER_FCM, "");
	fake_device("ann", "d2", PROVIDER_APNS, "");
	fake_open();
}

static void ended(const char *what)
{
	did(what);
	cr_expect_eq(idle_calls, 1);
	cr_expect_eq(delivery_in_flight(fake.d), 0);
}

Test(delivery_stop, with_nothing_in_hand)
{
	open_with_two();
	stop();
	ended("");
	fake_message("e1", "ann", 1);
	fake_turn();
	ended("");
}

/* What is only asked about is given up at once, and its answers may come. */
Test(delivery_stop, while_asking)
{
	static const enum fake_kind asks[] = { F_DEVICES, F_MARKS, F_GET, F_UNREAD };

	fake.badge = -1;
	open_with_two();
	for (size_t i = 0; i < ARRAY_SIZE(asks); i++) {
		fake.held[asks[i]] = true;
		fake_message("e1", "ann", 1);
		fake_turn();
		idle_calls = 0;
		fake_trace();
		stop();
		ended("");
		fake.held[asks[i]] = false;
		fake_turn();
		did("");
		fake_close();
		fake_open();
	}
}

Test(delivery_stop, what_is_with_a_provider_is_finished)
{
	open_with_two();
	fake.held[F_SEND] = fake.held[F_HAD] = fake.held[F_OWE] = true;
	fake_message("e1", "ann", 1);
	fake_message("e2", "ann", 1);
	fake_turn();
	fake_trace();
	stop();
	cr_expect_eq(delivery_in_flight(fake.d), 1, "what follows is given up");
	fake.held[F_SEND] = false;
	fake_turn();
	did("had(01:d1,d2)");
	fake.held[F_HAD] = false;
	fake_turn();
	did("owe(01)");
	cr_expect_eq(idle_calls, 0);
	fake.held[F_OWE] = false;
	fake_turn();
	ended("ack(e1)");
}

Test(delivery_stop, retries_end_and_who_had_it_stays_marked)
{
	open_with_two();
	fake_outcome("d2", OUTCOME_RETRY, "ServiceUnavailable", -1);
	fake.held[F_HAD] = true;
	fake_message("e1", "ann", 1);
	fake_turn();
	did("get(01) send(d1 badge=3) send(d2 badge=3) had(01:d1)");
	stop();
	cr_expect_eq(idle_calls, 0, "the marks are under way");
	fake.held[F_HAD] = false;
	fake_turn();
	ended("");
	fake_pass(600000);
	did("");
}

Test(delivery_stop, a_retry_that_would_come)
{
	open_with_two();
	fake.held[F_SEND] = true;
	fake_outcome("d1", OUTCOME_PAUSE, "http_429", -1);
	fake_outcome("d2", OUTCOME_RETRY, "ServiceUnavailable", -1);
	fake_message("e1", "ann", 1);
	fake_turn();
	fake_trace();
	stop();
	fake.held[F_SEND] = false;
	fake_turn();
	ended("");
	fake_pass(600000);
	did("");
}

Test(delivery_stop, in_line)
{
	open_with_two();
	fake_outcome("d1", OUTCOME_PAUSE, "http_429", 5000);
	fake_outcome("d2", OUTCOME_CONFIG, "InvalidProviderToken", -1);
	fake_message("e1", "ann", 1);
	fake_turn();
	for (unsigned i = 2; i < 15; i++)
		fake_message("e", "ann", i);
	fake_turn();
	cr_expect(fake.paused);
	fake_trace();
	stop();
	ended("");
	delivery_reloaded(fake.d, NULL);
	fake_pass(600000);
	did("");
}

Test(delivery_stop, while_it_looks_before_another_try)
{
	open_with_two();
	fake_outcome("d1", OUTCOME_RETRY, "UNAVAILABLE", 20000);
	fake_outcome("d2", OUTCOME_PAUSE, "http_429", 20000);
	fake_message("e1", "ann", 1);
	fake_turn();
	fake.held[F_GET] = true;
	fake_pass(30000);
	cr_expect_eq(fake.waiting[F_GET], 2);
	fake_trace();
	stop();
	ended("");
	fake.held[F_GET] = false;
	fake_turn();
	did("");
}

Test(delivery_stop, while_it_looks_and_another_is_with_its_provider)
{
	open_with_two();
	fake_outcome("d1", OUTCOME_RETRY, "UNAVAILABLE", 20000);
	fake.slow = "d2";
	fake_message("e1", "ann", 1);
	fake_turn();
	fake.held[F_GET] = true;
	fake_pass(30000);
	fake_trace();
	stop();
	cr_expect_eq(idle_calls, 0);
	fake.held[F_GET] = false;
	fake_turn();
	cr_expect_eq(idle_calls, 0);
	fake.slow = NULL;
	fake_turn();
	ended("had(01:d2)");
}

Test(delivery_stop, while_the_store_is_away)
{
	open_with_two();
	fake.err[F_OWE] = -ENOTCONN;
	fake_message("e1", "ann", 1);
	fake_turn();
	fake_trace();
	stop();
	ended("");
	fake_close();
	fake_open();
	idle_calls = 0;
	fake_message("e2", "ann", 2);
	fake.held[F_OWE] = true;
	fake_turn();
	fake_trace();
	stop();
	cr_expect_eq(idle_calls, 0);
	fake.held[F_OWE] = false;
	fake_turn();
	ended("");
}

Test(delivery_stop, while_postgres_is_away)
{
	open_with_two();
	fake.err[F_DEVICES] = -ENOTCONN;
	fake_message("e1", "ann", 1);
	fake_message("e2", "ann", 1);
	fake_turn();
	fake_trace();
	stop();
	ended("");
}

Test(delivery_stop, what_follows_and_was_to_begin)
{
	fake.conf.owes = false;
	open_with_two();
	fake_message("e1", "ann", 1);
	fake_message("e2", "ann", 1);
	fake_message("e3", "ann", 1);
	fake.delivered_at_ms = 1;
	fake.held[F_GET] = false;
	while (fake.acked == 0)
		fake_turn_once();
	fake_trace();
	stop();
	ended("");
}

/* Freed with something in each state; what is answered after that harms nobody. */
Test(delivery_stop, freed_with_everything_pending)
{
	for (int k = 0; k < F__COUNT; k++) {
		fake.badge = k == F_UNREAD ? -1 : 3;
		if (k == 0)
			open_with_two();
		else
			fake_open();
		fake.held[k] = true;
		for (unsigned i = 0; i < 5; i++)
			fake_message("e", "ann", (unsigned)k * 10 + i);
		fake_message("f", "ann", (unsigned)k * 10);
		fake_turn();
		cr_expect_eq(delivery_in_flight(fake.d), 6, "%d", k);
		fake_close();
		if (k % 2 == 0)
			fake.held[k] = false;
		fake_turn();
		fake.held[k] = false;
	}
	fake_turn();
	fake_open();
	fake_outcome("d1", OUTCOME_PAUSE, "http_429", 5000);
	fake_outcome("d2", OUTCOME_RETRY, "ServiceUnavailable", -1);
	fake_message("e1", "ann", 91);
	fake_turn();
	fake_message("e2", "ann", 92);
	fake_turn();
	fake.err[F_DEVICES] = -ENOTCONN;
	fake_message("e3", "ann", 93);
	fake_turn();
}

#define MANY 10000
#define MANY_USERS 200

static const enum outcome_kind kinds[] = { OUTCOME_OK, OUTCOME_OK, OUTCOME_RETRY,
					   OUTCOME_PAUSE, OUTCOME_CONFIG,
					   OUTCOME_DELETE, OUTCOME_REJECT };

/* Ten thousand in hand at a time, of all outcomes, redelivered in part: each gets
 * exactly one end, and nobody has a notification twice. */
Test(delivery_stop, ten_thousand)
{
	char user[16], id[16];
	size_t ends = 0, events = 0;
	int64_t sent;

	for (int i = 0; i < MANY_USERS; i++) {
		snprintf(user, sizeof(user), "u%d", i);
		for (int k = 0; k < i % 4; k++) {
			snprintf(id, sizeof(id), "d%d.%d", i, k);
			fake_device(user, id, (i + k) % 2 ? PROVIDER_FCM :
							PROVIDER_APNS, "");
			for (int j = 0; j < 3; j++)
				fake_outcome(id, kinds[(i * 7 + k * 3 + j) % 7],
					     "UNAVAILABLE", -1);
		}
	}
	fake.conf.max_in_flight = MANY;
	fake.trace_off = true;
	fake_open();
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(user, sizeof(user), "u%u", i % MANY_USERS);
		fake_message("e", user, i);
		events++;
		if (i % 10 == 0) {
			fake_message("again", user, i);
			events++;
		}
	}
	cr_expect_eq(delivery_in_flight(fake.d), events);
	fake_pass(600000);
	ends = fake.acked + fake.rejected;
	cr_expect_eq(ends, events);
	cr_expect_eq(delivery_in_flight(fake.d), 0);
	cr_expect_eq(meter_get(METER_events_done), (int64_t)events);
	sent = meter_get_each(METER_sent, PROVIDER_FCM) +
	       meter_get_each(METER_sent, PROVIDER_APNS);
	cr_expect_leq(sent, MANY / 4 * (0 + 1 + 2 + 3));
	cr_expect_geq(sent, MANY / 4 * (0 + 1 + 2 + 3) - 2 * 300);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(user, sizeof(user), "u%u", i % MANY_USERS);
		fake_message("once more", user, i);
	}
	fake_pass(600000);
	cr_expect_eq(delivery_in_flight(fake.d), 0);
	cr_expect_leq(meter_get_each(METER_sent, PROVIDER_FCM) +
		      meter_get_each(METER_sent, PROVIDER_APNS),
		      MANY / 4 * (0 + 1 + 2 + 3));
}
