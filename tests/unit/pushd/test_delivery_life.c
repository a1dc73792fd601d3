/* How long an event lives: as it says, and what becomes of it when that is over. */
#include <stdio.h>

#include "pushd/notification.h"
#include "tests/unit/pushd/fake_push.h"

TestSuite(delivery_life, .init = fake_setup, .fini = fake_teardown, .timeout = 60);

static void open_with_one(void)
{
	fake_device("ann", "d1", PROVIDER_FCM, "");
	fake_open();
}

static void empty_handed(void)
{
	cr_expect_eq(delivery_in_flight(fake.d), 0);
	cr_expect_eq(meter_get(METER_in_flight), 0);
}

Test(delivery_life, old_ones_are_not_sent)
{
	open_with_one();
	fake_event("e1", "{\"userId\":\"ann\",\"type\":\"x\","
			 "\"queuedAt\":\"2026-01-02T02:04:05.000Z\"}");
	fake_event("e2", "{\"userId\":\"ann\",\"type\":\"x\","
			 "\"expiresAt\":\"2026-01-02T03:04:04.999Z\"}");
	did("ack(e1) ack(e2)");
	cr_expect_eq(meter_get(METER_events_expired), 2);
	fake.held[F_DEVICES] = true;
	fake_event("e3", "{\"userId\":\"ann\",\"type\":\"x\","
			 "\"expiresAt\":\"2026-01-02T03:04:06.000Z\"}");
	fake_pass(1000);
	fake.held[F_DEVICES] = false;
	fake_turn();
	did("ack(e3)");
	cr_expect_eq(meter_get(METER_events_expired), 3);
	empty_handed();
}

/* Whatever it says: four weeks after it was queued, as far as that is past. */
Test(delivery_life, a_life_has_an_end)
{
	static const char *const told[] = {
		"\"expiresAt\":\"9999-12-31T23:59:59Z\"",
		"\"queuedAt\":\"9999-12-31T23:59:59Z\"",
		"\"queuedAt\":\"9998-01-01T00:00:00Z\",\"expiresAt\":\"9999-12-31T23:59:59Z\"",
	};
	char json[256];

	open_with_one();
	fake_event("e0", "{\"userId\":\"ann\",\"type\":\"x\","
			 "\"queuedAt\":\"2025-12-05T03:04:05.000Z\","
			 "\"expiresAt\":\"9999-12-31T23:59:59Z\"}");
	did("ack(e0)");
	for (size_t i = 0; i < ARRAY_SIZE(told); i++) {
		fake.held[F_DEVICES] = true;
		snprintf(json, sizeof(json), "{\"userId\":\"ann\",\"type\":\"x\",%s}",
			 told[i]);
		fake_event("e1", "%s", json);
		fake_pass((int64_t)NOTIFICATION_LIFE_MAX_S * 1000);
		fake.held[F_DEVICES] = false;
		fake_turn();
		did("ack(e1)");
		cr_expect_eq(meter_get(METER_events_expired), 2 + (int64_t)i, "%s",
			     told[i]);
	}
	empty_handed();
}

/* As if it said nothing: it lives for push_ttl. */
Test(delivery_life, a_time_that_is_none)
{
	static const char *const none[] = {
		"-1", "0", "1767323045678", "1e300", "99999999999999999999", "null",
		"true", "[]", "{}", "\"\"", "\"NaN\"", "\"-1\"", "\"1767323045678\"",
		"\"-0001-01-01T00:00:00Z\"", "\"10000-01-01T00:00:00Z\"",
		"\"2026-02-30T00:00:00Z\"",
	};
	char json[256], entry[16];
	const char *trace;

	open_with_one();
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		for (int late = 0; late < 2; late++) {
			snprintf(json, sizeof(json), "{\"userId\":\"ann\",\"type\":\"x\","
				 "\"expiresAt\":%s,\"queuedAt\":%s}", none[i], none[i]);
			fake.held[F_DEVICES] = true;
			snprintf(entry, sizeof(entry), "e%zu.%d", i, late);
			fake_event(entry, "%s", json);
			fake_pass(fake.conf.ttl_ms - !late);
			fake.held[F_DEVICES] = false;
			fake_turn();
			trace = fake_trace();
			cr_expect_eq(strstr(trace, "send(") == NULL, late, "%s: %s",
				     none[i], trace);
		}
	}
	empty_handed();
}
