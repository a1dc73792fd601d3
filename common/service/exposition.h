/* Pieces of Prometheus' text format 0.0.4. Pure: numbers in, text out. All
 * append.
 * https://prometheus.io/docs/instrumenting/exposition_formats/ */
#ifndef PW_EXPOSITION_H
#define PW_EXPOSITION_H

#include "common/base/buf.h"

#define EXPO_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* The lines HELP and TYPE. */
void expo_head(struct buf *out, const char *name, const char *type,
	       const char *help);
/* name="value", escaped; name may begin with what separates it from the label
 * before. */
void expo_label(struct buf *out, const char *name, const char *value);
/* Exactly, where a double would round: microseconds as seconds. */
void expo_seconds(struct buf *out, int64_t us);
/* The samples of one histogram. labels: without braces, not empty. below[i]: how
 * many were less than stats_bounds_us[i]. */
void expo_histogram(struct buf *out, const char *name, const char *labels,
		    const uint64_t *below, uint64_t sum_us, uint64_t count);

/* Of this process: pairwire_build_info, and start, CPU and memory under the
 * names that Prometheus' own clients use. */
struct expo_process {
	const char *who;	/* "the master" */
	const char *version;
	const char *node;
	int64_t started_us;	/* wall clock */
	int64_t cpu_us;
	int64_t rss_bytes;
};
void expo_build(struct buf *out, const char *name, const struct expo_process *p);
void expo_process(struct buf *out, const struct expo_process *p);

#endif
