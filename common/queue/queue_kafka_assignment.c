#include "common/queue/queue_kafka_assignment.h"

#include "common/base/log.h"

#define SPAN_MAX 10000		/* offsets beyond the oldest without outcome */
#define TURN 32			/* events of a partition, before the next one's */

/* Before its fetch starts: what librdkafka has given to its common queue by then
 * stays there. */
static void open_queue(struct assignment *a, struct part *p)
{
	uint64_t one = 1;

	p->queue = rd_kafka_queue_get_partition(a->rk, a->topic, p->id);
	rd_kafka_queue_forward(p->queue, NULL);
	rd_kafka_queue_io_event_enable(p->queue, a->fd, &one, sizeof(one));
}

static void close_queue(struct part *p)
{
	if (p->queue == NULL)
		return;
	rd_kafka_queue_io_event_enable(p->queue, -1, NULL, 0);
	rd_kafka_queue_destroy(p->queue);
	p->queue = NULL;
}

static void lose(struct assignment *a, struct part *p)
{
	close_queue(p);
	parts_lose(&a->parts, p);
}

static struct part *add(struct assignment *a, int32_t id)
{
	struct part *p = parts_add(&a->parts, id);

	open_queue(a, p);
	return p;
}

/* As librdkafka has stopped its fetch: what that left in its queue refers to the
 * partition, and where the topic has gone nobody else would take it out. A client
 * with such a partition never ends (2.0.2). */
static void empty_queue(struct part *p)
{
	rd_kafka_event_t *ev;

	while ((ev = rd_kafka_queue_poll(p->queue, 0)) != NULL)
		rd_kafka_event_destroy(ev);
}

rd_kafka_event_t *assignment_poll(struct assignment *a)
{
	for (size_t i = a->parts.n; i > 0; i--) {
		struct part *p = LIST_ENTRY(list_first(&a->parts.all),
					    struct part, node);
		rd_kafka_event_t *ev = NULL;

		if (p->state == PART_OURS && !p->full)
			ev = rd_kafka_queue_poll(p->queue, 0);
		if (ev != NULL && ++a->turn < TURN)
			return ev;
		a->turn = 0;
		parts_turn(&a->parts);
		if (ev != NULL)
			return ev;
	}
	return NULL;
}

/* What outcomes have made of the partition's window. */
static void settle_part(struct assignment *a, struct part *p,
			rd_kafka_topic_partition_list_t *offsets)
{
	int64_t next = offset_window_next(&p->window);

	if (p->state != PART_LOST && next > p->stored) {
		rd_kafka_topic_partition_list_add(offsets, a->topic,
						  p->id)->offset = next;
		p->stored = next;
	}
	if (offset_window_span(&p->window) <= SPAN_MAX / 2)
		p->full = false;
}

/* Tells librdkafka what may be committed. */
static void store_offsets(struct assignment *a)
{
	rd_kafka_topic_partition_list_t *offsets =
		rd_kafka_topic_partition_list_new(8);
	struct list *n, *tmp;

	LIST_FOREACH_SAFE(n, tmp, &a->parts.all)
		settle_part(a, LIST_ENTRY(n, struct part, node), offsets);
	if (offsets->cnt > 0)
		rd_kafka_offsets_store(a->rk, offsets);
	rd_kafka_topic_partition_list_destroy(offsets);
}

static void complain(rd_kafka_error_t *e, const char *what)
{
	if (e == NULL)
		return;
	log_warn("kafka: %s: %s", what, rd_kafka_error_string(e));
	rd_kafka_error_destroy(e);
}

/* librdkafka's thread has done what unassigning asked of it, once it has answered
 * what was asked behind that. */
static void unassign(struct assignment *a, rd_kafka_topic_partition_list_t *tps)
{
	rd_kafka_topic_partition_list_t *left = NULL;

	complain(rd_kafka_incremental_unassign(a->rk, tps), "unassign");
	if (rd_kafka_assignment(a->rk, &left) == RD_KAFKA_RESP_ERR_NO_ERROR)
		rd_kafka_topic_partition_list_destroy(left);
}

/* librdkafka commits what was stored of them, and then leaves them. */
static void leave(struct assignment *a, const char *how)
{
	rd_kafka_topic_partition_list_t *tps = a->leaving;

	a->leaving = NULL;
	timer_disarm(&a->revoke);
	unassign(a, tps);
	for (int i = 0; i < tps->cnt; i++) {
		struct part *p = parts_not_lost(&a->parts, tps->elems[i].partition);

		if (p == NULL)
			continue;
		empty_queue(p);
		lose(a, p);
	}
	log_info("kafka: %s %d partitions topic=%s", how, tps->cnt, a->topic);
	rd_kafka_topic_partition_list_destroy(tps);
}

