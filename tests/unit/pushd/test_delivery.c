/* From event to acknowledgement: what is asked, sent, marked, and in which
 * order. */
#include <errno.h>
#include <stdio.h>

#include "pushd/devices.h"
#include "tests/unit/pushd/fake_push.h"

TestSuite(delivery, .init = fake_setup, .fini = fake_teardown, .timeout = 240);

static void two_devices(void)
{
	fake_device("ann", "d1", PROVIDER_FCM, "");
	fake_device("ann", "d2", PROVIDER_APNS, "");
}

static void open_with_two(void)
{
	two_devices();
	fake_open();
}

static void empty_handed(void)
{
	cr_expect_eq(delivery_in_flight(fake.d), 0);
	cr_expect_eq(meter_get(METER_in_flight), 0);
}

Test(delivery, in_order)
{
	open_with_two();
	fake.trace_asks = true;
	fake_message("e1", "ann", 1);
	cr_expect_eq(delivery_in_flight(fake.d), 1);
	did("devices(ann) marks(000000000000000000000001) get(01)");
	fake_turn();
	did("send(d1 badge=3) send(d2 badge=3) had(01:d1,d2) owe(01) ack(e1)");
	empty_handed();
	cr_expect_eq(meter_get(METER_events), 1);
	cr_expect_eq(meter_get(METER_events_done), 1);
	cr_expect_eq(meter_get_each(METER_sent, PROVIDER_FCM), 1);
	cr_expect_eq(meter_get_each(METER_sent, PROVIDER_APNS), 1);
}

Test(delivery, each_step_waits_for_the_one_before)
{
	static const enum fake_kind steps[] = { F_DEVICES, F_MARKS, F_GET, F_SEND,
						F_HAD, F_OWE };
	static const char *const after[] = {
		"", "", "", "had(01:d1,d2)", "owe(01)", "ack(e1)" };

	open_with_two();
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		fake.held[steps[i]] = true;
	fake_message("e1", "ann", 1);
	fake_turn();
	did("get(01)");
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		fake_turn();
		did("");
		fake.held[steps[i]] = false;
		fake_turn();
		did(i == 2 ? "send(d1 badge=3) send(d2 badge=3)" : after[i]);
	}
	empty_handed();
}

Test(delivery, a_queue_that_keeps_owes_nothing)
{
	fake.conf.owes = false;
	fake.conf.skip_if_delivered = false;
	open_with_two();
	fake_message("e1", "ann", 1);
	fake_turn();
	did("send(d1 badge=3) send(d2 badge=3) had(01:d1,d2) ack(e1)");
}

Test(delivery, without_a_store)
{
	fake.store = false;
	fake.badge = -1;
	fake_device("ann", "d1", PROVIDER_FCM, "");
	fake_open();
	fake_message("e1", "ann", 1);
	fake_turn();
	did("send(d1 badge=4294967295) had(01:d1) ack(e1)");
}

Test(delivery, who_had_it_is_left_out)
{
	open_with_two();
	fake_mark(fake_id(1), "d1");
	fake_message("e1", "ann", 1);
	fake_turn();
	did("get(01) send(d2 badge=3) had(01:d2) owe(01) ack(e1)");
	cr_expect_eq(meter_get_each(METER_repeats, PROVIDER_FCM), 1);
	cr_expect_eq(meter_get(METER_events_repeated), 0);
	fake_message("e1", "ann", 1);
	fake_turn();
	did("get(01) owe(01) ack(e1)");
	cr_expect_eq(meter_get(METER_events_repeated), 1);
}

Test(delivery, a_repeat_of_one_in_hand_waits_for_it)
{
	open_with_two();
	fake.held[F_SEND] = true;
	fake_message("e1", "ann", 1);
	fake_turn();
	fake_message("e2", "ann", 1);
	fake_message("e3", "ann", 1);
	fake_message("e4", "ann", 2);
	fake_turn();
	cr_expect_eq(delivery_in_flight(fake.d), 4);
	did("get(01) send(d1 badge=3) send(d2 badge=3)"
	    " get(02) send(d1 badge=3) send(d2 badge=3)");
	fake.held[F_SEND] = false;
	fake_turn();
	did("had(01:d1,d2) had(02:d1,d2) owe(01) owe(02) ack(e1) ack(e4)"
	    " get(01) owe(01) ack(e2) get(01) owe(01) ack(e3)");
	empty_handed();
}

