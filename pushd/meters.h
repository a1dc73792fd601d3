/* What pushd counts, and its /metrics. One table; per provider where it says
 * so. Loop thread only. */
#ifndef PW_PUSHD_METERS_H
#define PW_PUSHD_METERS_H

#include "common/base/buf.h"
#include "pushd/outcome.h"

/* COUNTER and GAUGE of pushd; EACH: counters per provider. */
#define METERS_TABLE(X)                                                        \
	X(GAUGE, queue_up, "1 while the push queue can be read")               \
	X(GAUGE, queue_lag, "events in the queue that were not taken; -1: not known") \
	X(GAUGE, paused, "1 while consumption pauses for a provider")          \
	X(GAUGE, postgres_up, "1 while PostgreSQL is up")                      \
	X(GAUGE, redis_up, "1 while Redis is up")                              \
	X(GAUGE, store_up, "1 while the message store is reachable")           \
	X(GAUGE, in_flight, "events taken and not acknowledged")               \
	X(COUNTER, events, "events taken from the queue")                      \
	X(COUNTER, events_done, "events acknowledged")                         \
	X(COUNTER, events_repeated, "events that were repeats altogether")     \
	X(COUNTER, events_skipped, "events of messages delivered or read meanwhile") \
	X(COUNTER, events_expired, "events older than their life")             \
	X(COUNTER, events_no_device, "events of users without a device")       \
	X(COUNTER, events_dead, "events put into the dead letter")             \
	X(COUNTER, reloads, "configuration read again")                        \
	X(COUNTER, reloads_failed, "configuration refused")                    \
	X(EACH, sent, "notifications taken by the provider")                   \
	X(EACH, retries, "notifications tried again")                          \
	X(EACH, repeats, "notifications left out: the device had them")        \
	X(EACH, tokens_deleted, "tokens deleted")                              \
	X(EACH, tokens_kept, "dead tokens kept by the invalidation guard")     \
	X(EACH, tokens_put_off, "dead tokens left for later: too few notifications were taken before") \
	X(EACH, breaker_open, "times a breaker opened")

#define METERS_ID(kind, name, help) METER_##name,
enum meter { METERS_TABLE(METERS_ID) METER__COUNT };
#undef METERS_ID

void meter_add(enum meter m, int64_t n);	/* COUNTER, GAUGE */
void meter_set(enum meter m, int64_t v);	/* GAUGE */
#define meter_inc(m) meter_add((m), 1)
void meter_add_each(enum meter m, enum provider p, int64_t n);
/* An answer that was not ok, by reason (one of outcome_reasons()). */
void meter_failed(enum provider p, const char *reason);
/* From sending to the answer. */
void meter_latency(enum provider p, int64_t us);
int64_t meter_get(enum meter m);
int64_t meter_get_each(enum meter m, enum provider p);
int64_t meter_failed_all(enum provider p);

/* Appends all of it as Prometheus' text: pairwire_pushd_NAME (counters:
 * NAME_total), those of a provider with the label provider ("fcm", "apns"),
 * failed_total{provider,reason}, latency_seconds{provider} as histogram, and of
 * the process what p says. */
struct expo_process;
void meters_write(const struct expo_process *p, struct buf *out);

#endif
