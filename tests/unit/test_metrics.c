#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/service/proc_stat.h"
#include "master/status/metrics.h"

/* A page as another worker writes it; stays the one written. */
static struct stats_view *new_page(void)
{
	int fd = stats_create();
	struct stats_view *v;

	cr_assert_geq(fd, 0);
	cr_assert_eq(stats_attach(fd), 0);
	v = stats_view_open(fd);
	cr_assert_not_null(v);
	close(fd);
	return v;
}

static const struct expo_process master = {
	.who = "the master", .version = "1.2\"3", .node = "a\\b\nc", .started_us = 1700000000000042,
	.cpu_us = 1500000, .rss_bytes = 4096,
};

/* The caller's. */
static char *written(const struct metrics_worker *w, unsigned n)
{
	struct buf b = { 0 };
	char *text;

	metrics_write(&master, w, n, &b);
	text = strdup(buf_str(&b));
	cr_assert_eq(strlen(text), b.len, "no NUL within");
	buf_free(&b);
	return text;
}

static void has(const char *text, const char *want)
{
	cr_expect_not_null(strstr(text, want), "no \"%s\" in\n%s", want, text);
}

static void has_not(const char *text, const char *what)
{
	cr_expect_null(strstr(text, what), "\"%s\" in\n%s", what, text);
}

Test(metrics, of_no_worker)
{
	char *text = written(NULL, 0);

	cr_expect_str_eq(text,
		"# HELP pairwire_build_info always 1\n"
		"# TYPE pairwire_build_info gauge\n"
		"pairwire_build_info{version=\"1.2\\\"3\",node=\"a\\\\b\\nc\"} 1\n"
		"# HELP pairwire_workers worker slots\n"
		"# TYPE pairwire_workers gauge\n"
		"pairwire_workers 0\n"
		"# HELP process_start_time_seconds start, since the epoch, of the master\n"
		"# TYPE process_start_time_seconds gauge\n"
		"process_start_time_seconds 1700000000.000042\n"
		"# HELP process_cpu_seconds_total user and system time of the master\n"
		"# TYPE process_cpu_seconds_total counter\n"
		"process_cpu_seconds_total 1.500000\n"
		"# HELP process_resident_memory_bytes resident memory of the master\n"
		"# TYPE process_resident_memory_bytes gauge\n"
		"process_resident_memory_bytes 4096\n"
		"# HELP pairwire_worker_up 1 while a worker serves\n"
		"# TYPE pairwire_worker_up gauge\n"
		"# HELP pairwire_worker_restarts_total workers started in place of one that ended\n"
		"# TYPE pairwire_worker_restarts_total counter\n"
		"# HELP pairwire_worker_draining workers before this one whose clients have not all left\n"
		"# TYPE pairwire_worker_draining gauge\n"
		"# HELP pairwire_worker_cpu_seconds_total user and system time\n"
		"# TYPE pairwire_worker_cpu_seconds_total counter\n"
		"# HELP pairwire_worker_resident_memory_bytes resident memory\n"
		"# TYPE pairwire_worker_resident_memory_bytes gauge\n"
		"# HELP pairwire_worker_heartbeat_age_seconds since the worker's loop last said that it turns\n"
		"# TYPE pairwire_worker_heartbeat_age_seconds gauge\n");
	free(text);
}

#define ROW(kind, name, help) { #kind, #name, help },
static const struct { const char *kind, *name, *help; } rows[] = {
	STATS_TABLE(ROW)
};

/* No row is left out, none is there twice. */
Test(metrics, every_row_of_the_table)
{
	struct metrics_worker w = { .up = true, .restarts = 3, .cpu_us = 20000,
				    .rss_bytes = 123, .heartbeat_age_ms = 1005 };
	struct stats_view *page = new_page();
	char want[256], *text;

	tally_add_page(&w.tally, page, TALLY_ALL);
	text = written(&w, 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool hist = *rows[i].kind == 'H', counter = *rows[i].kind == 'C';
		int n = (int)strlen(rows[i].name) - (hist ? 3 : 0);
		const char *first;

		if (strcmp(rows[i].name, "heartbeat_ms") == 0)
			continue;
		snprintf(want, sizeof(want), "\n# HELP pairwire_%.*s%s %s\n"
			 "# TYPE pairwire_%.*s%s %s\npairwire_%.*s", n,
			 rows[i].name, hist ? "_seconds" : counter ? "_total" : "",
			 rows[i].help, n, rows[i].name,
			 hist ? "_seconds" : counter ? "_total" : "",
			 hist ? "histogram" : counter ? "counter" : "gauge", n,
			 rows[i].name);
		has(text, want);
		first = strstr(text, want);
		cr_expect(first == NULL || strstr(first + 1, want) == NULL);
	}
	has_not(text, "heartbeat_ms");
	has(text, "\npairwire_workers 1\n");
	has(text, "\npairwire_worker_up{worker=\"0\"} 1\n");
	has(text, "\npairwire_worker_restarts_total{worker=\"0\"} 3\n");
	has(text, "\npairwire_worker_draining{worker=\"0\"} 0\n");
	has(text, "\npairwire_worker_cpu_seconds_total{worker=\"0\"} 0.020000\n");
	has(text, "\npairwire_worker_resident_memory_bytes{worker=\"0\"} 123\n");
	has(text, "\npairwire_worker_heartbeat_age_seconds{worker=\"0\"} 1.005\n");
	free(text);
	tally_free(&w.tally);
	stats_view_close(&page);
}

