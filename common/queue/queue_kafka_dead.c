#include "common/queue/queue_kafka_dead.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "common/queue/queue_kafka_client.h"

#define RETRY_MS 500
#define TIMEOUT_MS "30000"	/* of librdkafka's own attempts */

struct letter {
	struct list node;	/* in waiting, or in out */
	struct slice entry, json, reason, key;
	char attempts[16];
	char time[TIME_ISO_LEN + 1];
	char text[];
};

struct kafka_dead {
	struct loop *loop;
	struct kafka_dead_conf conf;
	struct kafka_client *client;	/* NULL: not needed yet */
	char topic[KAFKA_TOPIC_MAX + sizeof(".dlq")];
	struct list waiting;		/* for an attempt */
	struct list out;		/* librdkafka has them */
	struct task flush;
	struct timer retry;
	rd_kafka_resp_err_t refusal;	/* said once */
};

static struct slice copy(char **to, struct slice from)
{
	struct slice s = { from.p != NULL ? *to : NULL, from.n };

	if (from.n > 0)
		memcpy(*to, from.p, from.n);
	*to += from.n;
	return s;
}

static struct letter *letter_new(const struct push_reject *r, struct slice key)
{
	struct slice entry = { r->entry, strlen(r->entry) + 1 };
	struct slice reason = slice_of(r->reason);
	struct letter *m = mem_alloc(sizeof(*m) + entry.n + r->json.n +
				     reason.n + key.n);
	char *to = m->text;

	m->entry = copy(&to, entry);
	m->json = copy(&to, r->json);
	m->reason = copy(&to, reason);
	m->key = copy(&to, key);
	snprintf(m->attempts, sizeof(m->attempts), "%u", r->attempts);
	time_iso(clock_wall_us() / 1000, m->time);
	return m;
}

static void note_refusal(struct kafka_dead *d, rd_kafka_resp_err_t err)
{
	if (err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)	/* the same, once it is known */
		err = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
	if (err == d->refusal)
		return;
	d->refusal = err;
	if (err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
		log_err("kafka: there is no topic for dead letters, what they are of stays in the queue: kafka-topics.sh --create --topic %s topic=%s",
			d->topic, d->topic);
	else if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
		log_err("kafka: dead letters are not taken, what they are of stays in the queue: %s topic=%s",
			rd_kafka_err2str(err), d->topic);
}

static void again(struct kafka_dead *d, struct letter *m)
{
	list_remove(&m->node);
	list_append(&d->waiting, &m->node);
	if (!timer_armed(&d->retry))
		timer_arm(&d->retry, RETRY_MS);
}

/* Too large for the topic, as the event itself was not: its beginning will do,
 * the source says where the whole is. */
static bool cut(struct letter *m, rd_kafka_resp_err_t err)
{
	if (err != RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || m->json.n == 0)
		return false;
	m->json.n /= 2;
	return true;
}

static void on_report(struct kafka_dead *d, const rd_kafka_message_t *r)
{
	struct letter *m = r->_private;

	if (cut(m, r->err)) {
		again(d, m);
		return;
	}
	note_refusal(d, r->err);
	if (r->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
		again(d, m);
		return;
	}
	list_remove(&m->node);
	d->conf.done(d->conf.arg, m->entry.p);
	free(m);
}

static void on_event(void *arg, rd_kafka_event_t *ev)
{
	const rd_kafka_message_t *r;

	if (rd_kafka_event_type(ev) == RD_KAFKA_EVENT_DR)
		while ((r = rd_kafka_event_message_next(ev)) != NULL)
			on_report(arg, r);
	rd_kafka_event_destroy(ev);
}

/* Not idempotent: that one is there twice now and then does no harm, and 2.0 may
 * wait for ever once such a producer has lost its epoch (queue_kafka.c), and with
 * it the partition that the letter is of. */
static bool start(struct kafka_dead *d)
{
	static const struct kafka_setting ours[] = {
		{ "enable.idempotence", "false" },
		{ "acks", "all" },
		{ "partitioner", "murmur2_random" },
		{ "message.timeout.ms", TIMEOUT_MS },
		{ "queue.buffering.max.kbytes", "16384" },
	};
	const struct kafka_client_conf conf = {
		.type = RD_KAFKA_PRODUCER,
		.url = d->conf.url,
		.ours = ours,
		.n = ARRAY_SIZE(ours),
		.events = RD_KAFKA_EVENT_DR,
		.timeout_ms = d->conf.timeout_ms,
		.event = on_event,
		.arg = d,
	};
	char err[256];

	if (d->client != NULL)
		return true;
	d->client = kafka_client_new(d->loop, &conf, err);
	if (d->client == NULL)
		log_err("kafka: dead letters: %s", err);
	return d->client != NULL;
}

static rd_kafka_resp_err_t produce(struct kafka_dead *d, struct letter *m)
{
	const struct {
		const char *name;
		const char *p;
		size_t n;
	} rows[] = {
		{ "reason", m->reason.p, m->reason.n },
		{ "source", m->entry.p, m->entry.n - 1 },
		{ "attempts", m->attempts, strlen(m->attempts) },
		{ "time", m->time, strlen(m->time) },
	};
	rd_kafka_headers_t *headers = rd_kafka_headers_new(ARRAY_SIZE(rows));
	rd_kafka_resp_err_t err;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		rd_kafka_header_add(headers, rows[i].name, -1, rows[i].p,
				    (ssize_t)rows[i].n);
	err = rd_kafka_producev(kafka_client_rk(d->client),
				RD_KAFKA_V_TOPIC(d->topic),
				RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
				RD_KAFKA_V_KEY(m->key.p, m->key.n),
				RD_KAFKA_V_VALUE((char *)(uintptr_t)m->json.p, m->json.n),
				RD_KAFKA_V_HEADERS(headers),
				RD_KAFKA_V_OPAQUE(m), RD_KAFKA_V_END);
	if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
		rd_kafka_headers_destroy(headers);	/* ours still */
	return err;
}

static void on_flush(void *arg)
{
	struct kafka_dead *d = arg;
	rd_kafka_resp_err_t err;
	struct list *n;

	if (!list_empty(&d->waiting) && !start(d))
		timer_arm(&d->retry, RETRY_MS);
	while (d->client != NULL && (n = list_first(&d->waiting)) != NULL) {
		struct letter *m = LIST_ENTRY(n, struct letter, node);

		do {
			err = produce(d, m);
		} while (cut(m, err));
		if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
			note_refusal(d, err);
			timer_arm(&d->retry, RETRY_MS);
			break;
		}
		list_remove(n);
		list_append(&d->out, n);
	}
}

