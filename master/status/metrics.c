#include "master/status/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void add_histogram(struct buf *out, const char *name, unsigned slot,
			  const struct stats_item *it)
{
	char labels[32];

	snprintf(labels, sizeof(labels), "worker=\"%u\"", slot);
	expo_histogram(out, name, labels, it->below, it->sum_us, it->count);
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
	expo_head(out, name, type_of(all), all->help);
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

static void add_master(struct buf *out, const struct expo_process *m,
		       unsigned workers)
{
	expo_build(out, "pairwire_build_info", m);
	expo_head(out, "pairwire_workers", "gauge", "worker slots");
	buf_printf(out, "pairwire_workers %u\n", workers);
	expo_process(out, m);
}

static void add_workers(struct buf *out, const struct metrics_worker *w,
			unsigned n)
{
	expo_head(out, "pairwire_worker_up", "gauge", "1 while a worker serves");
	for (unsigned i = 0; i < n; i++)
		buf_printf(out, "pairwire_worker_up{worker=\"%u\"} %d\n", i,
			   w[i].up);
	expo_head(out, "pairwire_worker_restarts_total", "counter",
	     "workers started in place of one that ended");
	for (unsigned i = 0; i < n; i++)
		buf_printf(out, "pairwire_worker_restarts_total{worker=\"%u\"} "
			   "%u\n", i, w[i].restarts);
	expo_head(out, "pairwire_worker_draining", "gauge",
		  "workers before this one whose clients have not all left");
	for (unsigned i = 0; i < n; i++)
		buf_printf(out, "pairwire_worker_draining{worker=\"%u\"} %u\n",
			   i, w[i].draining);
	expo_head(out, "pairwire_worker_cpu_seconds_total", "counter",
	     "user and system time");
	for (unsigned i = 0; i < n; i++) {
		buf_printf(out, "pairwire_worker_cpu_seconds_total{worker=\"%u\"} ",
			   i);
		expo_seconds(out, w[i].cpu_us);
		buf_addc(out, '\n');
	}
	expo_head(out, "pairwire_worker_resident_memory_bytes", "gauge",
	     "resident memory");
	for (unsigned i = 0; i < n; i++)
		if (w[i].rss_bytes != -1)
			buf_printf(out, "pairwire_worker_resident_memory_bytes"
				   "{worker=\"%u\"} %" PRId64 "\n", i,
				   w[i].rss_bytes);
	expo_head(out, "pairwire_worker_heartbeat_age_seconds", "gauge",
	     "since the worker's loop last said that it turns");
	for (unsigned i = 0; i < n; i++)
		if (w[i].heartbeat_age_ms != -1)
			buf_printf(out, "pairwire_worker_heartbeat_age_seconds"
				   "{worker=\"%u\"} %" PRId64 ".%03" PRId64 "\n",
				   i, w[i].heartbeat_age_ms / 1000,
				   w[i].heartbeat_age_ms % 1000);
}

void metrics_write(const struct expo_process *m,
		   const struct metrics_worker *w, unsigned n, struct buf *out)
{
	add_master(out, m, n);
	add_workers(out, w, n);
	add_items(out, w, n);
}
