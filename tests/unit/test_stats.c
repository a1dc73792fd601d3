#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/ipc/stats_page.h"

static struct stats_item item(const struct stats_view *v, const char *name)
{
	struct stats_item it;

	for (size_t i = 0; stats_view_item(v, i, &it); i++)
		if (strcmp(it.name, name) == 0)
			return it;
	cr_assert(false, "no item %s", name);
	return it;
}

Test(stats, needs_no_set_up)
{
	stats_inc(STAT_accepted);
	stats_add(STAT_accepted, 4);
	stats_inc(STAT_connections);
	stats_dec(STAT_connections);
	stats_observe(STAT_store_us, 5);
	stats_observe(STAT_accepted, 5);	/* not a histogram: ignored */
	flight_record(FLIGHT_ACCEPTED, "0123456789abcdef01234567", 1);
	cr_assert_eq(stats_get(STAT_accepted), 5);
	cr_assert_eq(stats_get(STAT_connections), 0);
}

Test(stats, the_reader_sees_what_was_written)
{
	int fd = stats_create();
	struct stats_view *v;
	struct stats_item it;
	size_t n = 0;

	cr_assert_geq(fd, 0);
	cr_assert_null(stats_view_open(fd), "not attached yet");
	cr_assert_eq(stats_attach(fd), 0);
	v = stats_view_open(fd);
	cr_assert_not_null(v);
	stats_add(STAT_events_in, 41);
	stats_inc(STAT_events_in);
	stats_set(STAT_heartbeat_ms, 1234567890123);
	stats_add(STAT_connections, -3);
	for (int i = 1; i <= 1000; i++)
		stats_observe(STAT_store_us, i);
	it = item(v, "events_in");
	cr_assert_eq(it.kind, 'c');
	cr_assert_eq(it.value, 42);
	cr_assert_str_eq(it.help, "client events received");
	it = item(v, "connections");
	cr_assert_eq(it.kind, 'g');
	cr_assert_eq(it.value, -3);
	it = item(v, "store_us");
	cr_assert_eq(it.kind, 'h');
	cr_assert_eq(it.count, 1000);
	cr_assert_eq(it.sum_us, 500500);
	cr_assert(it.p50_us > 470 && it.p50_us < 530, "%ld", (long)it.p50_us);
	cr_assert(it.p99_us > 930 && it.p99_us < 1050, "%ld", (long)it.p99_us);
	cr_assert_eq(item(v, "route_us").count, 0);
	cr_assert_eq(item(v, "route_us").p99_us, 0);
	cr_assert_eq(stats_view_value(v, "heartbeat_ms", -1), 1234567890123);
	cr_assert_eq(stats_view_value(v, "store_us", -1), -1);
	cr_assert_eq(stats_view_value(v, "no_such", -7), -7);
	while (stats_view_item(v, n, &it))
		n++;
	cr_assert_eq(n, STAT__COUNT);
	stats_view_close(&v);
	cr_assert_null(v);
}

Test(stats, buckets_are_close_and_ordered)
{
	size_t last = 0;

	for (int64_t v = 0; v < 2000000; v += 1 + v / 50) {
		size_t i = hist_index(v);
		int64_t mid = hist_value(i, HIST_SUB_BITS);
		int64_t off = mid > v ? mid - v : v - mid;

		cr_assert_geq(i, last);
		last = i;
		cr_assert_leq(off * 100, v * 7, "%ld shown as %ld", (long)v,
			      (long)mid);
	}
	cr_assert_eq(hist_index(INT64_MAX), HIST_BUCKETS - 1);
	cr_assert_eq(hist_index((INT64_C(1) << 36) - 1), HIST_BUCKETS - 1);
	cr_assert_eq(hist_index(INT64_C(7) << 33), HIST_BUCKETS - 2);
	cr_assert_eq(hist_index(-5), 0);
}