static void on_retry(void *arg)
{
	struct kafka_dead *d = arg;

	loop_defer(d->loop, &d->flush);
}

void kafka_dead_add(struct kafka_dead *d, const struct push_reject *r,
		    struct slice key)
{
	list_append(&d->waiting, &letter_new(r, key)->node);
	if (!timer_armed(&d->retry))
		loop_defer(d->loop, &d->flush);
}

void kafka_dead_flush(struct kafka_dead *d, int64_t ms)
{
	int64_t end = clock_mono_ms() + ms;

	on_flush(d);
	while (!list_empty(&d->out) && clock_mono_ms() < end) {
		rd_kafka_flush(kafka_client_rk(d->client), 10);
		kafka_client_drain(d->client);
	}
}

struct kafka_dead *kafka_dead_new(struct loop *l,
				  const struct kafka_dead_conf *conf)
{
	struct kafka_dead *d = mem_zalloc(sizeof(*d));

	d->loop = l;
	d->conf = *conf;
	snprintf(d->topic, sizeof(d->topic), "%s.dlq", conf->topic);
	list_init(&d->waiting);
	list_init(&d->out);
	task_init(&d->flush, LOOP_ROUTE, on_flush, d);
	timer_init(&d->retry, l, on_retry, d);
	return d;
}

void kafka_dead_free(struct kafka_dead **dp, unsigned ms)
{
	struct kafka_dead *d = *dp;
	struct list *n;

	if (d == NULL)
		return;
	*dp = NULL;
	if (d->client != NULL)
		rd_kafka_purge(kafka_client_rk(d->client),
			       RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	kafka_client_end(&d->client, ms);
	list_splice(&d->waiting, &d->out);
	while ((n = list_shift(&d->waiting)) != NULL)
		free(LIST_ENTRY(n, struct letter, node));
	task_cancel(&d->flush);
	timer_free(&d->retry);
	free(d);
}
