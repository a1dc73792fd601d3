/* The queue between workers and pushd, producer and consumer side. One
 * interface; the backend is chosen by URL (redis://, Streams; kafka:// comes
 * with pushd). Loop thread only. (design 3.3, M4) */
#ifndef PW_PUSH_QUEUE_H
#define PW_PUSH_QUEUE_H

#include "common/base/base.h"

struct loop;
struct redis;
struct push_queue;
struct push_consumer;

#define PUSH_STREAM "push_notifications"

struct push_queue_conf {
	/* redis://[[user]:password@]host[:port][/db]
	 * redis+unix://[[user]:password@]/path/to/socket[?db=N][&password=...]
	 * The parts are percent-decoded (redis_url.h). */
	const char *url;
	uint64_t limit;		/* entries in the stream at which adds are refused */
	unsigned timeout_ms;	/* connect, and each command's deadline */
	/* On each change; may be NULL. */
	void (*state)(void *arg, bool up);
	void *arg;
};

/* NULL with a message in err for a bad URL. */
struct push_queue *push_queue_new(struct loop *l,
				  const struct push_queue_conf *conf,
				  char err[256]);
/* Callbacks not yet run get -ECANCELED. Not from within one of them. */
void push_queue_free(struct push_queue **q);
bool push_queue_up(const struct push_queue *q);

/* Queue one event. key: the message id (or another id that names the
 * notification); while its marker pw:push:<key> lives (2 days) a second add is
 * a success that adds nothing. json is the whole event, copied.
 * err: 0 queued (or was already); -ENOSPC at the limit; -ENOTCONN: not queued;
 * -ETIMEDOUT, -ECONNRESET: unknown; -EREMOTEIO: the server refused. The
 * callback runs exactly once, never before push_queue_add returns; a turn's
 * adds share a call. */
typedef void push_add_cb(void *arg, int err);
void push_queue_add(struct push_queue *q, const char *key, const char *user_id,
		    struct slice json, push_add_cb *cb, void *arg);

/* Consumer side, one consumer of a group. event() is called once per entry;
 * the consumer acknowledges by push_consumer_ack(entry) when its outcome is
 * final. At most max_in_flight entries are out at a time. What the consumer of
 * this name left unacknowledged when it ended comes first. Entries that another
 * consumer of the group neither acknowledged nor was busy with (a living one
 * says so each third of claim_idle_ms) for claim_idle_ms are claimed. */
typedef void push_event_cb(void *arg, const char *entry, struct slice json);
struct push_consumer_conf {
	const char *url;
	const char *group;	/* "pushd" */
	const char *consumer;	/* unique and stable per process */
	unsigned max_in_flight;
	unsigned claim_idle_ms;
	unsigned timeout_ms;
};
struct push_consumer *push_consumer_new(struct loop *l,
					const struct push_consumer_conf *conf,
					push_event_cb *event, void *arg,
					char err[256]);
/* entry: as event() had it; copied. XACK + XDEL, repeated until Redis has
 * confirmed it: only acknowledged entries ever leave the stream. May be called
 * from within event(). */
void push_consumer_ack(struct push_consumer *c, const char *entry);
void push_consumer_free(struct push_consumer **c);

#endif