/* On either side of a bound, and what bounds do not cut. */
Test(stats, histograms_are_cut_at_the_bounds)
{
	int fd = stats_create();
	struct stats_view *v;
	struct stats_item it;

	cr_assert_eq(stats_attach(fd), 0);
	v = stats_view_open(fd);
	it = item(v, "route_us");
	for (size_t i = 0; i < STATS_BOUNDS; i++) {
		cr_assert_eq(it.below[i], 0);
		cr_assert(i == 0 || stats_bounds_us[i] > stats_bounds_us[i - 1]);
		cr_assert_eq(stats_bounds_us[i] & (stats_bounds_us[i] - 1), 0);
		stats_observe(STAT_route_us, stats_bounds_us[i] - 1);
		stats_observe(STAT_route_us, stats_bounds_us[i]);
	}
	stats_observe(STAT_route_us, 0);
	stats_observe(STAT_route_us, INT64_MAX);
	it = item(v, "route_us");
	for (size_t i = 0; i < STATS_BOUNDS; i++)
		cr_assert_eq(it.below[i], 2 * i + 2, "%zu: %lu", i,
			     (unsigned long)it.below[i]);
	cr_assert_eq(it.count, 2 * STATS_BOUNDS + 2);
	stats_view_close(&v);
}

/* As fine as `top` wants them. */
Test(stats, histograms_are_cut_where_one_wants)
{
	int fd = stats_create();
	struct stats_view *v;
	int64_t bounds[69];
	uint64_t below[69], n = 0;

	cr_assert_eq(stats_attach(fd), 0);
	v = stats_view_open(fd);
	for (int i = 0; i < 69; i++) {
		bounds[i] = (int64_t)(4 + i % 4) << (i / 4 + 5);
		stats_observe(STAT_route_us, bounds[i] - 1);
		stats_observe(STAT_route_us, bounds[i]);
	}
	stats_observe(STAT_store_us, 1100);
	cr_assert(stats_view_cut(v, "route_us", bounds, 69, below, &n));
	cr_assert_eq(n, 2 * 69);
	for (uint64_t i = 0; i < 69; i++)
		cr_assert_eq(below[i], 2 * i + 1, "%lu: %lu", (unsigned long)i,
			     (unsigned long)below[i]);
	cr_assert(stats_view_cut(v, "store_us", bounds, 69, below, &n));
	cr_assert_eq(n, 1);
	cr_expect(below[12] == 0 && below[13] == 1, "between 1,024 and 1,280");
	cr_expect_not(stats_view_cut(v, "accepted", bounds, 69, below, &n));
	cr_expect_not(stats_view_cut(v, "none", bounds, 69, below, &n));
	stats_view_close(&v);
}

Test(stats, outlives_its_writer)
{
	int fd = stats_create();
	struct stats_view *v;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (stats_attach(fd) != 0)
			_exit(1);
		stats_add(STAT_messages_accepted, 9);
		flight_record(FLIGHT_STORED, "00112233445566778899aabb", 77);
		kill(getpid(), SIGKILL);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status));
	v = stats_view_open(fd);
	cr_assert_not_null(v);
	close(fd);
	cr_assert_eq(stats_view_value(v, "messages_accepted", 0), 9);
	stats_view_close(&v);
}

Test(stats, flight_recorder_keeps_the_newest)
{
	int fd = stats_create();
	struct flight_item it;
	struct stats_view *v;
	char id[25];
	size_t n;

	cr_assert_eq(stats_attach(fd), 0);
	v = stats_view_open(fd);
	cr_assert_not(stats_view_flight(v, 0, &it));
	flight_record(FLIGHT_READ, "bad", 1);
	cr_assert(stats_view_flight(v, 0, &it));
	cr_assert_str_eq(it.id, "ba0000000000000000000000");
	for (uint32_t i = 0; i < FLIGHT_RING + 10; i++) {
		snprintf(id, sizeof(id), "%024x", (unsigned)i);
		flight_record(FLIGHT_ROUTED, id, i);
	}
	for (n = 0; stats_view_flight(v, n, &it); n++) {
		uint32_t i = FLIGHT_RING + 9 - (uint32_t)n;

		snprintf(id, sizeof(id), "%024x", (unsigned)i);
		cr_assert_eq(it.arg, i);
		cr_assert_eq(it.event, FLIGHT_ROUTED);
		cr_assert_str_eq(it.id, id);
		cr_assert_gt(it.wall_us, 0);
	}
	cr_assert_eq(n, FLIGHT_RING);
	stats_view_close(&v);
}