Test(delivery, keys)
{
	fake.trace_asks = true;
	fake.conf.skip_if_delivered = false;
	fake_open();
	fake_event("e1", "{\"userId\":\"ann\",\"type\":\"new_message\"}");
	did("devices(ann) marks(e1)");
	fake_event("e2", "{\"userId\":\"ann\",\"type\":\"new_match\"}");
	did("devices(ann) marks(new_match/e2)");
	fake_event("e3", "{\"userId\":\"ann\",\"type\":\"liked\",\"id\":\"x\"}");
	did("devices(ann) marks(liked/x)");
	fake_event("e4", "{\"userId\":\"ann\",\"type\":\"liked\","
			 "\"data\":{\"messageId\":\"%s\"}}", fake_id(1));
	did("devices(ann) marks(liked/000000000000000000000001)");
	fake_event("e5", "{\"userId\":\"ann\",\"type\":\"new_message\","
			 "\"data\":{\"messageId\":\"odd\"}}");
	did("devices(ann) marks(odd)");
	fake_turn();
	did("ack(e1) ack(e2) ack(e3) ack(e4) ack(e5)");
	cr_expect_eq(meter_get(METER_events_no_device), 5);
}

Test(delivery, delivered_or_read_meanwhile)
{
	open_with_two();
	fake.delivered_at_ms = 5;
	fake_message("e1", "ann", 1);
	fake_turn();
	did("get(01) owe(01) ack(e1)");
	fake.delivered_at_ms = 0;
	fake.read_at_ms = 5;
	fake_message("e2", "ann", 2);
	fake_turn();
	did("get(02) owe(02) ack(e2)");
	cr_expect_eq(meter_get(METER_events_skipped), 2);
	fake_event("e3", "{\"userId\":\"ann\",\"type\":\"liked\","
			 "\"data\":{\"messageId\":\"%s\"}}", fake_id(3));
	fake_turn();
	did("send(d1 badge=3) send(d2 badge=3)"
	    " had(liked/000000000000000000000003:d1,d2) ack(e3)");
}

Test(delivery, without_a_row_or_an_answer_it_is_sent)
{
	fake_device("ann", "d1", PROVIDER_FCM, "");
	fake_open();
	fake.delivered_at_ms = fake.read_at_ms = -1;
	fake_message("e1", "ann", 1);
	fake_turn();
	did("get(01) send(d1 badge=3) had(01:d1) owe(01) ack(e1)");
	fake.delivered_at_ms = 5;
	fake.err[F_GET] = -ENOTCONN;
	fake_message("e2", "ann", 2);
	fake_turn();
	did("get(02)");		/* it may be back in a moment */
	fake.err[F_GET] = 0;
	fake_pass(1000);
	did("get(02) owe(02) ack(e2)");
	fake.err[F_GET] = fake.err[F_OWE] = -ENOTCONN;
	fake_message("e3", "ann", 3);
	fake_pass(2000);
	did("get(03) get(03) get(03) send(d1 badge=3) had(03:d1) owe(03)");
	fake_message("e4", "ann", 4);	/* that it is away is known now */
	fake_turn();
	did("get(04) send(d1 badge=3) had(04:d1) owe(04)");
}

Test(delivery, the_badge)
{
	fake_device("ann", "d1", PROVIDER_FCM, "");
	fake_open();
	fake.badge = -1;
	fake.unread = 7;
	fake_message("e1", "ann", 1);
	fake_turn();
	did("get(01) unread(ann) send(d1 badge=7) had(01:d1) owe(01) ack(e1)");
	fake.err[F_UNREAD] = -ENOTCONN;
	fake_message("e2", "ann", 2);
	fake_turn();
	did("get(02) unread(ann) send(d1 badge=4294967295) had(02:d1) owe(02) ack(e2)");
	fake_message("e3", "ann", 2);
	fake_message("e4", "nobody", 4);
	fake_turn();
	did("get(02) get(04) owe(02) owe(04) ack(e3) ack(e4)");
}

Test(delivery, poison)
{
	fake_open();
	fake_event("e1", "{\"userId\":");
	cr_expect_eq(fake.rejected, 1);
	cr_expect_eq(strncmp(fake_trace(), "reject(e1 0: ", 13), 0);
	cr_expect_eq(meter_get(METER_events_dead), 1);
	empty_handed();
}

