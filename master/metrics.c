#include "master/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* In help and label values, backslash and newline are escaped; in label values
 * the double quote, too. */
static void add_escaped(struct buf *out, const char *s, bool label)
{
	for (; *s != '\0'; s++) {
		if (*s == '\n')
			buf_adds(out, "\\n");
		else if (*s == '\\' || (label && *s == '"'))
			buf_printf(out, "\\%c", *s);
		else
			buf_addc(out, *s);
	}
}

static void head(struct buf *out, const char *name, const char *type,
		 const char *help)
{
	buf_printf(out, "# HELP %s ", name);
	add_escaped(out, help, false);
	buf_printf(out, "\n# TYPE %s %s\n", name, type);
}

/* Exactly, where a double would round: microseconds as seconds. */
static void add_seconds(struct buf *out, int64_t us)
{
	buf_printf(out, "%" PRId64 ".%06" PRId64, us / 1000000, us % 1000000);
}

static void add_bound(struct buf *out, int64_t us)
{
	add_seconds(out, us);
	while (out->p[out->len - 1] == '0')
		out->len--;
}

static void add_histogram(struct buf *out, const char *name, unsigned slot,
			  const struct stats_item *it)
{
	for (size_t i = 0; i < STATS_BOUNDS; i++) {
		buf_printf(out, "%s_bucket{worker=\"%u\",le=\"", name, slot);
		add_bound(out, stats_bounds_us[i]);
		buf_printf(out, "\"} %" PRIu64 "\n", it->below[i]);
	}
	buf_printf(out, "%s_bucket{worker=\"%u\",le=\"+Inf\"} %" PRIu64 "\n",
		   name, slot, it->count);
	buf_printf(out, "%s_sum{worker=\"%u\"} ", name, slot);
	add_seconds(out, (int64_t)it->sum_us);
	buf_printf(out, "\n%s_count{worker=\"%u\"} %" PRIu64 "\n", name, slot,
		   it->count);
}

/* [a-zA-Z_:][a-zA-Z0-9_:]*; ours are, a broken page's need not be. */
static bool is_name(const char *s)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

	return *s != '\0' && s[strspn(s, chars)] == '\0';
}

static void name_of(const struct stats_item *it, char out[128])
{
	size_t n = strnlen(it->name, 100);

	if (it->kind == 'h' && n > 3 && memcmp(it->name + n - 3, "_us", 3) == 0)
		n -= 3;
	snprintf(out, 128, "pairwire_%.*s%s", (int)n, it->name,
		 it->kind == 'h' ? "_seconds" : it->kind == 'c' ? "_total" : "");
}

/* NULL: a kind of a version to come. */
static const char *type_of(const struct stats_item *it)
{
	switch (it->kind) {
	case 'c':
		return "counter";
	case 'g':
		return "gauge";
	case 'h':
		return "histogram";
	}
	return NULL;
}

/* all: the sum over the workers. */
static void add_item(struct buf *out, const struct stats_item *all, size_t hint,
		     const struct metrics_worker *w, unsigned n)
{
	char name[128];

	name_of(all, name);
	head(out, name, type_of(all), all->help);
	if (tally_is_cluster(all)) {
		buf_printf(out, "%s %" PRId64 "\n", name, all->value);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		const struct stats_item *it = tally_find(&w[i].tally, all->name,
							 hint);

		if (it == NULL || it->kind != all->kind)
			continue;
		if (it->kind == 'h')
			add_histogram(out, name, i, it);
		else
			buf_printf(out, "%s{worker=\"%u\"} %" PRId64 "\n", name,
				   i, it->value);
	}
}

static void add_items(struct buf *out, const struct metrics_worker *w,
		      unsigned n)
{
	struct tally all = { 0 };

	for (unsigned i = 0; i < n; i++)
		tally_add(&all, &w[i].tally);
	for (size_t i = 0; i < all.n; i++) {
		const struct stats_item *it = &all.items[i];

		if (is_name(it->name) && type_of(it) != NULL &&
		    strcmp(it->name, "heartbeat_ms") != 0)
			add_item(out, it, i, w, n);
	}
	tally_free(&all);
}

static void add_master(struct buf *out, const struct metrics_master *m,
		       unsigned workers)
{
	head(out, "pairwire_build_info", "gauge", "always 1");
	buf_adds(out, "pairwire_build_info{version=\"");
	add_escaped(out, m->version, true);
	buf_adds(out, "\",node=\"");
	add_escaped(out, m->node, true);
	buf_adds(out, "\"} 1\n");
	head(out, "pairwire_workers", "gauge", "worker slots");
	buf_printf(out, "pairwire_workers %u\n", workers);
	head(out, "process_start_time_seconds", "gauge",
	     "start of the master, since the epoch");
	buf_adds(out, "process_start_time_seconds ");
	add_seconds(out, m->started_us);
	buf_addc(out, '\n');
	head(out, "process_cpu_seconds_total", "counter",
	     "user and system time of the master");
	buf_adds(out, "process_cpu_seconds_total ");
	add_seconds(out, m->cpu_us);
	buf_addc(out, '\n');
	head(out, "process_resident_memory_bytes", "gauge",
	     "resident memory of the master");
	buf_printf(out, "process_resident_memory_bytes %" PRId64 "\n",
		   m->rss_bytes);
}

static void add_workers(struct buf *out, const struct metrics_worker *w,
			unsigned n)
{
	head(out, "pairwire_worker_up", "gauge", "1 while a worker serves");
	for (unsigned i = 0; i < n; i++)
		buf_printf(out, "pairwire_worker_up{worker=\"%u\"} %d\n", i,
			   w[i].up);
	head(out, "pairwire_worker_restarts_total", "counter",
	     "workers started in place of one that ended");
	for (unsigned i = 0; i < n; i++)
		buf_printf(out, "pairwire_worker_restarts_total{worker=\"%u\"} "
			   "%u\n", i, w[i].restarts);
	head(out, "pairwire_worker_cpu_seconds_total", "counter",
	     "user and system time");
	for (unsigned i = 0; i < n; i++) {
		buf_printf(out, "pairwire_worker_cpu_seconds_total{worker=\"%u\"} ",
			   i);
		add_seconds(out, w[i].cpu_us);
		buf_addc(out, '\n');
	}
	head(out, "pairwire_worker_resident_memory_bytes", "gauge",
	     "resident memory");
	for (unsigned i = 0; i < n; i++)
		if (w[i].rss_bytes != -1)
			buf_printf(out, "pairwire_worker_resident_memory_bytes"
				   "{worker=\"%u\"} %" PRId64 "\n", i,
				   w[i].rss_bytes);
	head(out, "pairwire_worker_heartbeat_age_seconds", "gauge",
	     "since the worker's loop last said that it turns");
	for (unsigned i = 0; i < n; i++)
		if (w[i].heartbeat_age_ms != -1)
			buf_printf(out, "pairwire_worker_heartbeat_age_seconds"
				   "{worker=\"%u\"} %" PRId64 ".%03" PRId64 "\n",
				   i, w[i].heartbeat_age_ms / 1000,
				   w[i].heartbeat_age_ms % 1000);
}

void metrics_write(const struct metrics_master *m,
		   const struct metrics_worker *w, unsigned n, struct buf *out)
{
	add_master(out, m, n);
	add_workers(out, w, n);
	add_items(out, w, n);
}