/* An empty slot, after a worker: its counts, and nothing that only a worker
 * has. */
Test(metrics, a_slot_without_a_worker)
{
	struct metrics_worker w[2] = {
		{ .up = true, .rss_bytes = 1, .heartbeat_age_ms = 0 },
		{ .rss_bytes = -1, .heartbeat_age_ms = -1 },
	};
	struct stats_view *live = new_page(), *dead;
	char *text;

	stats_set(STAT_users, 7);
	stats_set(STAT_cluster_online_users, 30);
	stats_add(STAT_events_in, 5);
	dead = new_page();
	stats_set(STAT_users, 9);
	stats_set(STAT_cluster_online_users, 31);
	stats_add(STAT_events_in, 6);
	stats_observe(STAT_store_us, 100);
	tally_add_page(&w[0].tally, live, TALLY_ALL);
	tally_add_page(&w[1].tally, dead, TALLY_COUNTS);
	text = written(w, 2);
	has(text, "\npairwire_worker_up{worker=\"1\"} 0\n");
	has(text, "\npairwire_users{worker=\"0\"} 7\n");
	has_not(text, "pairwire_users{worker=\"1\"}");
	has(text, "\npairwire_events_in_total{worker=\"0\"} 5\n"
		  "pairwire_events_in_total{worker=\"1\"} 6\n");
	has(text, "\npairwire_store_seconds_count{worker=\"1\"} 1\n");
	has(text, "\npairwire_cluster_online_users 30\n");
	has_not(text, "resident_memory_bytes{worker=\"1\"}");
	has_not(text, "heartbeat_age_seconds{worker=\"1\"}");
	free(text);
	tally_free(&w[0].tally);
	tally_free(&w[1].tally);
	stats_view_close(&live);
	stats_view_close(&dead);
}

Test(metrics, histograms)
{
	struct metrics_worker w = { .up = true };
	struct stats_view *page = new_page();
	unsigned long last = 0, count;
	double last_le = 0, le;
	unsigned buckets = 0;
	char *text, *p;

	stats_observe(STAT_store_us, 127);
	stats_observe(STAT_store_us, 128);
	stats_observe(STAT_store_us, 3000000);
	stats_observe(STAT_store_us, 60000000);
	tally_add_page(&w.tally, page, TALLY_ALL);
	text = written(&w, 1);
	has(text, "\npairwire_store_seconds_bucket{worker=\"0\",le=\"0.000128\"} 1\n"
		  "pairwire_store_seconds_bucket{worker=\"0\",le=\"0.000512\"} 2\n");
	has(text, "\npairwire_store_seconds_bucket{worker=\"0\",le=\"1.048576\"} 2\n"
		  "pairwire_store_seconds_bucket{worker=\"0\",le=\"4.194304\"} 3\n");
	has(text, "\npairwire_store_seconds_bucket{worker=\"0\",le=\"+Inf\"} 4\n"
		  "pairwire_store_seconds_sum{worker=\"0\"} 63.000255\n"
		  "pairwire_store_seconds_count{worker=\"0\"} 4\n");
	for (p = text; (p = strstr(p, "\npairwire_store_seconds_bucket")) != NULL;
	     p++) {
		char bound[16];

		cr_assert_eq(sscanf(p, "\npairwire_store_seconds_bucket{worker=\"0\","
				    "le=\"%15[^\"]\"} %lu", bound, &count), 2);
		le = strtod(bound, NULL);
		cr_expect_gt(le, last_le);
		cr_expect_geq(count, last);
		last_le = le;
		last = count;
		buckets++;
	}
	cr_expect_eq(buckets, STATS_BOUNDS + 1);
	free(text);
	tally_free(&w.tally);
	stats_view_close(&page);
}

static uint64_t below(const struct tally *t, size_t bound)
{
	return tally_find(t, "route_us", 0)->below[bound];
}

/* As the master keeps it: the dead are added to what a slot had before, then
 * comes the next. Nothing that counts goes back. */
Test(tally, grows_over_restarts)
{
	struct tally ended = { 0 }, shown = { 0 };
	int64_t last = 0;

	for (int life = 1; life <= 3; life++) {
		struct stats_view *page = new_page();

		stats_add(STAT_accepted, life);
		stats_set(STAT_users, 10 * life);
		stats_observe(STAT_route_us, 200);
		tally_add_page(&shown, page, TALLY_ALL);
		tally_add(&shown, &ended);
		cr_expect_eq(tally_value(&shown, "accepted"), last + life);
		last = tally_value(&shown, "accepted");
		cr_expect_eq(tally_value(&shown, "users"), 10 * life,
			     "gauges die with their worker");
		cr_expect_eq(tally_find(&shown, "route_us", 0)->count, life);
		cr_expect_eq(tally_find(&shown, "route_us", 0)->sum_us, 200 * life);
		cr_expect_eq(below(&shown, 0), 0);
		cr_expect_eq(below(&shown, 1), life);
		tally_free(&shown);
		tally_add_page(&ended, page, TALLY_COUNTS);
		stats_view_close(&page);
	}
	cr_expect_eq(tally_value(&ended, "accepted"), 6);
	cr_expect_null(tally_find(&ended, "users", 0));
	tally_free(&ended);
	cr_expect_null(tally_find(&ended, "accepted", 0));
	tally_add_page(&shown, NULL, TALLY_ALL);
	cr_expect_eq(shown.n, 0);
}