Test(delivery, all_reasons_in_one_dead_letter)
{
	two_devices();
	fake_device("ann", "d3", PROVIDER_APNS, "none");
	fake_device("ann", "d4", PROVIDER_APNS, "");
	fake_device("ann", "d5", PROVIDER_FCM, "");
	fake_outcome("d1", OUTCOME_REJECT, "INVALID_ARGUMENT", -1);
	fake_outcome("d2", OUTCOME_REJECT, "BadTopic", -1);
	fake_outcome("d4", OUTCOME_REJECT, "BadTopic", -1);
	fake_open();
	fake_message("e1", "ann", 1);
	fake_turn();
	did("get(01) send(d1 badge=3) send(d2 badge=3) send(d4 badge=3) send(d5 badge=3)"
	    " had(01:d5) owe(01) reject(e1 1: apns no credentials for app none;"
	    " fcm INVALID_ARGUMENT; apns BadTopic)");
	cr_expect_eq(meter_get(METER_events_dead), 1);
	cr_expect_eq(meter_get(METER_events_done), 1);
	empty_handed();
}

Test(delivery, too_large)
{
	open_with_two();
	fake_event("e1", "{\"userId\":\"ann\",\"type\":\"x\",\"data\":{\"huge\":1}}");
	fake_turn();
	did("reject(e1 0: fcm too_large; apns too_large)");
}

Test(delivery, retries)
{
	static const int64_t waits[] = { 2000, 4000, 8000, 16000, 32000, 64000,
					 128000, 256000, 300000, 300000 };

	fake_device("ann", "d1", PROVIDER_FCM, "");
	fake_device("bob", "d2", PROVIDER_FCM, "");
	for (size_t i = 0; i < ARRAY_SIZE(waits); i++)
		fake_outcome("d1", OUTCOME_RETRY, "UNAVAILABLE", -1);
	fake_open();
	fake_message("e1", "ann", 1);
	fake_turn();
	did("get(01) send(d1 badge=3)");
	for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
		/* keeps the breaker closed */
		fake_message("eb", "bob", 100 + (unsigned)i);
		fake_turn();
		fake_trace();
		fake_pass(waits[i] - 1);
		did("");
		fake_pass(1);
		cr_assert_not_null(strstr(fake_trace(), "send(d1 badge=3)"));
	}
	cr_expect_eq(delivery_in_flight(fake.d), 0);
	cr_expect_eq(meter_get_each(METER_retries, PROVIDER_FCM),
		     (int64_t)ARRAY_SIZE(waits));
	cr_expect_eq(fake.acked, 1 + ARRAY_SIZE(waits));
}

Test(delivery, retry_after_is_the_least)
{
	fake_device("ann", "d1", PROVIDER_FCM, "");
	fake_outcome("d1", OUTCOME_RETRY, "UNAVAILABLE", 30000);
	fake_open();
	fake_message("e1", "ann", 1);
	fake_pass(29999);
	did("get(01) send(d1 badge=3)");
	fake_pass(1001);
	did("get(01) send(d1 badge=3) had(01:d1) owe(01) ack(e1)");
}

/* Its partition stands still 10,000 events behind it. */
Test(delivery, one_that_alone_fails_is_given_up)
{
	fake.conf.ttl_ms = 4 * 3600000;
	fake.trace_off = true;
	open_with_two();
	for (unsigned i = 0; i < 20; i++)
		fake_outcome("d1", OUTCOME_RETRY, "INTERNAL", -1);
	fake_device("bob", "b", PROVIDER_FCM, "");
	fake_message("e1", "ann", 1);
	for (unsigned i = 0; i < 280; i++) {
		fake_message("e2", "bob", 2 + i);
		fake_pass(5000);
	}
	cr_expect_eq(fake.rejected, 0);
	fake.trace_off = false;
	fake_pass(600000);
	cr_expect_eq(fake.rejected, 1);
	cr_expect_not_null(strstr(fake_trace(),
		"reject(e1 12: fcm given up: INTERNAL)"));
}

/* While all fail it is not its fault. */
Test(delivery, not_in_an_outage)
{
	fake.conf.ttl_ms = 4 * 3600000;
	fake_device("ann", "d1", PROVIDER_FCM, "");
	fake_open();
	for (unsigned i = 0; i < 30; i++)
		fake_outcome("d1", OUTCOME_RETRY, "INTERNAL", -1);
	fake_message("e1", "ann", 1);
	fake_pass(3 * 3600000);
	cr_expect_eq(fake.rejected, 0);
	cr_expect_eq(fake.acked, 1);
	cr_expect_eq(meter_get_each(METER_retries, PROVIDER_FCM), 30);
}

