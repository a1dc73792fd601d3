/* Providers that want to be left alone: breakers, the lines before them, and
 * the consumption that pauses. */
#include <errno.h>
#include <stdio.h>

#include "pushd/breaker.h"
#include "tests/unit/pushd/fake_users.h"

TestSuite(delivery_line, .init = fake_setup, .fini = fake_teardown, .timeout = 240);

static void all_well(void)
{
	fake.all = (struct outcome){ .retry_after_ms = -1 };
}

static int64_t opened(enum provider p)
{
	return meter_get_each(METER_breaker_open, p);
}

Test(delivery_line, failures_in_a_row_open_it)
{
	open_with_users();
	fail_all(OUTCOME_RETRY, "UNAVAILABLE", -1);
	for (int i = 0; i < 9; i++)
		push_to('u', i);
	fake_turn();
	cr_expect_eq(opened(PROVIDER_FCM), 0);
	push_to('u', 9);
	fake_turn();
	cr_expect_eq(opened(PROVIDER_FCM), 1);
	fake_trace();
	push_to('u', 10);
	fake_turn();
	did("");
	/* the others' retries fall due as it may be probed: one of them goes */
	fake.held[F_SEND] = true;
	fake_pass(5000);
	cr_expect_eq(fake.waiting[F_SEND], 1);
	fake.held[F_SEND] = false;
	all_well();
	fake_trace();
	fake_turn();
	cr_expect_eq(fake.acked, 11);
	cr_expect_eq(opened(PROVIDER_FCM), 1);
}

Test(delivery_line, a_success_between_them_keeps_it_closed)
{
	open_with_users();
	fail_all(OUTCOME_RETRY, "UNAVAILABLE", -1);
	fake_outcome("f9", OUTCOME_REJECT, "INVALID_ARGUMENT", -1);
	for (int i = 0; i < 19; i++)
		push_to('u', i);
	fake_turn();
	cr_expect_eq(opened(PROVIDER_FCM), 0, "an answer of any kind is one");
	push_to('u', 19);
	fake_turn();
	cr_expect_eq(opened(PROVIDER_FCM), 1);
}

Test(delivery_line, a_provider_that_asks_us_to_wait)
{
	open_with_users();
	fake_outcome("f0", OUTCOME_PAUSE, "QUOTA_EXCEEDED", 30000);
	push_to('u', 0);
	fake_turn();
	did("send(f0 badge=3)");
	push_to('u', 1);
	push_to('v', 1);
	fake_pass(29999);
	did("send(a1 badge=3) had(x/v1:a1) ack(ev1)");
	fake.held[F_SEND] = true;
	fake_pass(10000);
	did("send(f0 badge=3)");
	fake.held[F_SEND] = false;
	fake_turn();
	did("had(x/u0:f0) ack(eu0) send(f1 badge=3) had(x/u1:f1) ack(eu1)");
	cr_expect_eq(meter_get_each(METER_retries, PROVIDER_FCM), 1);
}

Test(delivery_line, and_does_not_say_how_long)
{
	open_with_users();
	fake_outcome("f0", OUTCOME_PAUSE, "QUOTA_EXCEEDED", -1);
	push_to('u', 0);
	fake_turn();
	did("send(f0 badge=3)");
	fake_pass(BREAKER_PAUSE_MIN_MS / 2 - 1);
	did("");
	fake_pass(BREAKER_PAUSE_MIN_MS / 2 + 1);
	did("send(f0 badge=3) had(x/u0:f0) ack(eu0)");
}

Test(delivery_line, too_many_to_one_device_say_nothing_of_others)
{
	struct outcome o = { .kind = OUTCOME_RETRY, .reason = "TooManyRequests",
			     .retry_after_ms = -1, .this_device = true };

	open_with_users();
	for (int i = 0; i < 30; i++) {
		fake_outcome_is("a0", &o);
		fake_event("e", "{\"userId\":\"v0\",\"type\":\"x\",\"id\":\"%d\"}", i);
	}
	fake_turn();
	push_to('v', 1);
	fake_turn();
	cr_expect_eq(opened(PROVIDER_APNS), 0);
	cr_expect_eq(fake.acked, 1);
}

