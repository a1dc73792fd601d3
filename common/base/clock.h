/* Time. Timers and timeouts use the monotonic clock; what users see (sentAt)
 * and what is ordered (pos) uses the cluster clock (design M0). */
#ifndef PW_CLOCK_H
#define PW_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC in microseconds, milliseconds. */
int64_t clock_mono_us(void);
int64_t clock_mono_ms(void);
/* CLOCK_REALTIME in microseconds since the epoch. */
int64_t clock_wall_us(void);

/* Tests: freeze both clocks at these values until called again; -1, -1
 * returns to the real ones. */
void clock_fake_set(int64_t mono_us, int64_t wall_us);

/* The cluster's clock: Redis TIME as an offset to the monotonic clock. Seeded
 * from the wall clock; never goes backward within a process - but when Redis
 * first says that what was known is ahead by more than a second: standing still
 * for as long would be worse. */
int64_t cluster_now_us(void);
int64_t cluster_now_ms(void);
/* Redis was asked at monotonic asked_us and said redis_us, which came at came_us.
 * Of an answer that took long the middle may be seconds off (Redis stood still,
 * or this process): it is taken only as long as there is none better. */
void cluster_clock_sync(int64_t redis_us, int64_t asked_us, int64_t came_us);
/* A position: cluster time in microseconds, strictly greater than every one
 * this process was given before (since the clock went back). */
int64_t cluster_next_pos(void);
/* The pos of a message sent at sent_ms (now, or later by the few ms that keep a
 * stream's sentAt apart): pos / 1000 == sent_ms, so that the order by pos within
 * a match is the order of sentAt, also across workers (contract 3). Greater than
 * every pos that was given for an earlier sent_ms; those of one sent_ms differ
 * as long as there are less than 1,000. */
int64_t cluster_pos_at(int64_t sent_ms);

#define TIME_ISO_LEN 24
/* "2026-01-02T03:04:05.678Z" and a NUL; ms since the epoch, years 0 to 9999. */
void time_iso(int64_t ms, char out[TIME_ISO_LEN + 1]);

#endif
