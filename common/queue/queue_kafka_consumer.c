/* The consumer on Kafka: a static member of a group with cooperative rebalancing.
 * What librdkafka is told of outcomes, it commits. While max_in_flight entries are
 * out, the queues of the partitions are just not read. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/backend/backoff.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "common/queue/queue_kafka.h"
#include "common/queue/queue_kafka_assignment.h"
#include "common/queue/queue_kafka_client.h"
#include "common/queue/queue_kafka_dead.h"

#define PROBE_MS 8000		/* librdkafka fetches again 5 s after a refusal */
#define POLL_INTERVAL_MS 300000	/* librdkafka's */

struct consumer {
	struct push_consumer base;
	struct loop *loop;
	struct kafka_url url;
	struct kafka_client *client;	/* NULL: given up, until renew */
	struct kafka_dead *dead;
	push_event_cb *event;
	void (*state)(void *arg, bool up);
	void *arg;
	char *group;
	char *name;
	size_t max_in_flight;
	unsigned session_ms;
	unsigned timeout_ms;
	struct assignment assignment;
	bool paused;			/* by our owner */
	bool reached;			/* a broker answers */
	bool no_topic;			/* or none that we may read */
	bool refused;			/* it was, since we last tried */
	bool lost;			/* librdkafka gave up where partitions begin */
	unsigned told;			/* a bit for each complaint, since no_topic */
	bool up;
	struct task settle;
	struct task give_up;
	struct timer renew, probe;
	struct backoff backoff;
	int64_t born_ms;		/* of client */
};

static bool has_room(const struct consumer *c)
{
	return !c->paused && c->assignment.parts.out < c->max_in_flight;
}

/* The client's: what it takes when it has nothing to say itself. */
static rd_kafka_event_t *more(void *arg)
{
	struct consumer *c = arg;

	return has_room(c) ? assignment_poll(&c->assignment) : NULL;
}

/* The queues are read: what is wrong with a fetch would be heard. */
static bool reads(const struct consumer *c)
{
	return has_room(c) && parts_fetched(&c->assignment.parts);
}

static void set_up(struct consumer *c)
{
	bool up = c->reached && !c->no_topic;

	if (up == c->up)
		return;
	c->up = up;
	if (c->state != NULL)
		c->state(c->arg, up);
}

/* There are partitions, be they ours or others', and fetches are answered. */
static void topic_is_there(struct consumer *c)
{
	if (!c->no_topic)
		return;
	c->no_topic = false;
	c->lost = false;
	c->told = 0;
	timer_disarm(&c->probe);
	log_info("kafka: the topic can be read topic=%s", c->url.topic);
	set_up(c);
}

/* Without partitions: they come once the topic or the group is ours to read. Where
 * only fetches are refused, they stay, and nothing says when that is over. What
 * waits in the queue comes first: a refusal, or a rebalance. */
static void on_probe(void *arg)
{
	struct consumer *c = arg;
	bool heard;

	if (c->client != NULL)
		kafka_client_drain(c->client);
	if (!c->no_topic)
		return;
	heard = reads(c);
	if (heard && !c->refused) {
		topic_is_there(c);
		return;
	}
	c->refused = !heard || !assignment_probe(&c->assignment);
	timer_arm(&c->probe, PROBE_MS);
}

/* Each once, until it is over: librdkafka repeats some, and changes between them. */
static void tell(struct consumer *c, rd_kafka_resp_err_t err, const char *text)
{
	unsigned bit = err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ? 1 :
		       err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ? 2 :
		       err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ? 4 : 8;

	if ((c->told & bit) != 0)
		return;
	c->told |= bit;
	if (bit == 1)
		log_warn("kafka: there is no such topic, so nothing is taken: kafka-topics.sh --create --topic %s (where brokers make topics, the first event does) topic=%s",
			 c->url.topic, c->url.topic);
	else if (bit == 8)
		log_warn("kafka: nothing is taken: %s topic=%s", text, c->url.topic);
	else
		log_warn("kafka: nothing is taken: %s: its user must have READ on the topic and on the group (kafka-acls.sh) topic=%s group=%s",
			 rd_kafka_err2str(err), c->url.topic, c->group);
}

/* librdkafka looks again each topic.metadata.refresh.interval.ms, and says it once.
 * What it was refused where partitions begin, it does not ask for again. */
static bool on_complaint(void *arg, rd_kafka_resp_err_t err, const char *text)
{
	struct consumer *c = arg;
	bool unknown = err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
	bool refused = err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
	bool lost = strstr(text, "Failed to fetch committed offset") != NULL;

	/* a member goes on with what it has */
	if (!unknown && !refused && !lost &&
	    (err != RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
	     parts_fetched(&c->assignment.parts)))
		return false;
	tell(c, err, text);
	c->no_topic = true;
	c->lost = c->lost || lost;
	c->refused = refused || lost || c->refused;
	if ((refused || lost) && !timer_armed(&c->probe))
		timer_arm(&c->probe, PROBE_MS);
	set_up(c);
	return true;
}

