#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/service/exposition.h"
#include "pushd/meters.h"

static char *written(void)
{
	const struct expo_process p = { .who = "pushd", .version = "1",
					.node = "a\"b", .started_us = 1500000,
					.cpu_us = 2, .rss_bytes = 4096 };
	struct buf b = { 0 };
	char *text;

	meters_write(&p, &b);
	text = strdup(buf_str(&b));
	cr_assert_eq(strlen(text), b.len, "no NUL within");
	buf_free(&b);
	return text;
}

static void has(const char *text, const char *line)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "\n%s\n", line);
	cr_expect_not_null(strstr(text, whole), "no line \"%s\" in\n%s", line, text);
}

Test(meters, are_written)
{
	char *text;

	meter_inc(METER_events);
	meter_add(METER_events, 41);
	meter_set(METER_queue_lag, -1);
	meter_add_each(METER_sent, PROVIDER_APNS, 3);
	meter_failed(PROVIDER_FCM, "UNREGISTERED");
	meter_failed(PROVIDER_FCM, "UNREGISTERED");
	meter_failed(PROVIDER_APNS, "BadDeviceToken");
	meter_failed(PROVIDER_APNS, "no such reason");
	cr_expect_eq(meter_get(METER_events), 42);
	cr_expect_eq(meter_get_each(METER_sent, PROVIDER_APNS), 3);
	cr_expect_eq(meter_get_each(METER_sent, PROVIDER_FCM), 0);
	cr_expect_eq(meter_failed_all(PROVIDER_FCM), 2);
	cr_expect_eq(meter_failed_all(PROVIDER_APNS), 2);
	text = written();
	has(text, "pairwire_pushd_build_info{version=\"1\",node=\"a\\\"b\"} 1");
	has(text, "process_start_time_seconds 1.500000");
	has(text, "# TYPE pairwire_pushd_events_total counter");
	has(text, "pairwire_pushd_events_total 42");
	has(text, "# TYPE pairwire_pushd_queue_lag gauge");
	has(text, "pairwire_pushd_queue_lag -1");
	has(text, "pairwire_pushd_sent_total{provider=\"fcm\"} 0");
	has(text, "pairwire_pushd_sent_total{provider=\"apns\"} 3");
	has(text, "pairwire_pushd_failed_total{provider=\"fcm\",reason=\"UNREGISTERED\"} 2");
	has(text, "pairwire_pushd_failed_total{provider=\"apns\",reason=\"BadDeviceToken\"} 1");
	has(text, "pairwire_pushd_failed_total{provider=\"apns\",reason=\"other\"} 1");
	free(text);
}

Test(meters, latency_is_a_histogram)
{
	char *text;

	meter_latency(PROVIDER_APNS, 127);
	meter_latency(PROVIDER_APNS, 128);
	meter_latency(PROVIDER_APNS, 100000000);
	text = written();
	has(text, "pairwire_pushd_latency_seconds_bucket{provider=\"apns\",le=\"0.000128\"} 1");
	has(text, "pairwire_pushd_latency_seconds_bucket{provider=\"apns\",le=\"0.000512\"} 2");
	has(text, "pairwire_pushd_latency_seconds_bucket{provider=\"apns\",le=\"16.777216\"} 2");
	has(text, "pairwire_pushd_latency_seconds_bucket{provider=\"apns\",le=\"+Inf\"} 3");
	has(text, "pairwire_pushd_latency_seconds_count{provider=\"apns\"} 3");
	has(text, "pairwire_pushd_latency_seconds_sum{provider=\"apns\"} 100.000255");
	has(text, "pairwire_pushd_latency_seconds_count{provider=\"fcm\"} 0");
	free(text);
}

/* Prometheus refuses a page with the same series twice. */
Test(meters, no_series_twice)
{
	char *text = written();
	static char *lines[1024];
	char *save = NULL;
	size_t n = 0;

	for (char *l = strtok_r(text, "\n", &save); l != NULL;
	     l = strtok_r(NULL, "\n", &save)) {
		if (*l == '#')
			continue;
		*strrchr(l, ' ') = '\0';
		for (size_t i = 0; i < n; i++)
			cr_expect_str_neq(lines[i], l);
		cr_assert_lt(n, ARRAY_SIZE(lines));
		lines[n++] = l;
	}
	cr_expect_gt(n, 100);
	free(text);
}
