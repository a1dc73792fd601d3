/* The producer on Kafka: idempotent, acks=all, keyed by user. An event passes
 * from fresh (this turn's) by way of the markers to out (librdkafka has it) and
 * to settled, from where its callback is called. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/backend/backoff.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "common/queue/kafka_url.h"
#include "common/queue/queue_kafka.h"
#include "common/queue/queue_kafka_client.h"
#include "common/queue/queue_kafka_look.h"
#include "common/queue/queue_kafka_markers.h"

#define SETTLED_A_TURN 500
/* A broker's restart and the choice of new leaders take seconds. Retries within
 * them repeat nothing; an add that timed out may be queued twice. */
#define TIMEOUTS 5
#define FLUSH_MS 500		/* at the end, for what is on its way */
#define END_MS 500		/* and for librdkafka's threads */
/* A push is not kept waiting for markers for longer than this part of timeout_ms. */
#define MARKERS_PART 10
/* For so many delivery timeouts no event got through, though brokers answer:
 * librdkafka 2.0 may wait for ever for a partition that it thinks must drain
 * before the producer's new epoch. */
#define STUCK 3
/* So long after the last event that the topic did not take, it may be another's
 * turn: longer than the sweep waits with what it could not queue. */
#define REFUSED_MS 30000

struct event {
	struct marked m;	/* its node is that of all lists */
	push_add_cb *cb;
	void *arg;
	int err;
	bool produced;
	struct slice json;	/* owned; librdkafka's once produced */
	const char *user_id;
	char text[];		/* key, NUL, user id, NUL */
};

struct queue {
	struct push_queue base;
	struct loop *loop;
	struct kafka_url url;
	struct kafka_client *client;	/* NULL: given up, until renew */
	rd_kafka_topic_t *topic;
	struct backoff backoff;
	int64_t born_ms;		/* of client */
	int64_t bad_ms;			/* the first that timed out since one got
					 * through; or 0 */
	bool stuck;			/* and the log says so */
	unsigned timeout_ms;
	struct markers *markers;	/* may be NULL */
	void (*state)(void *arg, bool up);
	void *arg;
	bool reached;			/* a broker answers */
	bool refused;			/* the topic, not long ago */
	bool up;			/* as was told */
	rd_kafka_resp_err_t refusal;	/* the last word on an event */
	struct list fresh, out, settled;
	struct list looks, no_looks;	/* asked; not to be had */
	struct task flush, settle, give_up, no_look;
	struct timer next_turn, renew, forget;
};

static const char *topic_of(const struct queue *q)
{
	return q->url.topic[0] != '\0' ? q->url.topic : PUSH_STREAM;
}

static void settle(struct queue *q, struct event *e, int err)
{
	e->err = err;
	list_remove(&e->m.node);
	list_append(&q->settled, &e->m.node);
	loop_defer(q->loop, &q->settle);
}

static void finish(struct queue *q, struct list *n)
{
	struct event *e = LIST_ENTRY(n, struct event, m.node);

	if (e->err == 0 && e->produced && q->markers != NULL)
		markers_set(q->markers, e->m.key);
	if (e->cb != NULL)
		e->cb(e->arg, e->err);
	free((char *)e->json.p);
	free(e);
}

static void on_settle(void *arg)
{
	struct queue *q = arg;
	struct list *n;

	for (int i = 0; i < SETTLED_A_TURN; i++) {
		n = list_shift(&q->settled);
		if (n == NULL)
			return;
		finish(q, n);
	}
	timer_arm(&q->next_turn, 0);
}

static void on_next_turn(void *arg)
{
	struct queue *q = arg;

	loop_defer(q->loop, &q->settle);
}

static int refused(rd_kafka_resp_err_t err)
{
	switch (err) {
	case RD_KAFKA_RESP_ERR__QUEUE_FULL:
		return -ENOSPC;
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
		return -EREMOTEIO;
	default:		/* a fatal error of which we are still to hear */
		return -ENOTCONN;
	}
}

static void set_up(struct queue *q)
{
	bool up = q->reached && !q->refused;

	if (up == q->up)
		return;
	q->up = up;
	if (q->state != NULL)
		q->state(q->arg, up);
}

/* The one whose events were refused need not be the one that tries again, and
 * nobody tells that it has what it lacked. */
static void on_forget(void *arg)
{
	struct queue *q = arg;

	q->refused = false;
	set_up(q);
}

static bool is_forbidden(rd_kafka_resp_err_t err)
{
	return err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
	       err == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
}