static void take(struct consumer *c, const rd_kafka_message_t *m)
{
	char entry[ENTRY_MAX];

	if (!c->lost)
		topic_is_there(c);
	if (assignment_take(&c->assignment, m, entry))
		c->event(c->arg, entry, (struct slice){ m->payload, m->len });
}

static void on_event(void *arg, rd_kafka_event_t *ev)
{
	struct consumer *c = arg;
	const rd_kafka_message_t *m;

	switch (rd_kafka_event_type(ev)) {
	case RD_KAFKA_EVENT_FETCH:
		while ((m = rd_kafka_event_message_next(ev)) != NULL)
			take(c, m);
		break;
	case RD_KAFKA_EVENT_REBALANCE:
		if (rd_kafka_event_error(ev) ==
		    RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && !c->lost)
			topic_is_there(c);
		assignment_rebalance(&c->assignment, ev);
		break;
	case RD_KAFKA_EVENT_LISTCONSUMERGROUPOFFSETS_RESULT:
		assignment_begins(&c->assignment, ev);
		break;
	default:
		break;
	}
	rd_kafka_event_destroy(ev);
}

/* After outcomes, and changes of what we may take. */
static void on_settle(void *arg)
{
	struct consumer *c = arg;

	assignment_settle(&c->assignment);
	if (c->client != NULL)
		kafka_client_drain(c->client);
}

/* Each fetch is answered within half a second, even with nothing; one who waits
 * to be let into the group hears nothing for long. */
static bool fetches(void *arg)
{
	return reads(arg);
}

static void on_state(void *arg, bool up)
{
	struct consumer *c = arg;

	c->reached = up;
	set_up(c);
}

static void on_give_up(void *arg)
{
	struct consumer *c = arg;
	char text[256];

	switch (rd_kafka_fatal_error(kafka_client_rk(c->client), text, sizeof(text))) {
	case RD_KAFKA_RESP_ERR__FENCED:
	case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
		log_err("kafka: another pushd has this one's name, each needs its own group=%s name=\"%s\"",
			c->group, c->name);
		break;
	default:
		break;
	}
	assignment_end(&c->assignment);
	kafka_client_end(&c->client, 0);
	c->lost = false;
	c->reached = false;
	set_up(c);
	backoff_lost(&c->backoff, clock_mono_ms() - c->born_ms);
	timer_arm(&c->renew, backoff_next(&c->backoff));
}

static bool on_fatal(void *arg, rd_kafka_resp_err_t err)
{
	struct consumer *c = arg;

	(void)err;
	loop_defer(c->loop, &c->give_up);
	return false;
}

static struct kafka_client *new_client(struct consumer *c, char err[256])
{
	char session[16], heartbeat[16], poll[16], fetched[24];
	const struct kafka_setting ours[] = {
		{ "group.id", c->group },
		{ "group.instance.id", c->name },
		{ "partition.assignment.strategy", "cooperative-sticky" },
		{ "session.timeout.ms", session },
		{ "heartbeat.interval.ms", heartbeat },
		{ "max.poll.interval.ms", poll },
		{ "enable.auto.commit", "true" },
		{ "auto.commit.interval.ms", "1000" },
		{ "enable.auto.offset.store", "false" },
		{ "auto.offset.reset", "earliest" },
		{ "enable.partition.eof", "false" },
		/* what waits here, of each partition: little */
		{ "queued.max.messages.kbytes", "512" },
		{ "queued.min.messages", fetched },
		{ "fetch.message.max.bytes", "262144" },
		/* a topic that comes into being, or grows */
		{ "topic.metadata.refresh.interval.ms", "10000" },
	};
	const struct kafka_client_conf conf = {
		.type = RD_KAFKA_CONSUMER,
		.url = &c->url,
		.ours = ours,
		.n = ARRAY_SIZE(ours),
		.events = RD_KAFKA_EVENT_FETCH | RD_KAFKA_EVENT_REBALANCE,
		.timeout_ms = c->timeout_ms,
		.fetches = fetches,
		.silence_ms = c->session_ms / 6 + 1 + c->timeout_ms,
		.event = on_event,
		.more = more,
		.state = on_state,
		.complaint = on_complaint,
		.fatal = on_fatal,
		.arg = c,
	};

	snprintf(session, sizeof(session), "%u", c->session_ms);
	snprintf(heartbeat, sizeof(heartbeat), "%u", c->session_ms / 6 + 1);
	snprintf(poll, sizeof(poll), "%u", c->session_ms > POLL_INTERVAL_MS ?
		 c->session_ms : POLL_INTERVAL_MS);
	snprintf(fetched, sizeof(fetched), "%zu", c->max_in_flight);
	return kafka_client_new(c->loop, &conf, err);
}

