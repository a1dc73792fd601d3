/* The consumer on Redis Streams. Two connections: the reader blocks in
 * XREADGROUP and does one thing after the other, so that max_in_flight holds;
 * acknowledgements and signs of life go over the second one. What is pending is
 * read over the second, too: a reply that an acknowledgement has overtaken would
 * bring its entry again. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "common/backend/redis.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "common/queue/queue_redis.h"
#include "common/queue/queue_redis_flight.h"
#include "common/queue/redis_url.h"

#define BLOCK_MS 1000
#define RETRY_MS 500		/* after an error reply */
#define ID_MAX 48		/* "<ms>-<seq>" and a NUL, with room */

/* What the reader does next. After each reconnect it begins again: the reply
 * to a read may have been lost, and what it carried is pending. So is what came
 * while we were paused. */
enum phase {
	PHASE_GROUP,		/* make sure that the group exists */
	PHASE_PENDING,		/* our own entries, from `after` on */
	PHASE_NEW,
};

struct consumer {
	struct push_consumer base;
	struct loop *loop;
	struct redis *reader;
	struct flight *flight;
	push_event_cb *event;
	void (*state)(void *arg, bool up);
	void *arg;
	unsigned timeout_ms;
	bool up;		/* both connections; as told */
	bool paused;
	char *group;
	char *name;
	size_t max_in_flight;
	unsigned claim_idle_ms;
	enum phase phase;
	char after[ID_MAX];
	char claim_from[ID_MAX];
	bool reading;		/* a command of the reader is in flight */
	bool claim_due;
	bool complained;	/* about an entry that is no event: once */
	struct timer claim;
	struct timer retry;
	struct task resume;
};

static void read_next(struct consumer *c);

static void begin_pending(struct consumer *c)
{
	c->phase = PHASE_PENDING;
	strcpy(c->after, "0-0");
}

static const redisReply *event_field(const redisReply *fields)
{
	if (fields->type != REDIS_REPLY_ARRAY)
		return NULL;	/* deleted meanwhile */
	for (size_t i = 0; i + 1 < fields->elements; i += 2) {
		if (strcmp(fields->element[i]->str, "event") == 0)
			return fields->element[i + 1];
	}
	return NULL;
}

/* One entry: [id, [field, value, ...]]. */
static void take_entry(struct consumer *c, const redisReply *entry)
{
	const redisReply *json;
	const char *id;

	if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2)
		return;
	if (c->paused) {
		begin_pending(c);
		return;
	}
	id = entry->element[0]->str;
	snprintf(c->after, sizeof(c->after), "%s", id);
	if (!flight_add(c->flight, id))
		return;		/* out already: read again after a reconnect */
	json = event_field(entry->element[1]);
	if (json == NULL) {
		if (!c->complained && entry->element[1]->type == REDIS_REPLY_ARRAY) {
			c->complained = true;
			log_warn("push queue: dropping an entry without an event entry=%s",
				 id);
		}
		flight_ack(c->flight, id);
		return;
	}
	c->event(c->arg, id, (struct slice){ json->str, json->len });
}

static void take_entries(struct consumer *c, const redisReply *entries)
{
	for (size_t i = 0; i < entries->elements; i++)
		take_entry(c, entries->element[i]);
}

/* True: go on. Otherwise the reader starts over, when connected again or after
 * a pause. */
static bool answered(struct consumer *c, int err)
{
	if (err == 0)
		return true;
	if (err == -ECANCELED)
		return false;
	c->phase = PHASE_GROUP;
	timer_arm(&c->retry, RETRY_MS);
	return false;
}

static void on_group(void *arg, int err, const struct redisReply *reply)
{
	struct consumer *c = arg;

	c->reading = false;
	if (err == -EREMOTEIO && strncmp(reply->str, "BUSYGROUP", 9) == 0)
		err = 0;
	if (!answered(c, err))
		return;
	begin_pending(c);
	read_next(c);
}

/* [[stream, [entry, ...]]], or nil when a block ended without any. */
static void on_read(void *arg, int err, const struct redisReply *reply)
{
	struct consumer *c = arg;
	const redisReply *entries = NULL;

	c->reading = false;
	if (!answered(c, err))
		return;
	if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 1 &&
	    reply->element[0]->elements == 2)
		entries = reply->element[0]->element[1];
	if (entries != NULL && entries->elements > 0)
		take_entries(c, entries);
	else
		c->phase = PHASE_NEW;
	read_next(c);
}

/* [next cursor, [entry, ...], [deleted id, ...]] */
static void on_claimed(void *arg, int err, const struct redisReply *reply)
{
	struct consumer *c = arg;

	c->reading = false;
	if (!answered(c, err))
		return;
	if (reply->type == REDIS_REPLY_ARRAY && reply->elements >= 2) {
		snprintf(c->claim_from, sizeof(c->claim_from), "%s",
			 reply->element[0]->str);
		take_entries(c, reply->element[1]);
	}
	if (strcmp(c->claim_from, "0-0") == 0)
		c->claim_due = false;
	read_next(c);
}

static void create_group(struct consumer *c)
{
	const struct slice argv[] = { SLICE("XGROUP"), SLICE("CREATE"),
				      SLICE(PUSH_STREAM), slice_of(c->group),
				      SLICE("0"), SLICE("MKSTREAM") };

	redis_command(c->reader, (int)ARRAY_SIZE(argv), argv, on_group, c);
}