/* Whoever waits longer looks stuck. */
Test(delivery, an_hour_s_wait_at_most)
{
	fake.conf.ttl_ms = 4 * 3600000;
	fake_device("ann", "d1", PROVIDER_FCM, "");
	fake_outcome("d1", OUTCOME_RETRY, "UNAVAILABLE", 3 * 3600000);
	fake_open();
	fake_message("e1", "ann", 1);
	fake_turn();
	fake_trace();
	fake_pass(3600000 - 1);
	did("");
	fake_pass(1001);
	did("get(01) send(d1 badge=3) had(01:d1) owe(01) ack(e1)");
}

Test(delivery, what_is_read_before_it_is_tried_again)
{
	open_with_two();
	fake_outcome("d1", OUTCOME_RETRY, "UNAVAILABLE", 5000);
	fake_outcome("d2", OUTCOME_RETRY, "ServiceUnavailable", 30000);
	fake_message("e1", "ann", 1);
	fake_turn();
	did("get(01) send(d1 badge=3) send(d2 badge=3)");
	fake.read_at_ms = 5;
	fake_pass(6000);
	did("send(d1 badge=3) had(01:d1)");	/* not looked at within 10 s */
	fake_pass(30000);
	did("get(01) owe(01) ack(e1)");
	cr_expect_eq(meter_get(METER_events_skipped), 1);
	empty_handed();
}

Test(delivery, the_badge_of_a_late_try)
{
	fake_device("ann", "d1", PROVIDER_FCM, "");
	fake_outcome("d1", OUTCOME_RETRY, "UNAVAILABLE", 30000);
	fake_outcome("d1", OUTCOME_RETRY, "UNAVAILABLE", 30000);
	fake_open();
	fake_message("e1", "ann", 1);
	fake_turn();
	did("get(01) send(d1 badge=3)");
	fake.badge = 8;
	fake_pass(31000);
	did("get(01) send(d1 badge=8)");
	fake.err[F_MARKS] = fake.err[F_GET] = -ENOTCONN;
	fake_pass(31000);
	did("get(01) send(d1 badge=8) had(01:d1) owe(01) ack(e1)");
}

Test(delivery, who_has_it_is_marked_while_another_waits)
{
	open_with_two();
	fake_outcome("d2", OUTCOME_RETRY, "ServiceUnavailable", -1);
	fake_message("e1", "ann", 1);
	fake_turn();
	did("get(01) send(d1 badge=3) send(d2 badge=3) had(01:d1)");
	fake_pass(2000);
	did("send(d2 badge=3) had(01:d2) owe(01) ack(e1)");
}

Test(delivery, and_while_another_s_provider_hangs)
{
	open_with_two();
	fake.slow = "d2";
	fake_message("e1", "ann", 1);
	fake_turn();
	did("get(01) send(d1 badge=3) send(d2 badge=3)");
	fake_pass(1000);
	did("had(01:d1)");
	fake_pass(5000);
	did("");
	fake.slow = NULL;
	fake_turn();
	did("had(01:d2) owe(01) ack(e1)");
}

Test(delivery, no_try_beyond_its_life)
{
	open_with_two();
	fake_outcome("d2", OUTCOME_RETRY, "ServiceUnavailable", -1);
	fake_outcome("d2", OUTCOME_RETRY, "InternalServerError", 5000);
	fake_event("e1", "{\"userId\":\"ann\",\"type\":\"x\",\"id\":\"k\","
			 "\"expiresAt\":\"2026-01-02T03:04:08.000Z\"}");
	fake_pass(2000);
	did("send(d1 badge=3) send(d2 badge=3) had(x/k:d1) send(d2 badge=3)"
	    " reject(e1 2: apns expired: InternalServerError)");
	cr_expect_eq(meter_get(METER_events_expired), 0);
	empty_handed();
}

Test(delivery, postgres_away)
{
	fake_device("ann", "d1", PROVIDER_FCM, "");
	fake.err[F_DEVICES] = -ENOTCONN;
	fake_open();
	fake_message("e1", "ann", 1);
	fake_event("e2", "{\"userId\":\"ann\",\"type\":\"x\","
			 "\"expiresAt\":\"2026-01-02T03:04:08.000Z\"}");
	fake_pass(5000);
	cr_expect_eq(fake.calls[F_SEND], 0);
	cr_expect_geq(fake.calls[F_DEVICES], 5);
	cr_expect_leq(fake.calls[F_DEVICES], 10);
	cr_expect_eq(fake.acked, 1, "too old by now");
	fake.err[F_DEVICES] = 0;
	fake_trace();
	fake_pass(1000);
	did("get(01) send(d1 badge=3) had(01:d1) owe(01) ack(e1)");
	empty_handed();
}

