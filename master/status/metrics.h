/* /metrics of master and workers. Pure: numbers in, text out. */
#ifndef PW_METRICS_H
#define PW_METRICS_H

#include "common/base/buf.h"
#include "common/service/exposition.h"
#include "master/status/tally.h"

/* One slot. Its worker may change: what counts up is of all that it has had. */
struct metrics_worker {
	struct tally tally;
	bool up;			/* a READY worker is there */
	unsigned restarts;
	unsigned draining;		/* of those before it; what can be added up
					 * counts them in */
	int64_t cpu_us;
	int64_t rss_bytes;		/* -1: not known, as below */
	int64_t heartbeat_age_ms;
};

/* Appends. The label worker is a slot, the index in w: an instance's number
 * would make new series with each restart. Every row of stats_table.h becomes
 *   counter    pairwire_NAME_total
 *   gauge      pairwire_NAME; cluster_*: once, without a label
 *   histogram  pairwire_NAME_seconds (NAME without its _us)
 * but for heartbeat_ms, whose age is given instead. */
void metrics_write(const struct expo_process *m,
		   const struct metrics_worker *w, unsigned n, struct buf *out);

#endif
