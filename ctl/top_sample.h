/* A picture of the host, as `top` is answered (master/control/sample.h), and what two of
 * them say about the time between. No I/O. */
#ifndef PW_CTL_TOP_SAMPLE_H
#define PW_CTL_TOP_SAMPLE_H

#include <jansson.h>

#include "common/base/base.h"

#define TOP_BOUNDS 128
#define TOP_BACKENDS 16
#define TOP_WORKERS 4096

struct top_histogram {
	int64_t count;
	int64_t below[TOP_BOUNDS];	/* each bound of the sample */
};

/* Numbers lie within 0 and 10^15, so that they can be added up; -1: not told. */
struct top_worker {
	int64_t slot, instance, pid, uptime_ms;
	int64_t left_ms;		/* of its drain */
	int64_t connections, polling, users;
	int64_t accepted, emitted;	/* messages */
	int64_t cpu_us, rss;
	struct top_histogram stored, confirmed;
	char state[16];
};

struct top_backend {
	char name[16];
	int64_t workers, up;
};

struct top_sample {
	char version[32], node[64], state[16];
	char upgrade[16], upgrade_to[32], upgrade_why[160];
	int64_t uptime_ms, mono_us, slots, ready, online;
	int64_t bounds_us[TOP_BOUNDS];
	size_t nbounds;
	struct top_backend backends[TOP_BACKENDS];
	size_t nbackends;
	struct top_worker *workers;	/* by slot and instance */
	size_t nworkers;
};

/* data may be anything; what is not there is 0, or -1 where that is said. */
void top_sample_read(const json_t *data, struct top_sample *out);
void top_sample_free(struct top_sample *s);

/* Per second; -1: not known. */
struct top_rates {
	double accepted, emitted;
	double cpu;			/* of one core */
	int64_t stored_p50_us, stored_p99_us;
	int64_t confirmed_p50_us, confirmed_p99_us;
};
/* Of w, which is of `now`. before NULL: nothing is known. A worker that is new
 * began at 0. */
void top_rates_of(const struct top_sample *before, const struct top_sample *now,
		  const struct top_worker *w, struct top_rates *out);
/* Everything of all workers; slot and instance are of no use. */
void top_total(const struct top_sample *before, const struct top_sample *now,
	       struct top_worker *sum_out, struct top_rates *out);

#endif