Test(stats, flight_recorder_by_message)
{
	static const char id[] = "00112233445566778899aabb";
	struct flight_item it[4];
	struct stats_view *v;
	int fd = stats_create();

	cr_assert_eq(stats_attach(fd), 0);
	v = stats_view_open(fd);
	cr_assert_eq(stats_view_flight_of(v, id, it, 4), 0);
	flight_record(FLIGHT_ACCEPTED, id, 0);
	for (uint32_t i = 0; i < FLIGHT_RING - 3; i++)
		flight_record(FLIGHT_READ, "00112233445566778899aabc", 1);
	flight_record(FLIGHT_STORED, id, 7);
	flight_record(FLIGHT_WRITTEN, id, 2);
	cr_assert_eq(stats_view_flight_of(v, id, it, 4), 3);
	cr_expect_eq(it[0].event, FLIGHT_WRITTEN);
	cr_expect_eq(it[1].event, FLIGHT_STORED);
	cr_expect_eq(it[1].arg, 7);
	cr_expect_str_eq(it[1].id, id);
	cr_expect_eq(it[2].event, FLIGHT_ACCEPTED);
	cr_expect_eq(stats_view_flight_of(v, "00112233445566778899AABB", it, 2), 2);
	flight_record(FLIGHT_READ, "ff", 1);	/* takes the oldest one's place */
	cr_expect_eq(stats_view_flight_of(v, id, it, 4), 2);
	stats_view_close(&v);
}

/* Always on, eight times a message: its cost is part of each message's. */
Test(stats, flight_recorder_is_cheap)
{
	const uint32_t n = 1 << 20;
	struct timespec from, to;
	double ns;

	cr_assert_eq(stats_attach(stats_create()), 0);
	for (uint32_t i = 0; i < FLIGHT_RING; i++)
		flight_record(FLIGHT_READ, "00112233445566778899aabb", i);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	for (uint32_t i = 0; i < n; i++)
		flight_record(FLIGHT_READ, "00112233445566778899aabb", i);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	ns = ((double)(to.tv_sec - from.tv_sec) * 1e9 +
	      (double)(to.tv_nsec - from.tv_nsec)) / n;
	fprintf(stderr, "figure: a flight recorder's event takes %.0f ns of CPU time\n", ns);
	cr_expect_lt(ns, 1000, "%.0f ns", ns);
}

Test(stats, cannot_shrink_below_the_reader)
{
	int fd = stats_create();

	cr_assert_eq(ftruncate(fd, 100), -1);
	cr_assert_eq(errno, EPERM);
}

static void read_all(const struct stats_view *v)
{
	struct flight_item f;
	struct stats_item it;

	for (size_t i = 0; stats_view_item(v, i, &it); i++)
		cr_assert_lt(strlen(it.name) + strlen(it.help), 10 << 20);
	for (size_t i = 0; i < 100 && stats_view_flight(v, i, &f); i++)
		cr_assert_lt(strlen(f.id), 25);
}

/* Whatever stands in head and items, reading stays within the page. */
Test(stats, broken_pages)
{
	int fd = stats_create();
	struct stats_view *v;
	unsigned char *p;
	size_t n;

	cr_assert_eq(stats_attach(fd), 0);
	n = sizeof(struct stats_head) + 2 * sizeof(struct stats_entry);
	p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	for (size_t i = 0; i < n; i++) {
		static const unsigned char values[] = { 0, 1, 0x7f, 0xff };
		unsigned char old = p[i];

		for (size_t j = 0; j < sizeof(values); j++) {
			p[i] = values[j];
			v = stats_view_open(fd);
			p[i] = old;
			if (v != NULL)
				read_all(v);
			stats_view_close(&v);
		}
	}
	v = stats_view_open(fd);
	cr_assert_not_null(v);
	stats_view_close(&v);
}
