/* The queue between workers and pushd, producer and consumer side. One
 * interface; the backend is chosen by URL: redis:// (Streams) or kafka://.
 * Loop thread only. (design 3.3, M4) */
#ifndef PW_PUSH_QUEUE_H
#define PW_PUSH_QUEUE_H

#include "common/base/base.h"

struct loop;
struct redis;
struct push_queue;
struct push_consumer;

#define PUSH_STREAM "push_notifications"	/* stream or topic */
#define PUSH_DEAD_LETTER PUSH_STREAM ".dlq"

struct push_queue_conf {
	/* redis://[[user]:password@]host[:port][/db]
	 * redis+unix://[[user]:password@]/path/to/socket[?db=N][&password=...]
	 * The parts are percent-decoded (redis_url.h).
	 * kafka://host:port[,host:port...][/topic][?property=value&...]
	 * The topic is PUSH_STREAM unless named; properties are librdkafka's
	 * (security.protocol, sasl.username, ssl.ca.location, ...), but for those
	 * that delivery rests on (kafka_url.h). */
	const char *url;
	uint64_t limit;		/* entries in the stream at which adds are refused */
	unsigned timeout_ms;	/* connect, and each command's deadline */
	/* Kafka: where the markers are, borrowed, or NULL for none. Redis
	 * Streams have theirs beside the stream. */
	struct redis *markers;
	/* On each change; may be NULL. Kafka's, too, when it answers, and takes no
	 * events: no topic, or not one that is ours to write to. */
	void (*state)(void *arg, bool up);
	void *arg;
};

/* What is wrong with a URL and its properties, without connecting: 0, or -EINVAL
 * with a message in err, as of those that begin. */
int push_queue_check(const char *url, char err[256]) MUST_CHECK;
/* NULL with a message in err for a bad URL. */
struct push_queue *push_queue_new(struct loop *l,
				  const struct push_queue_conf *conf,
				  char err[256]);
/* Callbacks not yet run get -ECANCELED. Not from within one of them. */
void push_queue_free(struct push_queue **q);
/* It can be asked to take events. */
bool push_queue_up(const struct push_queue *q);
/* What was queued is safe there (Kafka: acks=all): nothing is owed once an add
 * has succeeded. False: the queue may lose all it has (Redis), so the message
 * goes on owing until the consumer has acknowledged it. */
bool push_queue_durable(const struct push_queue *q);

/* Queue one event. key: the message id (or another id that names the
 * notification); while its marker pw:push:<key> lives (2 days) a second add is
 * a success that adds nothing. json is the whole event, copied.
 * With Kafka the marker is a courtesy: looked for before and set after, and done
 * without while Redis is away. The partition is that of user_id.
 * err: 0 queued (or was already); -ENOSPC at the limit; -ENOTCONN: not queued;
 * -ETIMEDOUT, -ECONNRESET: unknown; -EREMOTEIO: the server refused. The
 * callback runs exactly once, never before push_queue_add returns; a turn's
 * adds share a call. */
typedef void push_add_cb(void *arg, int err);
void push_queue_add(struct push_queue *q, const char *key, const char *user_id,
		    struct slice json, push_add_cb *cb, void *arg);

/* What an operator should know of it, asked now: text says what it is and how
 * much waits there, todo what to do about it ("": nothing). err: 0, or as of an
 * add; then text is why, if that is known, or "". Borrowed. Exactly once, later. */
typedef void push_look_cb(void *arg, int err, const char *text,
			  const char *todo);
void push_queue_look(struct push_queue *q, push_look_cb *cb, void *arg);

/* Consumer side, one consumer of a group. event() is called once per entry; the
 * consumer acknowledges or rejects it when its outcome is final. At most
 * max_in_flight entries are out at a time.
 * Redis: what the consumer of this name left unacknowledged when it ended comes
 * first. Entries that another consumer of the group neither acknowledged nor was
 * busy with (a living one says so each third of claim_idle_ms) for claim_idle_ms
 * are claimed.
 * Kafka: cooperative-sticky, a static member named consumer; offsets are stored
 * up to the first entry that has no outcome. A partition that is taken away is
 * given back when what is in flight of it has its outcome, or after
 * revoke_timeout_ms; what comes too late for that is repeated by another.
 * entry names the same place in the queue for every consumer and each repeat. */
typedef void push_event_cb(void *arg, const char *entry, struct slice json);
struct push_consumer_conf {
	const char *url;
	const char *group;	/* "pushd" */
	const char *consumer;	/* unique and stable per process */
	unsigned max_in_flight;
	unsigned claim_idle_ms;	/* Kafka: session.timeout.ms */
	unsigned timeout_ms;
	unsigned revoke_timeout_ms;
	/* On each change; may be NULL. Its arg is that of event(). */
	void (*state)(void *arg, bool up);
};
struct push_consumer *push_consumer_new(struct loop *l,
					const struct push_consumer_conf *conf,
					push_event_cb *event, void *arg,
					char err[256]);
/* entry: as event() had it; copied. Repeated until the queue has confirmed it:
 * only acknowledged entries ever leave a Redis stream. One that is not this
 * consumer's any more is ignored. May be called from within event(). */
void push_consumer_ack(struct push_consumer *c, const char *entry);
/* Puts the event into the dead letter (PUSH_DEAD_LETTER; of another topic:
 * TOPIC.dlq) with why, where it was and when, as headers or fields: reason,
 * source ("topic/partition/offset", or stream and id), attempts, time; then
 * acknowledges it, and not before the dead letter is safe. All copied. Redis
 * keeps about the last million dead letters. */
struct push_reject {
	const char *entry;
	struct slice json;
	const char *reason;	/* "PayloadTooLarge: ..." */
	unsigned attempts;
};
void push_consumer_reject(struct push_consumer *c, const struct push_reject *r);
/* No further events until resumed; those out stay out. Heartbeats go on. */
void push_consumer_pause(struct push_consumer *c, bool paused);
/* The queue can be read: Kafka answers, and has the topic. */
bool push_consumer_up(const struct push_consumer *c);
/* Entries of the queue (its partitions that are ours) that have not been
 * handed out; -1: not known. What was known last. Redis: asked each few seconds.
 * Kafka: what fetches have heard of, and while it is paused they end. */
int64_t push_consumer_lag(const struct push_consumer *c);
/* Ends: acknowledgements are brought home first, for at most timeout_ms. This
 * turns the loop, which must have ended, and calls neither event() nor state().
 * Call push_consumer_pause() and wait for what is in flight before. */
void push_consumer_free(struct push_consumer **c);

#endif
