#include "common/base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t fake_mono_us = -1;
static int64_t fake_wall_us = -1;

static int64_t read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
	return fake_mono_us != -1 ? fake_mono_us : read_us(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

int64_t clock_wall_us(void)
{
	return fake_wall_us != -1 ? fake_wall_us : read_us(CLOCK_REALTIME);
}

#define POS_MS 1024

/* A wall clock that is ahead by more is put right by going back, once. */
#define AHEAD_MAX_US 1000000
/* An answer may be from any moment since the question. */
#define ROUND_TRIP_MAX_US 500000

static struct {
	int seeded;
	int synced;		/* by an answer of Redis that was quick */
	int64_t offset_us;	/* cluster time - monotonic time */
	int64_t last_us;	/* last time given out */
	int64_t last_pos;
	/* By millisecond, modulo POS_MS: the next pos within it. Goes on where
	 * it was when its turn comes round: a stream's burst runs ahead of the
	 * clock, and others come to those milliseconds later. */
	uint16_t next_within[POS_MS];
} cluster;

void clock_fake_set(int64_t mono_us, int64_t wall_us)
{
	fake_mono_us = mono_us;
	fake_wall_us = wall_us;
	cluster.seeded = 0;
	cluster.synced = 0;
	cluster.last_us = 0;
	cluster.last_pos = 0;
}

int64_t cluster_now_us(void)
{
	int64_t now;

	if (!cluster.seeded) {
		cluster.offset_us = clock_wall_us() - clock_mono_us();
		cluster.seeded = 1;
	}
	now = clock_mono_us() + cluster.offset_us;
	if (now < cluster.last_us)
		now = cluster.last_us;
	cluster.last_us = now;
	return now;
}

int64_t cluster_now_ms(void)
{
	return cluster_now_us() / 1000;
}

void cluster_clock_sync(int64_t redis_us, int64_t asked_us, int64_t came_us)
{
	int64_t round_trip_us = came_us - asked_us;
	int sure = round_trip_us <= ROUND_TRIP_MAX_US;

	if (cluster.synced && !sure)
		return;
	cluster.offset_us = redis_us - (asked_us + round_trip_us / 2);
	cluster.seeded = 1;
	if (!cluster.synced && cluster.last_us > redis_us + AHEAD_MAX_US)
		cluster.last_us = cluster.last_pos = 0;
	cluster.synced = sure;
}

int64_t cluster_next_pos(void)
{
	int64_t pos = cluster_now_us();

	if (pos <= cluster.last_pos)
		pos = cluster.last_pos + 1;
	cluster.last_pos = pos;
	return pos;
}

int64_t cluster_pos_at(int64_t sent_ms)
{
	uint16_t *n = &cluster.next_within[sent_ms % POS_MS];
	int64_t pos = sent_ms * 1000 + *n;

	*n = (uint16_t)((*n + 1) % 1000);
	return pos;
}

void time_iso(int64_t ms, char out[TIME_ISO_LEN + 1])
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm;

	gmtime_r(&s, &tm);
	snprintf(out, TIME_ISO_LEN + 1, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
		 (unsigned)(tm.tm_year + 1900) % 10000u,
		 (unsigned)(tm.tm_mon + 1) % 100u, (unsigned)tm.tm_mday % 100u,
		 (unsigned)tm.tm_hour % 100u, (unsigned)tm.tm_min % 100u,
		 (unsigned)tm.tm_sec % 100u, (unsigned)(ms % 1000) % 1000u);
}