static void give_back(struct assignment *a)
{
	store_offsets(a);
	leave(a, "gave back");
}

static void on_revoke_timeout(void *arg)
{
	struct assignment *a = arg;

	if (a->leaving == NULL)
		return;
	log_warn("kafka: %zu entries of partitions that leave have no outcome yet, they are repeated elsewhere",
		 parts_leaving(&a->parts));
	give_back(a);
}

/* Not in time (lost): others have them already, nothing more is stored of them. */
static void on_revoked(struct assignment *a, rd_kafka_topic_partition_list_t *tps)
{
	bool lost = rd_kafka_assignment_lost(a->rk);

	if (a->leaving != NULL)
		give_back(a);
	a->leaving = rd_kafka_topic_partition_list_copy(tps);
	if (lost) {
		leave(a, "lost");
		return;
	}
	for (int i = 0; i < tps->cnt; i++) {
		struct part *p = parts_ours(&a->parts, tps->elems[i].partition);

		if (p != NULL)
			p->state = PART_LEAVING;
	}
	if (parts_leaving(&a->parts) == 0)
		give_back(a);
	else
		timer_arm(&a->revoke, a->revoke_ms);
}

/* For the lag: librdkafka knows, and does not tell. */
static void ask_begins(struct assignment *a,
		       const rd_kafka_topic_partition_list_t *tps)
{
	rd_kafka_ListConsumerGroupOffsets_t *ask =
		rd_kafka_ListConsumerGroupOffsets_new(a->group, tps);
	rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(a->rk);

	rd_kafka_ListConsumerGroupOffsets(a->rk, &ask, 1, NULL, queue);
	rd_kafka_queue_destroy(queue);
	rd_kafka_ListConsumerGroupOffsets_destroy(ask);
}