static int start(struct consumer *c, char err[256])
{
	rd_kafka_topic_partition_list_t *topics;

	c->client = new_client(c, err);
	if (c->client == NULL)
		return -1;
	c->born_ms = clock_mono_ms();
	assignment_begin(&c->assignment, kafka_client_rk(c->client),
			 kafka_client_fd(c->client));
	topics = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(topics, c->url.topic,
					  RD_KAFKA_PARTITION_UA);
	rd_kafka_subscribe(kafka_client_rk(c->client), topics);
	rd_kafka_topic_partition_list_destroy(topics);
	return 0;
}

static void on_renew(void *arg)
{
	struct consumer *c = arg;
	char err[256];

	if (start(c, err) == 0) {
		log_info("kafka: started anew");
		return;
	}
	log_err("kafka: %s", err);
	timer_arm(&c->renew, backoff_next(&c->backoff));
}

static void on_dead(void *arg, const char *entry)
{
	struct consumer *c = arg;

	parts_rejected(&c->assignment.parts, entry);
	loop_defer(c->loop, &c->settle);
}

void kafka_consumer_ack(struct push_consumer *base, const char *entry)
{
	struct consumer *c = CONTAINER_OF(base, struct consumer, base);

	if (parts_finish(&c->assignment.parts, entry))
		loop_defer(c->loop, &c->settle);
}

void kafka_consumer_reject(struct push_consumer *base,
			   const struct push_reject *r)
{
	struct consumer *c = CONTAINER_OF(base, struct consumer, base);
	struct slice key;

	if (parts_reject(&c->assignment.parts, r->entry, &key))
		kafka_dead_add(c->dead, r, key);
	else
		loop_defer(c->loop, &c->settle);
}

void kafka_consumer_pause(struct push_consumer *base, bool paused)
{
	struct consumer *c = CONTAINER_OF(base, struct consumer, base);

	c->paused = paused;
	loop_defer(c->loop, &c->settle);
}

bool kafka_consumer_up(const struct push_consumer *base)
{
	return CONTAINER_OF(base, const struct consumer, base)->up;
}

int64_t kafka_consumer_lag(const struct push_consumer *base)
{
	const struct consumer *c = CONTAINER_OF(base, const struct consumer, base);

	return c->client != NULL ? assignment_lag(&c->assignment) : -1;
}

static unsigned ms_until(int64_t end)
{
	int64_t left = end - clock_mono_ms();

	return left > 0 ? (unsigned)left : 0;
}

static void consumer_free(struct consumer *c, int64_t end)
{
	kafka_dead_free(&c->dead, ms_until(end));
	assignment_free(&c->assignment);
	kafka_client_end(&c->client, ms_until(end));
	task_cancel(&c->settle);
	task_cancel(&c->give_up);
	timer_free(&c->renew);
	timer_free(&c->probe);
	kafka_url_clear(&c->url);
	free(c->group);
	free(c->name);
	free(c);
}

struct push_consumer *kafka_consumer_new(struct loop *l,
					 const struct push_consumer_conf *conf,
					 push_event_cb *event, void *arg,
					 char err[256])
{
	struct consumer *c = mem_zalloc(sizeof(*c));

	if (kafka_url_parse(conf->url, &c->url, err) != 0) {
		free(c);
		return NULL;
	}
	if (c->url.topic[0] == '\0')
		strcpy(c->url.topic, PUSH_STREAM);
	c->base.backend = &push_backend_kafka;
	c->loop = l;
	c->event = event;
	c->arg = arg;
	c->group = mem_strdup(conf->group);
	c->name = mem_strdup(conf->consumer);
	c->max_in_flight = conf->max_in_flight > 0 ? conf->max_in_flight : 1;
	c->session_ms = conf->claim_idle_ms;
	c->timeout_ms = conf->timeout_ms;
	assignment_init(&c->assignment, l, c->url.topic, c->group,
			conf->revoke_timeout_ms);
	task_init(&c->settle, LOOP_WORK, on_settle, c);
	task_init(&c->give_up, LOOP_REAP, on_give_up, c);
	timer_init(&c->renew, l, on_renew, c);
	timer_init(&c->probe, l, on_probe, c);
	backoff_init(&c->backoff);
	c->dead = kafka_dead_new(l, &(struct kafka_dead_conf){
		.url = &c->url,
		.topic = c->url.topic,
		.timeout_ms = conf->timeout_ms,
		.done = on_dead,
		.arg = c,
	});
	if (start(c, err) != 0) {
		consumer_free(c, 0);
		return NULL;
	}
	c->state = conf->state;
	return &c->base;
}

/* As a static member, which leaves nothing: another of its name takes over where
 * it was, or after session.timeout.ms anyone. So there is nothing that closing it
 * (2.0 may crash or hang there) would add to the commit. */
void kafka_consumer_free(struct push_consumer *base)
{
	struct consumer *c = CONTAINER_OF(base, struct consumer, base);
	int64_t end = clock_mono_ms() + c->timeout_ms;

	c->state = NULL;
	kafka_dead_flush(c->dead, c->timeout_ms / 2);	/* and some for the commit */
	if (c->client != NULL && kafka_client_up(c->client))
		assignment_commit(&c->assignment, (int)ms_until(end));
	consumer_free(c, end);
}
