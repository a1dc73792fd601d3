#include "common/service/exposition.h"

#include <inttypes.h>
#include <string.h>

#include "common/ipc/stats.h"

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

void expo_head(struct buf *out, const char *name, const char *type,
	       const char *help)
{
	buf_printf(out, "# HELP %s ", name);
	add_escaped(out, help, false);
	buf_printf(out, "\n# TYPE %s %s\n", name, type);
}

void expo_label(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "%s=\"", name);
	add_escaped(out, value, true);
	buf_addc(out, '"');
}

void expo_seconds(struct buf *out, int64_t us)
{
	buf_printf(out, "%" PRId64 ".%06" PRId64, us / 1000000, us % 1000000);
}

static void add_bound(struct buf *out, int64_t us)
{
	expo_seconds(out, us);
	while (out->p[out->len - 1] == '0')
		out->len--;
}

void expo_histogram(struct buf *out, const char *name, const char *labels,
		    const uint64_t *below, uint64_t sum_us, uint64_t count)
{
	for (size_t i = 0; i < STATS_BOUNDS; i++) {
		buf_printf(out, "%s_bucket{%s,le=\"", name, labels);
		add_bound(out, stats_bounds_us[i]);
		buf_printf(out, "\"} %" PRIu64 "\n", below[i]);
	}
	buf_printf(out, "%s_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n%s_sum{%s} ",
		   name, labels, count, name, labels);
	expo_seconds(out, (int64_t)sum_us);
	buf_printf(out, "\n%s_count{%s} %" PRIu64 "\n", name, labels, count);
}

void expo_build(struct buf *out, const char *name, const struct expo_process *p)
{
	expo_head(out, name, "gauge", "always 1");
	buf_printf(out, "%s{", name);
	expo_label(out, "version", p->version);
	expo_label(out, ",node", p->node);
	buf_adds(out, "} 1\n");
}

static void add_process_head(struct buf *out, const char *name, const char *type,
			     const char *what, const char *who)
{
	buf_printf(out, "# HELP %s %s of %s\n# TYPE %s %s\n%s ", name, what, who,
		   name, type, name);
}

void expo_process(struct buf *out, const struct expo_process *p)
{
	add_process_head(out, "process_start_time_seconds", "gauge",
			 "start, since the epoch,", p->who);
	expo_seconds(out, p->started_us);
	buf_addc(out, '\n');
	add_process_head(out, "process_cpu_seconds_total", "counter",
			 "user and system time", p->who);
	expo_seconds(out, p->cpu_us);
	buf_addc(out, '\n');
	add_process_head(out, "process_resident_memory_bytes", "gauge",
			 "resident memory", p->who);
	buf_printf(out, "%" PRId64 "\n", p->rss_bytes);
}