Test(delivery_line, what_is_read_while_it_waits_is_no_probe)
{
	open_with_users();
	fake.conf.skip_if_delivered = true;
	fake_close();
	fake_open();
	fake_outcome("f0", OUTCOME_PAUSE, "http_429", 30000);
	for (unsigned i = 0; i < 4; i++) {
		char user[16];

		snprintf(user, sizeof(user), "u%u", i);
		fake_message(user, user, i);
		fake_turn();
	}
	did("get(00) send(f0 badge=3) get(01) get(02) get(03)");
	fake.delivered_at_ms = 5;
	fake.held[F_GET] = true;
	fake_pass(30000);
	did("get(00)");		/* one at a time, as probes go */
	fake.held[F_GET] = false;
	fake_turn_once();
	did("ack(u0) get(01)");
	fake.delivered_at_ms = 0;
	fake_turn();
	did("send(f1 badge=3) had(01:f1) get(02) get(03) ack(u1)"
	    " send(f2 badge=3) send(f3 badge=3)"
	    " had(02:f2) had(03:f3) ack(u2) ack(u3)");
}

/* In quotes, and last: as the journal makes fields of it (common/service/journal). */
Test(delivery_line, reasons_in_the_log)
{
	fake_log();
	open_with_users();
	fail_all(OUTCOME_CONFIG, "of two words", -1);
	push_to('v', 0);
	fake_turn();
	fail_all(OUTCOME_REJECT, "of three words, too", -1);
	push_to('u', 0);
	fake_turn();
	cr_expect_str_eq(fake_logged(),
		"apns: notifications wait for_ms=1000 reason=\"of two words\"\n"
		"fcm: notifications go to the dead letter reason=\"of three words, too\"\n");
}

Test(delivery_line, probes_are_rarer_each_time)
{
	static const int64_t waits[] = { 1000, 2000, 4000, 8000, 16000, 32000,
					 60000, 60000 };

	open_with_users();
	fail_all(OUTCOME_CONFIG, "InvalidProviderToken", -1);
	push_to('v', 0);
	fake_turn();
	push_to('v', 1);
	fake_turn();
	did("send(a0 badge=3)");
	for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
		fake_pass(waits[i] - 1);
		did("");
		fake_pass(1);
		did(i % 2 == 0 ? "send(a0 badge=3)" : "send(a1 badge=3)");
	}
	cr_expect_eq(opened(PROVIDER_APNS), 1);
	all_well();
	fake_pass(60000);
	cr_expect_eq(fake.acked, 2);
}

Test(delivery_line, what_was_sent_before_it_opened_says_nothing)
{
	open_with_users();
	fake.held[F_SEND] = true;
	for (int i = 0; i < 3; i++)
		push_to('u', i);
	fake_turn();
	fake_outcome("f0", OUTCOME_PAUSE, "QUOTA_EXCEEDED", 10000);
	fake_outcome("f2", OUTCOME_RETRY, "timeout", -1);
	fake.held[F_SEND] = false;
	fake_turn();		/* f1 went well: still open */
	fake_trace();
	fake_pass(9999);
	did("");
	fake_pass(1);
	cr_expect_eq(fake.acked, 3);
}

Test(delivery_line, nor_does_it_judge_the_probe)
{
	open_with_users();
	fake.slow = "f0";
	fake_outcome("f0", OUTCOME_RETRY, "timeout", -1);
	fake_outcome("f1", OUTCOME_PAUSE, "http_429", 5000);
	push_to('u', 0);
	push_to('u', 1);
	fake_turn();
	push_to('u', 2);
	fake_turn();
	fake.held[F_SEND] = true;
	fake_pass(5000);	/* f1 is the probe */
	fake_trace();
	fake.held[F_SEND] = false;
	fake.slow = "f1";
	fake_turn();		/* f0 comes back, and waits */
	did("");
	fake.slow = NULL;
	fake_turn();
	did("had(x/u1:f1) send(f2 badge=3) ack(eu1) had(x/u2:f2) ack(eu2)");
}

Test(delivery_line, consumption_pauses_and_goes_on)
{
	open_with_users();
	fake_outcome("f0", OUTCOME_PAUSE, "http_429", 10000);
	push_to('u', 0);
	fake_turn();
	for (int i = 1; i < 9; i++)
		push_to('u', i);
	fake_turn();
	cr_expect_not(fake.paused);
	push_to('u', 9);
	fake_turn();
	cr_expect(fake.paused, "10 of 20 wait");
	cr_expect_eq(meter_get(METER_paused), 1);
	fake_trace();
	fake.held[F_SEND] = true;
	fake_pass(10000);
	did("send(f0 badge=3)");
	cr_expect(fake.paused);
	fake.held[F_SEND] = false;
	fake_turn();
	cr_expect_not(fake.paused);
	cr_expect_eq(meter_get(METER_paused), 0);
	cr_expect_eq(fake.acked, 10);
}