static void claim_idle(struct consumer *c, const char *count)
{
	char idle[16];
	const struct slice argv[] = { SLICE("XAUTOCLAIM"), SLICE(PUSH_STREAM),
				      slice_of(c->group), slice_of(c->name),
				      { idle, (size_t)snprintf(idle, sizeof(idle), "%u",
							       c->claim_idle_ms) },
				      slice_of(c->claim_from),
				      SLICE("COUNT"), slice_of(count) };

	redis_command(c->reader, (int)ARRAY_SIZE(argv), argv, on_claimed, c);
}

static void read_group(struct consumer *c, const char *count, const char *from)
{
	char block[16];
	struct slice argv[12] = { SLICE("XREADGROUP"), SLICE("GROUP"),
				  slice_of(c->group), slice_of(c->name),
				  SLICE("COUNT"), slice_of(count) };
	int argc = 6;

	if (c->phase == PHASE_NEW) {	/* from before ignores BLOCK */
		argv[argc++] = SLICE("BLOCK");
		snprintf(block, sizeof(block), "%d", BLOCK_MS);
		argv[argc++] = slice_of(block);
	}
	argv[argc++] = SLICE("STREAMS");
	argv[argc++] = SLICE(PUSH_STREAM);
	argv[argc++] = slice_of(from);
	redis_command(c->phase == PHASE_NEW ? c->reader : flight_redis(c->flight),
		      argc, argv, on_read, c);
}

static void read_next(struct consumer *c)
{
	size_t out = flight_count(c->flight);
	char count[24];

	if (c->reading || c->paused || !redis_up(c->reader) ||
	    timer_armed(&c->retry) || out >= c->max_in_flight)
		return;
	c->reading = true;
	snprintf(count, sizeof(count), "%zu", c->max_in_flight - out);
	if (c->phase == PHASE_GROUP)
		create_group(c);
	else if (c->phase == PHASE_PENDING)
		read_group(c, count, c->after);
	else if (c->claim_due)
		claim_idle(c, count);
	else
		read_group(c, count, ">");
}

static void on_acks_state(void *arg)
{
	struct consumer *c = arg;
	bool up = redis_up(c->reader) && redis_up(flight_redis(c->flight));

	if (up == c->up)
		return;
	c->up = up;
	if (c->state != NULL)
		c->state(c->arg, up);
}

static void on_reader_state(void *arg, bool up)
{
	struct consumer *c = arg;

	c->phase = PHASE_GROUP;
	if (up)
		read_next(c);
	on_acks_state(c);
}

static void on_room(void *arg)
{
	read_next(arg);
}

static void on_claim_timer(void *arg)
{
	struct consumer *c = arg;

	timer_arm(&c->claim, c->claim_idle_ms / 2 + 1);
	c->claim_due = true;
	read_next(c);
}

struct push_consumer *redis_consumer_new(struct loop *l,
					 const struct push_consumer_conf *conf,
					 push_event_cb *event, void *arg,
					 char err[256])
{
	static const struct flight_ops ops = { on_room, on_acks_state };
	struct redis_url url;
	struct redis_conf redis;
	struct consumer *c;

	if (redis_url_parse(conf->url, &url, err) != 0)
		return NULL;
	c = mem_zalloc(sizeof(*c));
	c->base.backend = &push_backend_redis;
	c->loop = l;
	c->event = event;
	c->state = conf->state;
	c->arg = arg;
	c->timeout_ms = conf->timeout_ms;
	c->group = mem_strdup(conf->group);
	c->name = mem_strdup(conf->consumer);
	c->max_in_flight = conf->max_in_flight > 0 ? conf->max_in_flight : 1;
	c->claim_idle_ms = conf->claim_idle_ms;
	strcpy(c->claim_from, "0-0");
	timer_init(&c->claim, l, on_claim_timer, c);
	timer_init(&c->retry, l, on_room, c);
	task_init(&c->resume, LOOP_ROUTE, on_room, c);
	timer_arm(&c->claim, conf->claim_idle_ms / 2 + 1);
	redis = (struct redis_conf){
		.name = "pairwire-push-acks",
		.host = url.host,
		.port = url.port,
		.password = url.password,
		.db = url.db,
		.timeout_ms = conf->timeout_ms,
	};
	c->flight = flight_new(l, &redis, conf, &ops, c);
	redis.name = "pairwire-push-reader";
	redis.timeout_ms += BLOCK_MS;
	c->reader = redis_new(l, &redis, on_reader_state, c);
	return &c->base;
}

void redis_consumer_ack(struct push_consumer *base, const char *entry)
{
	flight_ack(CONTAINER_OF(base, struct consumer, base)->flight, entry);
}

void redis_consumer_reject(struct push_consumer *base,
			   const struct push_reject *r)
{
	flight_reject(CONTAINER_OF(base, struct consumer, base)->flight, r);
}

void redis_consumer_pause(struct push_consumer *base, bool paused)
{
	struct consumer *c = CONTAINER_OF(base, struct consumer, base);

	c->paused = paused;
	loop_defer(c->loop, &c->resume);
}

bool redis_consumer_up(const struct push_consumer *base)
{
	return CONTAINER_OF(base, const struct consumer, base)->up;
}

int64_t redis_consumer_lag(const struct push_consumer *base)
{
	return flight_lag(CONTAINER_OF(base, const struct consumer, base)->flight);
}

void redis_consumer_free(struct push_consumer *base)
{
	struct consumer *c = CONTAINER_OF(base, struct consumer, base);

	c->paused = true;
	redis_free(&c->reader);
	flight_drain(c->flight, c->timeout_ms);
	flight_free(&c->flight);
	timer_free(&c->claim);
	timer_free(&c->retry);
	task_cancel(&c->resume);
	free(c->group);
	free(c->name);
	free(c);
}
