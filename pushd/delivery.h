/* From event to outcome: devices, what is known of it already, one notification
 * per device, retries, dead letter, acknowledgement. An event is acknowledged
 * when each of its devices has a final outcome, and not before its marks are
 * set. Loop thread only.
 *
 *   event -> parsed (else dead letter) -> not too old (else dropped, counted)
 *         -> a repeat of one in hand waits for it
 *         -> devices, marks + badge, the message's row (skip_if_delivered):
 *            asked for at once
 *         -> for each device that did not have it: sender (its breaker willing)
 *         -> ok: counted
 *            retry: backoff 1 s to 5 min with jitter, Retry-After (an hour at
 *            most), until it expires, or has failed 12 times while the sender
 *            took others; after more than 10 s it is asked again whether the
 *            message is delivered, who had it, and for the badge
 *            delete: devices_delete, the guard willing, in guard_hold_ms
 *            reject, expired, given up: dead letter
 *         -> marks_had -> owe = 0 in the store (unless the queue is durable) -> ack
 *
 * An event expires when it says, or a ttl_ms after it was queued; but four weeks
 * after that at the latest (NOTIFICATION_LIFE_MAX_S).
 *
 * A crash at any point repeats the event; the repeat finds the marks of those who
 * had it, which are set within a second, also while other devices wait. Messages
 * are known by their id, everything else by type and key ("new_match/<key>"); an
 * event without a key by its place in the queue.
 *
 * A sender has at most two notifications at a time for each event that may be in
 * flight; the others wait as for an open breaker. Events that wait so pause
 * consumption when they are half of all that may be in flight, until half of those
 * are gone. What waits for credentials that are refused, and still are a minute
 * later, goes to the dead letter, if there are other senders that it would stop.
 * While PostgreSQL is away events wait for it; Redis and the store are waited for a
 * second or two, then done without: somebody may be notified twice, or of what he
 * has read. */
#ifndef PW_PUSHD_DELIVERY_H
#define PW_PUSHD_DELIVERY_H

#include "common/base/base.h"

struct apps;
struct delivery;
struct devices;
struct loop;
struct marks;
struct message_store;
struct push_consumer;
struct templates;

struct delivery_conf {
	unsigned max_in_flight;	/* events, as the consumer's */
	int64_t ttl_ms;		/* life of an event that does not say, from queuedAt or now */
	bool skip_if_delivered;
	bool owes;		/* the queue may lose events: set owe = 0 (M4) */
	unsigned guard_share;	/* percent */
	int64_t guard_hold_ms;	/* deletions wait this long */
};
/* All borrowed. store may be NULL: then nothing is skipped, and nothing owes. */
struct delivery_parts {
	struct apps *apps;
	struct devices *devices;
	struct marks *marks;
	struct message_store *store;
	const struct templates *templates;
};
struct delivery *delivery_new(struct loop *l, const struct delivery_conf *c,
			      const struct delivery_parts *p);
/* The consumer exists only after what its events go to: */
void delivery_start(struct delivery *d, struct push_consumer *queue);
/* Its push_event_cb; arg: the delivery. */
void delivery_event(void *arg, const char *entry, struct slice json);
/* New texts, credentials: breakers close, what waits for them is tried. */
void delivery_reloaded(struct delivery *d, const struct templates *t);
/* Stops: waits of retries, breakers and servers end (their events stay
 * unacknowledged), what is with a provider gets its outcome; tokens that wait for
 * their deletion are left to be found again. idle() is called once nothing is in
 * flight, perhaps before this returns; delivery_free() not from within it. */
void delivery_stop(struct delivery *d, void (*idle)(void *arg), void *arg);
size_t delivery_in_flight(const struct delivery *d);
/* What is in hand stays unacknowledged. Its parts are freed after it: what they
 * still answer is taken. NULLs *d. */
void delivery_free(struct delivery **d);

#endif