/* The topic is not there, or not ours. */
static bool is_of_topic(rd_kafka_resp_err_t err)
{
	return err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || is_forbidden(err);
}

static void tell_refusal(const struct queue *q)
{
	const char *topic = topic_of(q);

	if (q->refusal == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
		log_warn("kafka: there is no such topic, so events are not taken: kafka-topics.sh --create --topic %s topic=%s",
			 topic, topic);
	else if (is_forbidden(q->refusal))
		log_warn("kafka: events are not taken: %s: its user must have WRITE on the topic (kafka-acls.sh) topic=%s",
			 rd_kafka_err2str(q->refusal), topic);
	else
		log_warn("kafka: events are not taken: %s topic=%s",
			 rd_kafka_err2str(q->refusal), topic);
}

/* One line a change: a topic that is not ours to write to fails each event. */
static void note_refusal(struct queue *q, rd_kafka_resp_err_t err)
{
	if (err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||	/* what is known of it */
	    err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)
		err = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
	if (err == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT ||
	    err == RD_KAFKA_RESP_ERR__QUEUE_FULL ||
	    err == RD_KAFKA_RESP_ERR__FATAL ||
	    err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
	    err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
		return;
	if (is_of_topic(err)) {
		timer_arm(&q->forget, REFUSED_MS);
		q->refused = true;
	} else if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
		timer_disarm(&q->forget);
		q->refused = false;
	}
	/* who may write to nothing hears of the topic and of the cluster in turn */
	if (err != q->refusal && !(is_forbidden(err) && is_forbidden(q->refusal))) {
		if (err == RD_KAFKA_RESP_ERR_NO_ERROR && is_of_topic(q->refusal))
			log_info("kafka: events are taken again topic=%s",
				 topic_of(q));
		q->refusal = err;
		if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
			tell_refusal(q);
	}
	set_up(q);
}

static void produce(struct queue *q, struct event *e)
{
	/* a short absence is waited for; else what is owed is so for longer */
	if (q->client == NULL ||
	    kafka_client_down_for(q->client, q->timeout_ms)) {
		settle(q, e, -ENOTCONN);
		return;
	}
	if (rd_kafka_produce(q->topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_FREE,
			     (char *)e->json.p, e->json.n, e->user_id,
			     strlen(e->user_id), e) == -1) {
		rd_kafka_resp_err_t err = rd_kafka_last_error();

		if (err != RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
			note_refusal(q, err);
		settle(q, e, refused(err));
		return;
	}
	e->json = (struct slice){ 0 };
	e->produced = true;
	list_append(&q->out, &e->m.node);
}

static void on_looked(void *arg, struct marked *m, bool there)
{
	struct queue *q = arg;
	struct event *e = CONTAINER_OF(m, struct event, m);

	if (there)
		settle(q, e, 0);
	else
		produce(q, e);
}

static void on_flush(void *arg)
{
	struct queue *q = arg;
	struct list *n;

	if (q->markers != NULL && markers_look(q->markers, &q->fresh))
		return;
	while ((n = list_shift(&q->fresh)) != NULL)
		produce(q, LIST_ENTRY(n, struct event, m.node));
}

static void queue_add(struct push_queue *base, const char *key,
		      const char *user_id, struct slice json, push_add_cb *cb,
		      void *arg)
{
	struct queue *q = CONTAINER_OF(base, struct queue, base);
	size_t key_n = strlen(key) + 1;
	size_t user_n = strlen(user_id) + 1;
	struct event *e = mem_alloc(sizeof(*e) + key_n + user_n);

	*e = (struct event){ .cb = cb, .arg = arg };
	memcpy(e->text, key, key_n);
	memcpy(e->text + key_n, user_id, user_n);
	e->m.key = e->text;
	e->user_id = e->text + key_n;
	e->json = (struct slice){ mem_strndup(json.p, json.n), json.n };
	list_append(&q->fresh, &e->m.node);
	loop_defer(q->loop, &q->flush);
}

/* A topic without leaders looks the same; to that it does no harm. */
static void look_if_stuck(struct queue *q)
{
	int64_t now = clock_mono_ms();

	if (q->bad_ms == 0)
		q->bad_ms = now;
	/* the first had waited for one already */
	if (!kafka_client_up(q->client) || now - q->bad_ms <
	    (int64_t)(STUCK - 1) * TIMEOUTS * q->timeout_ms)
		return;
	if (!q->stuck)
		log_warn("kafka: brokers answer, but no event gets through: "
			 "starting anew topic=%s", topic_of(q));
	q->stuck = true;
	loop_defer(q->loop, &q->give_up);
}

static int outcome(struct queue *q, const rd_kafka_message_t *m)
{
	bool unsent = rd_kafka_message_status(m) ==
		      RD_KAFKA_MSG_STATUS_NOT_PERSISTED;

	note_refusal(q, m->err);
	switch (m->err) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		q->bad_ms = 0;
		q->stuck = false;
		return 0;
	case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
		kafka_client_timed_out(q->client);
		look_if_stuck(q);
		return unsent ? -ENOTCONN : -ETIMEDOUT;
	default:
		return unsent ? -EREMOTEIO : -ECONNRESET;
	}
}

static void on_event(void *arg, rd_kafka_event_t *ev)
{
	struct queue *q = arg;
	const rd_kafka_message_t *m;

	if (rd_kafka_event_type(ev) == RD_KAFKA_EVENT_DR)
		while ((m = rd_kafka_event_message_next(ev)) != NULL)
			settle(q, m->_private, outcome(q, m));
	else if (rd_kafka_event_type(ev) ==
		 RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT)
		kafka_look_event(ev);
	rd_kafka_event_destroy(ev);
}

static void on_state(void *arg, bool up)
{
	struct queue *q = arg;

	q->reached = up;
	set_up(q);
}

/* After an error that idempotence cannot survive librdkafka wants to be started
 * anew. What it had may have been written or not. */
static void on_give_up(void *arg)
{
	struct queue *q = arg;
	struct list *n;

	rd_kafka_topic_destroy(q->topic);
	q->topic = NULL;
	kafka_client_end(&q->client, 0);
	kafka_looks_fail(&q->looks, -ECONNRESET, "");
	while ((n = list_first(&q->out)) != NULL)
		settle(q, LIST_ENTRY(n, struct event, m.node), -ECONNRESET);
	q->reached = false;
	set_up(q);
	backoff_lost(&q->backoff, clock_mono_ms() - q->born_ms);
	timer_arm(&q->renew, backoff_next(&q->backoff));
}

/* One that may write to no topic is not even let begin (InitProducerId). */
static bool on_fatal(void *arg, rd_kafka_resp_err_t err)
{
	struct queue *q = arg;

	loop_defer(q->loop, &q->give_up);
	if (!is_of_topic(err))
		return false;
	note_refusal(q, err);
	return true;
}

static void on_no_look(void *arg)
{
	struct queue *q = arg;

	kafka_looks_fail(&q->no_looks, -ENOTCONN, q->client != NULL ?
			 kafka_client_why(q->client) : "");
}

static void queue_look(struct push_queue *base, push_look_cb *cb, void *arg)
{
	struct queue *q = CONTAINER_OF(base, struct queue, base);

	rd_kafka_resp_err_t refusal = q->refused ? q->refusal :
						   RD_KAFKA_RESP_ERR_NO_ERROR;

	if (q->client != NULL && q->reached) {
		kafka_look(kafka_client_rk(q->client), topic_of(q), refusal,
			   q->timeout_ms, &q->looks, cb, arg);
		return;
	}
	kafka_look(NULL, topic_of(q), refusal, 0, &q->no_looks, cb, arg);
	loop_defer(q->loop, &q->no_look);
}

static int start(struct queue *q, char err[256])
{
	char timeout[16];
	const struct kafka_setting ours[] = {
		{ "enable.idempotence", "true" },
		{ "acks", "all" },
		{ "partitioner", "murmur2_random" },	/* as the JVM's clients */
		{ "message.timeout.ms", timeout },
		{ "queue.buffering.max.kbytes", "16384" },
		{ "queue.buffering.max.messages", "100000" },
	};
	struct kafka_client_conf conf = {
		.type = RD_KAFKA_PRODUCER,
		.url = &q->url,
		.ours = ours,
		.n = ARRAY_SIZE(ours),
		.events = RD_KAFKA_EVENT_DR,
		.timeout_ms = q->timeout_ms,
		.event = on_event,
		.state = on_state,
		.fatal = on_fatal,
		.arg = q,
	};

	snprintf(timeout, sizeof(timeout), "%u", TIMEOUTS * q->timeout_ms);
	q->client = kafka_client_new(q->loop, &conf, err);
	if (q->client == NULL)
		return -EINVAL;
	q->born_ms = clock_mono_ms();
	q->bad_ms = 0;
	q->topic = rd_kafka_topic_new(kafka_client_rk(q->client),
				      topic_of(q), NULL);
	if (q->topic == NULL)
		log_fatal("kafka: topic: %s",
			  rd_kafka_err2str(rd_kafka_last_error()));
	return 0;
}

static void on_renew(void *arg)
{
	struct queue *q = arg;
	char err[256];

	if (start(q, err) != 0) {
		log_err("kafka: %s", err);
		timer_arm(&q->renew, backoff_next(&q->backoff));
		return;
	}
	if (!q->stuck && !q->refused)
		log_info("kafka: started anew");
}

static struct push_queue *queue_new(struct loop *l,
				    const struct push_queue_conf *conf,
				    char err[256])
{
	struct queue *q = mem_zalloc(sizeof(*q));

	if (kafka_url_parse(conf->url, &q->url, err) != 0) {
		free(q);
		return NULL;
	}
	q->base.backend = &push_backend_kafka;
	q->loop = l;
	q->timeout_ms = conf->timeout_ms;
	if (start(q, err) != 0) {
		kafka_url_clear(&q->url);
		free(q);
		return NULL;
	}
	q->state = conf->state;
	q->arg = conf->arg;
	backoff_init(&q->backoff);
	list_init(&q->fresh);
	list_init(&q->out);
	list_init(&q->settled);
	list_init(&q->looks);
	list_init(&q->no_looks);
	task_init(&q->no_look, LOOP_ROUTE, on_no_look, q);
	task_init(&q->flush, LOOP_ROUTE, on_flush, q);
	task_init(&q->settle, LOOP_ROUTE, on_settle, q);
	task_init(&q->give_up, LOOP_REAP, on_give_up, q);
	timer_init(&q->next_turn, l, on_next_turn, q);
	timer_init(&q->renew, l, on_renew, q);
	timer_init(&q->forget, l, on_forget, q);
	if (conf->markers != NULL)
		q->markers = markers_new(l, conf->markers,
					 conf->timeout_ms / MARKERS_PART,
					 on_looked, q);
	return &q->base;
}

/* What is on its way is given a moment. */
static void close_client(struct queue *q)
{
	int64_t end = clock_mono_ms() + FLUSH_MS;
	rd_kafka_t *rk;

	if (q->client == NULL)
		return;
	rk = kafka_client_rk(q->client);
	while (!list_empty(&q->out) && kafka_client_up(q->client) &&
	       clock_mono_ms() < end) {
		rd_kafka_flush(rk, 10);
		kafka_client_drain(q->client);
	}
	rd_kafka_purge(rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	rd_kafka_topic_destroy(q->topic);
	kafka_client_end(&q->client, END_MS);
}

static void queue_free(struct push_queue *base)
{
	struct queue *q = CONTAINER_OF(base, struct queue, base);
	struct list rest, *n;

	q->state = NULL;
	close_client(q);
	list_init(&rest);
	markers_free(&q->markers, &rest);
	list_splice(&rest, &q->fresh);
	list_splice(&rest, &q->out);
	while ((n = list_shift(&rest)) != NULL)
		settle(q, LIST_ENTRY(n, struct event, m.node), -ECANCELED);
	while ((n = list_shift(&q->settled)) != NULL)
		finish(q, n);
	task_cancel(&q->flush);
	task_cancel(&q->settle);
	task_cancel(&q->give_up);
	task_cancel(&q->no_look);
	kafka_looks_fail(&q->looks, -ECANCELED, "");
	kafka_looks_fail(&q->no_looks, -ECANCELED, "");
	timer_free(&q->next_turn);
	timer_free(&q->renew);
	timer_free(&q->forget);
	kafka_url_clear(&q->url);
	free(q);
}

static bool queue_up(const struct push_queue *base)
{
	return CONTAINER_OF(base, const struct queue, base)->reached;
}

static int check(const char *url, char err[256])
{
	struct kafka_url u;
	int rc = kafka_url_parse(url, &u, err);

	if (rc != 0)
		return rc;
	rc = kafka_client_check(&u, err);
	kafka_url_clear(&u);
	return rc;
}

const struct push_backend push_backend_kafka = {
	.check = check,
	.durable = true,
	.new = queue_new,
	.free = queue_free,
	.up = queue_up,
	.add = queue_add,
	.look = queue_look,
	.consumer_new = kafka_consumer_new,
	.consumer_free = kafka_consumer_free,
	.consumer_ack = kafka_consumer_ack,
	.consumer_reject = kafka_consumer_reject,
	.consumer_pause = kafka_consumer_pause,
	.consumer_up = kafka_consumer_up,
	.consumer_lag = kafka_consumer_lag,
};
