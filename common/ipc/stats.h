/* The statistics page of one worker instance: a memfd that the worker writes
 * without locks and the master reads, also after the worker's death. Begins
 * with magic, version and a name table, so old and new binaries understand each
 * other (design 1). Behind the values: the flight recorder's ring. */
#ifndef PW_STATS_H
#define PW_STATS_H

#include "common/base/base.h"
#include "common/ipc/stats_table.h"

#define STATS_ID(kind, name, help) STAT_##name,
enum stat_id { STATS_TABLE(STATS_ID) STAT__COUNT };
#undef STATS_ID

/* Writer; one thread only (the loop's). Before stats_attach() all of these go to a private page, so that
 * code under test needs no set-up; what it holds is not carried over. */
void stats_add(enum stat_id id, int64_t n);	/* counters and gauges */
void stats_set(enum stat_id id, int64_t v);	/* gauges */
void stats_observe(enum stat_id id, int64_t us);	/* histograms */
int64_t stats_get(enum stat_id id);	/* what add and set made of it */
#define stats_inc(id) stats_add((id), 1)
#define stats_dec(id) stats_add((id), -1)

/* Flight recorder: what happened to a message here, without its content. */
enum flight_event {
	FLIGHT_ACCEPTED = 1,
	FLIGHT_DEDUPLICATED,
	FLIGHT_STORED,		/* arg: µs since the event came in */
	FLIGHT_ROUTED,		/* arg: instances published to */
	FLIGHT_WRITTEN,		/* arg: local sockets */
	FLIGHT_CONFIRMED,
	FLIGHT_READ,
	FLIGHT_PUSH_QUEUED,
};
/* id: the message's 24 hex digits. The last 65,536 events are kept. */
void flight_record(enum flight_event ev, const char *id, uint32_t arg);

/* Creates room for a page in a new memfd (close-on-exec, cannot shrink); the
 * fd, or -errno. It is a page from stats_attach() on. */
int stats_create(void) MUST_CHECK;
/* The worker: makes fd's page the one written. 0 or -errno. */
int stats_attach(int fd) MUST_CHECK;

/* Reader. The fd may be closed after stats_view_open(). NULL: not a page we
 * know, or its writer has not attached yet. The name table is copied: what the
 * writer does to the page later can make values wrong, nothing else. */
struct stats_view;
struct stats_view *stats_view_open(int fd);
void stats_view_close(struct stats_view **v);
/* Where histograms are cut for whoever wants a few buckets only: in µs, rising.
 * Powers of two, so each lies between two buckets of the page, whatever the
 * resolution of its writer. */
#define STATS_BOUNDS 15
extern const int64_t stats_bounds_us[STATS_BOUNDS];

/* kind: 'c', 'g' or 'h'. false past the end. */
struct stats_item {
	char kind;
	const char *name;	/* borrowed from the view */
	const char *help;	/* "" when the writer's version sent none */
	int64_t value;		/* counters and gauges */
	uint64_t count;		/* histograms */
	uint64_t sum_us;
	int64_t p50_us, p99_us;	/* within 6 % */
	uint64_t below[STATS_BOUNDS];	/* how many were less than each bound */
};
bool stats_view_item(const struct stats_view *v, size_t i,
		     struct stats_item *out);
/* By name; fallback when the page has no such item. */
int64_t stats_view_value(const struct stats_view *v, const char *name,
			 int64_t fallback);

/* The same of one histogram, cut at n rising bounds of the caller's: below_out has
 * how many values were less than each, *count_out how many there are. A quarter of
 * a power of two is as fine as bounds may be for our own page to tell them apart
 * exactly. False: no such histogram; nothing is written. */
bool stats_view_cut(const struct stats_view *v, const char *name,
		    const int64_t *bounds_us, size_t n, uint64_t *below_out,
		    uint64_t *count_out) MUST_CHECK;

/* The flight recorder, newest first: i = 0, 1, ... until false. Entries that
 * are overwritten meanwhile have event 0. */
struct flight_item {
	int64_t wall_us;
	char id[25];
	uint32_t event;		/* enum flight_event, or a newer one */
	uint32_t arg;
};
bool stats_view_flight(const struct stats_view *v, size_t i,
		       struct flight_item *out);
/* What is there of one message, newest first: how many, at most max. */
size_t stats_view_flight_of(const struct stats_view *v, const char *id,
			    struct flight_item *out, size_t max);

#endif