/* Old and new binaries side by side: other rows, in another order, and one
 * that is of another kind now. */
Test(tally, versions_differ)
{
	struct stats_item old[] = {
		{ .kind = 'c', .name = "a", .help = "", .value = 1 },
		{ .kind = 'c', .name = "b", .help = "", .value = 2 },
		{ .kind = 'g', .name = "cluster_x", .help = "", .value = 5 },
		{ .kind = 'c', .name = "d", .help = "", .value = 3 },
	};
	struct stats_item new[] = {
		{ .kind = 'c', .name = "c", .help = "", .value = 10 },
		{ .kind = 'g', .name = "cluster_x", .help = "", .value = 4 },
		{ .kind = 'c', .name = "a", .help = "", .value = 20 },
		{ .kind = 'g', .name = "d", .help = "", .value = 30 },
	};
	const struct tally one = { old, ARRAY_SIZE(old) };
	const struct tally two = { new, ARRAY_SIZE(new) };
	struct tally sum = { 0 };

	tally_add(&sum, &one);
	tally_add(&sum, &two);
	cr_expect_eq(sum.n, 5);
	cr_expect_eq(tally_value(&sum, "a"), 21);
	cr_expect_eq(tally_value(&sum, "b"), 2);
	cr_expect_eq(tally_value(&sum, "c"), 10);
	cr_expect_eq(tally_value(&sum, "d"), 3);
	cr_expect_eq(tally_value(&sum, "cluster_x"), 5);
	cr_expect_eq(tally_value(&sum, "none"), 0);
	tally_free(&sum);
}

/* What a broken worker may have written. */
Test(metrics, names_that_are_none)
{
	struct stats_item items[] = {
		{ .kind = 'c', .name = "", .help = "", .value = 1 },
		{ .kind = 'c', .name = "a b", .help = "", .value = 1 },
		{ .kind = 'c', .name = "x\n", .help = "", .value = 1 },
		{ .kind = 'q', .name = "kind", .help = "", .value = 1 },
		{ .kind = '\0', .name = "kind0", .help = "", .value = 1 },
		{ .kind = 'g', .name = "good", .help = "a\\b\n\"c\"", .value = -1 },
	};
	struct metrics_worker w = { .tally = { items, ARRAY_SIZE(items) } };
	char *text = written(&w, 1), *empty;
	struct metrics_worker none = { .rss_bytes = 0 };

	empty = written(&none, 1);
	cr_expect_eq(strncmp(text, empty, strlen(empty)), 0);
	cr_expect_str_eq(text + strlen(empty),
			 "# HELP pairwire_good a\\\\b\\n\"c\"\n"
			 "# TYPE pairwire_good gauge\n"
			 "pairwire_good{worker=\"0\"} -1\n");
	free(text);
	free(empty);
}

#define HEAD "12 (a) b (c)) S 1 12 12 0 -1 4194560 200 0 0 0 "
#define TAIL " 0 0 20 0 1 0 99 1000000 "

Test(proc_stat, parse)
{
	static const struct {
		const char *text;
		int rc;
		int64_t ticks, pages;
	} cases[] = {
		{ HEAD "30 12" TAIL "50 18446744073709551615 1\n", 0, 42, 50 },
		{ HEAD "0 0" TAIL "0 1", 0, 0, 0 },
		{ HEAD "0 0" TAIL, -EBADMSG, 0, 0 },
		{ HEAD "0 0" TAIL "x", -EBADMSG, 0, 0 },
		{ HEAD "30", -EBADMSG, 0, 0 },
		{ "12 (a", -EBADMSG, 0, 0 },
		{ "", -EBADMSG, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct proc_stat s = { -1, -1 };

		cr_expect_eq(proc_stat_parse(cases[i].text, &s), cases[i].rc,
			     "%zu", i);
		if (cases[i].rc != 0) {
			cr_expect_eq(s.rss_bytes, -1);
			continue;
		}
		cr_expect_eq(s.cpu_us, cases[i].ticks * 1000000 /
				       sysconf(_SC_CLK_TCK));
		cr_expect_eq(s.rss_bytes, cases[i].pages * sysconf(_SC_PAGESIZE));
	}
}

Test(proc_stat, of_ourselves)
{
	struct proc_stat s;

	cr_assert_eq(proc_stat_read(getpid(), &s), 0);
	cr_expect_gt(s.rss_bytes, 100000);
	cr_expect_geq(s.cpu_us, 0);
	cr_expect_eq(proc_stat_read(-1, &s), -ENOENT);
}