Test(delivery, redis_away)
{
	fake_device("ann", "d1", PROVIDER_FCM, "");
	fake_open();
	fake_mark(fake_id(1), "d1");
	fake.err[F_MARKS] = fake.err[F_HAD] = -ENOTCONN;
	fake_message("e1", "ann", 1);
	fake_turn();
	did("get(01)");		/* it may be back in a moment */
	fake.err[F_MARKS] = 0;
	fake_pass(1000);
	did("get(01) owe(01) ack(e1)");
	fake.err[F_MARKS] = -ENOTCONN;
	fake_message("e2", "ann", 2);
	fake_pass(1999);
	did("get(02) get(02)");
	fake_pass(1);
	did("get(02) unread(ann) send(d1 badge=0) had(02:d1) owe(02) ack(e2)");
	fake_message("e3", "ann", 3);	/* that it is away is known now */
	fake_turn();
	did("get(03) unread(ann) send(d1 badge=0) had(03:d1) owe(03) ack(e3)");
	fake.err[F_MARKS] = fake.err[F_HAD] = 0;
	fake_message("e4", "ann", 4);
	fake_turn();
	did("get(04) send(d1 badge=3) had(04:d1) owe(04) ack(e4)");
	fake.err[F_MARKS] = -ENOTCONN;
	fake_message("e5", "ann", 5);
	fake_turn();
	did("get(05)");
}

Test(delivery, the_store_away_keeps_the_event)
{
	fake_device("ann", "d1", PROVIDER_FCM, "");
	fake_open();
	fake.err[F_OWE] = -ETIMEDOUT;
	fake_message("e1", "ann", 1);
	fake_turn();
	did("get(01) send(d1 badge=3) had(01:d1) owe(01)");
	fake_pass(3000);
	did("owe(01) owe(01) owe(01)");
	cr_expect_eq(delivery_in_flight(fake.d), 1);
	fake.err[F_OWE] = 0;
	fake_pass(1000);
	did("owe(01) ack(e1)");
	cr_expect_eq(fake.calls[F_SEND], 1);
}

static void was_read(const char *entry, unsigned a, unsigned b)
{
	fake_event(entry, "{\"userId\":\"ann\",\"type\":\"message_read\",\"id\":\"r\","
		   "\"data\":{\"messageIds\":[\"%s\",\"%s\",5]}}", fake_id(a),
		   fake_id(b));
}

Test(delivery, what_was_read_is_taken_back_where_it_was_shown)
{
	fake.trace_asks = true;
	two_devices();
	fake_device("ann", "d3", PROVIDER_FCM, "");
	fake_open();
	fake_mark(fake_id(1), "d1");
	fake_mark(fake_id(2), "d3");
	was_read("e1", 1, 2);
	did("devices(ann) marks(message_read/r) marks(000000000000000000000001,"
	    "000000000000000000000002)");
	fake_turn();
	did("send(d1 badge=3) send(d3 badge=3) had(message_read/r:d1,d3) ack(e1)");
	fake.trace_asks = false;
	was_read("e2", 1, 2);
	fake_turn();
	did("ack(e2)");
	fake_event("e3", "{\"userId\":\"ann\",\"type\":\"message_read\"}");
	was_read("e4", 8, 9);
	fake_turn();
	did("ack(e3) ack(e4)");
	empty_handed();
}

Test(delivery, nothing_is_taken_back_while_redis_is_away)
{
	open_with_two();
	fake_mark(fake_id(1), "d1");
	fake.err[F_MARKS] = -ENOTCONN;
	was_read("e1", 1, 2);
	fake_pass(5000);
	did("ack(e1)");
}

Test(delivery, a_hundred_devices)
{
	char id[16];

	for (int i = 0; i < DEVICES_MAX; i++) {
		snprintf(id, sizeof(id), "d%d", i);
		fake_device("ann", id, i % 2 ? PROVIDER_FCM : PROVIDER_APNS, "");
		if (i % 3 == 0)
			fake_outcome(id, OUTCOME_RETRY, "INTERNAL", -1);
	}
	fake_open();
	fake_message("e1", "ann", 1);
	fake_pass(600000);
	cr_expect_eq(fake.acked, 1);
	cr_expect_eq(meter_get_each(METER_sent, PROVIDER_FCM) +
		     meter_get_each(METER_sent, PROVIDER_APNS), DEVICES_MAX);
	fake_message("e1", "ann", 1);
	fake_turn();
	cr_expect_eq(meter_get(METER_events_repeated), 1);
}
