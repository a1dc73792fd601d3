/* When the watchdog is fed, and what its status says. Delivery, queue and
 * systemd are played here. */
#include <criterion/criterion.h>

#include <stdarg.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/conf/conf.h"
#include "common/loop/loop.h"
#include "common/queue/push_queue.h"
#include "common/service/notify.h"
#include "pushd/delivery.h"
#include "pushd/meters.h"
#include "pushd/operations.h"

#define MINUTE (60 * INT64_C(1000000))

static size_t in_flight;
static int64_t lag;
static bool (*well)(void *arg);
static void *well_arg;
static char status[512];

size_t delivery_in_flight(const struct delivery *d)
{
	(void)d;
	return in_flight;
}

int64_t push_consumer_lag(const struct push_consumer *c)
{
	(void)c;
	return lag;
}

void notify_watchdog(struct loop *l, bool (*fn)(void *arg), void *arg)
{
	(void)l;
	well = fn;
	well_arg = arg;
}

void notify_status(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(status, sizeof(status), fmt, ap);
	va_end(ap);
}

void notify_end(void)
{
}

static struct conf conf = { .pushd_listen = (char *)"", .node = (char *)"n" };
static struct loop *loop;
static struct operations *ops;

static void backends(bool up)
{
	meter_set(METER_queue_up, up);
	meter_set(METER_postgres_up, up);
	meter_set(METER_redis_up, up);
	meter_set(METER_store_up, up);
}

static void begin(void)
{
	char err[ADMIN_ERR_MAX];

	clock_fake_set(MINUTE, MINUTE);
	loop = loop_new();
	cr_assert_eq(operations_new(&conf, &ops, err), 0);
	cr_assert_null(operations_address(ops));
	operations_start(ops, loop, NULL, NULL);
	backends(true);
}

static void end(void)
{
	operations_free(&ops);
	loop_free(&loop);
}
TestSuite(operations, .init = begin, .fini = end);

static bool is_well_at(int64_t minutes)
{
	clock_fake_set((minutes + 1) * MINUTE, MINUTE);
	return well(well_arg);
}

Test(operations, idle_is_well)
{
	cr_expect(is_well_at(0));
	cr_expect(is_well_at(10000));
}

Test(operations, what_moves_is_well)
{
	in_flight = 7;
	cr_expect(is_well_at(0));
	meter_add_each(METER_sent, PROVIDER_FCM, 1);
	cr_expect(is_well_at(74));
	meter_failed(PROVIDER_APNS, "timeout");
	cr_expect(is_well_at(140));
	meter_add_each(METER_retries, PROVIDER_APNS, 1);
	cr_expect(is_well_at(210));
	meter_inc(METER_events_done);
	cr_expect(is_well_at(280));
}

Test(operations, what_does_not_move_is_stuck)
{
	in_flight = 1;
	cr_expect(is_well_at(0));
	cr_expect(is_well_at(74));
	cr_expect_not(is_well_at(75));
	meter_inc(METER_events_done);
	cr_expect(is_well_at(76));
}

Test(operations, a_backend_that_is_away_is_not_being_stuck)
{
	in_flight = 1;
	cr_expect(is_well_at(0));
	meter_set(METER_store_up, 0);
	cr_expect(is_well_at(100));
	backends(true);
	cr_expect(is_well_at(174));
	cr_expect_not(is_well_at(175));
}

Test(operations, status)
{
	in_flight = 3;
	lag = 12;
	meter_add_each(METER_sent, PROVIDER_FCM, 4);
	meter_add_each(METER_sent, PROVIDER_APNS, 5);
	meter_failed(PROVIDER_FCM, "timeout");
	operations_stopping(ops);
	cr_expect_str_eq(status, "stopping: 9 sent, 1 failed, 3 in flight, lag 12");
	meter_set(METER_redis_up, 0);
	meter_set(METER_queue_up, 0);
	meter_set(METER_paused, 1);
	operations_stopping(ops);
	cr_expect_str_eq(status, "stopping: 9 sent, 1 failed, 3 in flight, lag 12, "
			 "paused, down: queue,redis");
}