/* Without one the group is at the beginning of the partition. */
void assignment_begins(struct assignment *a, rd_kafka_event_t *ev)
{
	const rd_kafka_ListConsumerGroupOffsets_result_t *r =
		rd_kafka_event_ListConsumerGroupOffsets_result(ev);
	const rd_kafka_topic_partition_list_t *tps;
	const rd_kafka_group_result_t **groups;
	size_t n = 0;

	if (rd_kafka_event_error(ev) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	groups = rd_kafka_ListConsumerGroupOffsets_result_groups(r, &n);
	tps = n == 1 ? rd_kafka_group_result_partitions(groups[0]) : NULL;
	for (int i = 0; tps != NULL && i < tps->cnt; i++) {
		struct part *p = parts_ours(&a->parts, tps->elems[i].partition);

		if (p != NULL && tps->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR)
			p->begin = tps->elems[i].offset > 0 ?
					   tps->elems[i].offset : 0;
	}
}

static void on_assigned(struct assignment *a, rd_kafka_topic_partition_list_t *tps)
{
	if (a->leaving != NULL)
		give_back(a);
	for (int i = 0; i < tps->cnt; i++) {
		struct part *p = parts_not_lost(&a->parts, tps->elems[i].partition);

		if (p != NULL)
			lose(a, p);
		add(a, tps->elems[i].partition);
	}
	complain(rd_kafka_incremental_assign(a->rk, tps), "assign");
	if (tps->cnt == 0)
		return;
	ask_begins(a, tps);
	log_info("kafka: got %d partitions topic=%s", tps->cnt, a->topic);
}

static void lose_all(struct assignment *a)
{
	struct list *n, *tmp;

	LIST_FOREACH_SAFE(n, tmp, &a->parts.all)
		lose(a, LIST_ENTRY(n, struct part, node));
}

void assignment_rebalance(struct assignment *a, rd_kafka_event_t *ev)
{
	rd_kafka_topic_partition_list_t *tps =
		rd_kafka_event_topic_partition_list(ev);

	switch (rd_kafka_event_error(ev)) {
	case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
		on_assigned(a, tps);
		break;
	case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
		on_revoked(a, tps);
		break;
	default:
		log_warn("kafka: rebalance: %s", rd_kafka_event_error_string(ev));
		lose_all(a);
		rd_kafka_assign(a->rk, NULL);
	}
}

bool assignment_take(struct assignment *a, const rd_kafka_message_t *m,
		     char entry[ENTRY_MAX])
{
	struct part *p = parts_ours(&a->parts, m->partition);

	if (p != NULL && m->offset < offset_window_position(&p->window)) {
		log_warn("kafka: a partition has gone back (made anew?) topic=%s partition=%d offset=%lld",
			 a->topic, (int)m->partition, (long long)m->offset);
		lose(a, p);
		p = add(a, m->partition);
	}
	if (p == NULL || !parts_take(&a->parts, p, m->offset,
				     (struct slice){ m->key, m->key_len }, entry))
		return false;
	if (offset_window_span(&p->window) >= SPAN_MAX)
		p->full = true;
	return true;
}

void assignment_settle(struct assignment *a)
{
	store_offsets(a);
	if (a->leaving != NULL && parts_leaving(&a->parts) == 0)
		give_back(a);
}

/* Of a topic that is not there, librdkafka's partition is another one by then. And
 * of each it forgets what was stored, even where it may not commit it: it is told
 * again. */
static void begin_anew(struct assignment *a)
{
	struct list *n, *tmp;

	LIST_FOREACH_SAFE(n, tmp, &a->parts.all) {
		struct part *p = LIST_ENTRY(n, struct part, node);

		if (p->state != PART_OURS)
			continue;
		empty_queue(p);
		close_queue(p);
		open_queue(a, p);
		p->stored = -1;
	}
}

/* What has given something goes on behind it: what of that has no outcome yet is
 * not committed. */
static rd_kafka_topic_partition_list_t *places(const struct assignment *a)
{
	rd_kafka_topic_partition_list_t *tps =
		rd_kafka_topic_partition_list_new(8);
	struct list *n, *tmp;

	LIST_FOREACH_SAFE(n, tmp, &a->parts.all) {
		struct part *p = LIST_ENTRY(n, struct part, node);
		int64_t position = offset_window_position(&p->window);

		if (p->state == PART_OURS)
			rd_kafka_topic_partition_list_add(tps, a->topic, p->id)
				->offset = position >= 0 ? position :
							   RD_KAFKA_OFFSET_STORED;
	}
	return tps;
}

bool assignment_probe(struct assignment *a)
{
	rd_kafka_topic_partition_list_t *tps;

	/* librdkafka would take it for the answer to the revocation */
	if (a->rk == NULL || a->leaving != NULL)
		return false;
	tps = places(a);
	if (tps->cnt > 0) {
		unassign(a, tps);
		begin_anew(a);
		complain(rd_kafka_incremental_assign(a->rk, tps), "assign");
		store_offsets(a);
		ask_begins(a, tps);
	}
	rd_kafka_topic_partition_list_destroy(tps);
	return true;
}

/* The end of a partition is what its last fetch has said. */
static int64_t lag_of(const struct assignment *a, const struct part *p)
{
	int64_t position = offset_window_position(&p->window);
	int64_t first, end;

	if (rd_kafka_get_watermark_offsets(a->rk, a->topic, p->id, &first, &end) !=
	    RD_KAFKA_RESP_ERR_NO_ERROR || end < 0)
		return -1;
	if (position < 0 && p->begin < 0)
		return -1;
	if (position < 0)	/* nothing came since it is ours */
		position = p->begin > first ? p->begin : first;
	return end > position ? end - position : 0;
}

int64_t assignment_lag(const struct assignment *a)
{
	struct list *n, *tmp;
	int64_t sum = -1;

	LIST_FOREACH_SAFE(n, tmp, &a->parts.all) {
		struct part *p = LIST_ENTRY(n, struct part, node);
		int64_t lag = p->state == PART_OURS ? lag_of(a, p) : -1;

		if (lag >= 0)
			sum = sum < 0 ? lag : sum + lag;
	}
	return sum;
}

void assignment_commit(struct assignment *a, int ms)
{
	rd_kafka_queue_t *answers;
	rd_kafka_event_t *ev = NULL;

	if (a->rk == NULL)
		return;
	store_offsets(a);
	answers = rd_kafka_queue_new(a->rk);
	if (rd_kafka_commit_queue(a->rk, NULL, answers, NULL, NULL) ==
	    RD_KAFKA_RESP_ERR_NO_ERROR)
		ev = rd_kafka_queue_poll(answers, ms);
	if (ev != NULL)
		rd_kafka_event_destroy(ev);
	rd_kafka_queue_destroy(answers);
}

void assignment_begin(struct assignment *a, rd_kafka_t *rk, int fd)
{
	a->rk = rk;
	a->fd = fd;
}

void assignment_end(struct assignment *a)
{
	if (a->leaving != NULL)
		rd_kafka_topic_partition_list_destroy(a->leaving);
	a->leaving = NULL;
	timer_disarm(&a->revoke);
	lose_all(a);
	a->rk = NULL;
}

void assignment_init(struct assignment *a, struct loop *l, const char *topic,
		     const char *group, unsigned revoke_ms)
{
	*a = (struct assignment){ .topic = topic, .group = group,
				  .revoke_ms = revoke_ms };
	parts_init(&a->parts, topic);
	timer_init(&a->revoke, l, on_revoke_timeout, a);
}

void assignment_free(struct assignment *a)
{
	assignment_end(a);
	parts_clear(&a->parts);
	timer_free(&a->revoke);
}