Test(delivery_line, an_event_waits_once_however_many_its_devices)
{
	char id[16];

	for (int i = 0; i < 30; i++) {
		snprintf(id, sizeof(id), "d%d", i);
		fake_device("ann", id, PROVIDER_FCM, i % 2 ? "other" : "");
	}
	fake_outcome("d0", OUTCOME_PAUSE, "http_429", 10000);
	fake_outcome("d1", OUTCOME_PAUSE, "http_429", 20000);
	fake_open();
	fake_message("e1", "ann", 1);
	fake_turn();
	fake_message("e2", "ann", 2);
	fake_turn();
	cr_expect_not(fake.paused);
	cr_expect_eq(opened(PROVIDER_FCM), 2, "each app has its own");
	fake_pass(10000);
	cr_expect_eq(fake.acked, 0);
	fake_pass(10000);
	cr_expect_eq(fake.acked, 2);
}

Test(delivery_line, who_waits_may_grow_too_old)
{
	open_with_users();
	fake_outcome("f0", OUTCOME_CONFIG, "PERMISSION_DENIED", -1);
	fail_all(OUTCOME_CONFIG, "PERMISSION_DENIED", -1);
	push_to('u', 0);
	push_to('u', 1);
	fake_turn();
	fake_pass(3600000 - 70000);
	cr_expect_eq(fake.rejected, 0);
	fake_trace();
	fake_pass(200000);
	cr_expect_eq(fake.rejected, 2);
	cr_expect_eq(delivery_in_flight(fake.d), 0);
	cr_expect_not_null(strstr(fake_trace(), "fcm expired: PERMISSION_DENIED)"));
}

Test(delivery_line, an_hours_wait_does_not_hide_who_grew_too_old)
{
	open_with_users();
	fake_outcome("f0", OUTCOME_PAUSE, "http_429", 3600000);
	push_to('u', 0);
	fake_turn();
	fake_event("e1", "{\"userId\":\"u1\",\"type\":\"x\",\"id\":\"1\","
			 "\"expiresAt\":\"2026-01-02T03:04:15.000Z\"}");
	fake_pass(65000);
	did("send(f0 badge=3) reject(e1 0: fcm expired: http_429)");
}

Test(delivery_line, new_credentials_are_tried_at_once)
{
	open_with_users();
	fail_all(OUTCOME_CONFIG, "InvalidProviderToken", -1);
	for (int i = 0; i < 12; i++)
		push_to('v', i);
	fake_pass(300000);
	cr_expect(fake.paused);
	cr_expect_eq(fake.acked, 0);
	all_well();
	delivery_reloaded(fake.d, NULL);
	fake_turn();
	cr_expect_eq(fake.acked, 12);
	cr_expect_not(fake.paused);
}

Test(delivery_line, credentials_that_are_gone)
{
	open_with_users();
	fake_outcome("f0", OUTCOME_PAUSE, "http_429", 10000);
	push_to('u', 0);
	fake_turn();
	push_to('u', 1);
	fake.no_fcm = true;
	fake_turn();
	fake_trace();
	delivery_reloaded(fake.d, NULL);
	fake_turn();
	did("reject(eu0 1: fcm no credentials for app default)");
	cr_expect_eq(fake.rejected, 2);
}

Test(delivery_line, too_large_is_no_probe)
{
	open_with_users();
	fake_outcome("f0", OUTCOME_PAUSE, "http_429", 1000);
	fake_event("e0", "{\"userId\":\"u0\",\"type\":\"x\"}");
	fake_turn();
	fake_event("e1", "{\"userId\":\"u1\",\"type\":\"x\",\"data\":{\"huge\":1}}");
	fake_event("e2", "{\"userId\":\"u2\",\"type\":\"x\"}");
	fake_turn();
	did("send(f0 badge=3)");
	fake_pass(1000);
	cr_expect_eq(fake.acked, 2);
	cr_expect_eq(fake.rejected, 1);
}

Test(delivery_line, what_no_provider_was_asked_is_no_answer_of_its)
{
	struct outcome o = { .kind = OUTCOME_DELETE, .reason = "BadDeviceToken",
			     .retry_after_ms = -1, .refused_address = true,
			     .unasked = true };

	open_with_users();
	fake_outcome("a0", OUTCOME_PAUSE, "http_429", 10000);
	push_to('v', 0);
	fake_turn();
	fake_outcome_is("a1", &o);
	fake_outcome("a0", OUTCOME_RETRY, "ServiceUnavailable", -1);
	push_to('v', 1);
	for (int i = 2; i < 5; i++)
		push_to('v', i);
	fake_turn();
	fake_pass(10000);	/* a0 fails as the probe */
	fake_trace();
	fake.slow = "a2";
	fake_pass(1000);
	did("send(a1 badge=3) ack(ev1) send(a2 badge=3)");
	fake.slow = NULL;
	fake_turn();
	cr_expect_eq(fake.acked, 4);
}

Test(delivery_line, nor_does_it_end_a_row_of_failures)
{
	struct outcome o = { .kind = OUTCOME_DELETE, .reason = "BadDeviceToken",
			     .retry_after_ms = -1, .unasked = true };

	open_with_users();
	fail_all(OUTCOME_RETRY, "ServiceUnavailable", -1);
	fake_outcome_is("a9", &o);
	for (int i = 0; i < 11; i++)
		push_to('v', i);
	fake_turn();
	cr_expect_eq(opened(PROVIDER_APNS), 1);
}

Test(delivery_line, what_is_read_is_for_none_of_its_devices)
{
	fake_device("ann", "d1", PROVIDER_FCM, "");
	fake_device("ann", "d2", PROVIDER_FCM, "");
	fake_open();
	fake_outcome("d1", OUTCOME_PAUSE, "http_429", 30000);
	fake_outcome("d2", OUTCOME_PAUSE, "http_429", 30000);
	fake_message("e1", "ann", 1);
	fake_turn();
	fake_trace();
	fake.read_at_ms = 5;
	fake_pass(40000);
	did("get(01) owe(01) ack(e1)");
	cr_expect_eq(meter_get(METER_events_skipped), 1);
}

/* Kafka gave the partition away, while it waited here. */
Test(delivery_line, what_another_pushd_did_meanwhile)
{
	fake_device("ann", "d1", PROVIDER_FCM, "");
	fake_device("ann", "d2", PROVIDER_FCM, "");
	fake_device("ann", "d3", PROVIDER_FCM, "");
	fake_open();
	fake_outcome("d1", OUTCOME_PAUSE, "http_429", 30000);
	fake_outcome("d2", OUTCOME_PAUSE, "http_429", 30000);
	fake_outcome("d3", OUTCOME_PAUSE, "http_429", 30000);
	fake_message("e1", "ann", 1);
	fake_turn();
	fake_trace();
	fake_mark(fake_id(1), "d1");
	fake_mark(fake_id(1), "d2");
	fake_pass(40000);
	did("get(01) send(d3 badge=3) had(01:d3) owe(01) ack(e1)");
	cr_expect_eq(meter_get_each(METER_repeats, PROVIDER_FCM), 2);
}

Test(delivery_line, old_credentials_do_not_judge_new_ones)
{
	open_with_users();
	fake.slow = "a0";
	fake_outcome("a0", OUTCOME_PAUSE, "TooManyProviderTokenUpdates", 1200000);
	push_to('v', 0);
	fake_turn();
	delivery_reloaded(fake.d, NULL);
	fake_trace();
	fake.slow = NULL;
	fake_turn();
	did("send(a0 badge=3) had(x/v0:a0) ack(ev0)");
	cr_expect_eq(opened(PROVIDER_APNS), 0);
}

/* A thousand events may be in flight, and each have a hundred devices. */
Test(delivery_line, so_many_are_with_a_provider_and_no_more)
{
	char id[16];

	for (int i = 0; i < 30; i++) {
		snprintf(id, sizeof(id), "d%d", i);
		fake_device("ann", id, PROVIDER_FCM, "");
	}
	fake_device("bob", "b", PROVIDER_APNS, "");
	fake_open();
	fake.held[F_SEND] = true;
	for (unsigned i = 0; i < 15; i++)
		fake_message("e", "ann", i);
	fake_message("e", "bob", 15);
	fake_turn();
	cr_expect_eq(fake.waiting[F_SEND], 2 * fake.conf.max_in_flight + 1);
	cr_expect(fake.paused, "14 of 20 events wait");
	fake.held[F_SEND] = false;
	fake.trace_off = true;
	fake_turn();
	cr_expect_eq(fake.acked, 16);
	cr_expect_eq(meter_get_each(METER_sent, PROVIDER_FCM), 450);
	cr_expect_not(fake.paused);
}

Test(delivery_line, who_waits_for_room_may_grow_too_old)
{
	char user[16];

	open_with_users();
	fake.conf.max_in_flight = 1;
	fake_close();
	fake_open();
	fake.held[F_SEND] = true;
	for (unsigned i = 0; i < 3; i++) {
		snprintf(user, sizeof(user), "u%u", i);
		fake_event(user, "{\"userId\":\"%s\",\"type\":\"x\",\"id\":\"%u\","
			   "\"expiresAt\":\"2026-01-02T03:04:15.000Z\"}", user, i);
	}
	fake_turn();
	fake_trace();
	fake_pass(65000);
	did("pause(0) reject(u2 0: fcm expired: busy)");
	fake.held[F_SEND] = false;
	fake_turn();
	cr_expect_eq(fake.acked, 2);
}
