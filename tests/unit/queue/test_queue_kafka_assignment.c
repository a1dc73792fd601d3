/* What a consumer tells librdkafka of its partitions; librdkafka is ours here, where
 * it would talk to brokers. */
#include "common/queue/queue_kafka_assignment.h"

#include <criterion/criterion.h>

#include "common/base/log.h"

static rd_kafka_topic_partition_list_t *tps;	/* of the event */
static rd_kafka_resp_err_t what;
static int assigned, unassigned;	/* partitions, since it was looked at */

rd_kafka_topic_partition_list_t *
rd_kafka_event_topic_partition_list(rd_kafka_event_t *ev)
{
	(void)ev;
	return tps;
}

rd_kafka_resp_err_t rd_kafka_event_error(rd_kafka_event_t *ev)
{
	(void)ev;
	return what;
}

static bool lost;
static int stored;		/* offsets */

int rd_kafka_assignment_lost(rd_kafka_t *rk)
{
	(void)rk;
	return lost;
}

/* A partition's queue, and where its fetch has begun. */
static struct queue {
	int open;		/* references */
	bool alone;		/* forwarded to nobody */
	bool wakes;
	bool stops;
	int events;
	int64_t from;
} queues[8];
static int anew;		/* fetches that began before their queue was alone */

rd_kafka_error_t *
rd_kafka_incremental_assign(rd_kafka_t *rk,
			    const rd_kafka_topic_partition_list_t *list)
{
	(void)rk;
	assigned += list->cnt;
	for (int i = 0; i < list->cnt; i++) {
		struct queue *q = &queues[list->elems[i].partition];

		q->from = list->elems[i].offset;
		anew += q->open != 1 || !q->alone || !q->wakes;
	}
	return NULL;
}

rd_kafka_error_t *
rd_kafka_incremental_unassign(rd_kafka_t *rk,
			      const rd_kafka_topic_partition_list_t *list)
{
	(void)rk;
	unassigned += list->cnt;
	for (int i = 0; i < list->cnt; i++)
		queues[list->elems[i].partition].stops = true;
	return NULL;
}

/* It answers when fetches have stopped, which leaves something in their queues. */
rd_kafka_resp_err_t rd_kafka_assignment(rd_kafka_t *rk,
					rd_kafka_topic_partition_list_t **list)
{
	(void)rk;
	for (size_t i = 0; i < ARRAY_SIZE(queues); i++) {
		queues[i].events += queues[i].stops;
		queues[i].stops = false;
	}
	*list = rd_kafka_topic_partition_list_new(0);
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Of a partition of a topic that is not there it is another one each time. */
rd_kafka_queue_t *rd_kafka_queue_get_partition(rd_kafka_t *rk, const char *topic,
					       int32_t partition)
{
	struct queue *q = &queues[partition];

	(void)rk, (void)topic;
	q->open++;
	q->alone = q->wakes = false;
	return (rd_kafka_queue_t *)q;
}

void rd_kafka_queue_forward(rd_kafka_queue_t *q, rd_kafka_queue_t *to)
{
	((struct queue *)q)->alone = to == NULL;
}

void rd_kafka_queue_io_event_enable(rd_kafka_queue_t *q, int fd, const void *text,
				    size_t n)
{
	((struct queue *)q)->wakes = fd == 42 && n == 8 && *(uint64_t *)text == 1;
}

rd_kafka_event_t *rd_kafka_queue_poll(rd_kafka_queue_t *q, int ms)
{
	struct queue *of = (struct queue *)q;

	cr_expect_eq(ms, 0);
	return of->events > 0 && of->events-- > 0 ? (rd_kafka_event_t *)q : NULL;
}

void rd_kafka_event_destroy(rd_kafka_event_t *ev)
{
	(void)ev;
}

/* The partition that the next event is of; -1: none. */
static int poll_one(struct assignment *a)
{
	struct queue *q = (struct queue *)assignment_poll(a);

	return q != NULL ? (int)(q - queues) : -1;
}

rd_kafka_resp_err_t
rd_kafka_offsets_store(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *list)
{
	(void)rk;
	stored += list->cnt;
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_queue_t *rd_kafka_queue_get_consumer(rd_kafka_t *rk)
{
	(void)rk;
	return NULL;
}

void rd_kafka_queue_destroy(rd_kafka_queue_t *q)
{
	if (q != NULL) {
		((struct queue *)q)->open--;
		cr_expect_not(((struct queue *)q)->wakes);
	}
}

void rd_kafka_ListConsumerGroupOffsets(rd_kafka_t *rk,
				       rd_kafka_ListConsumerGroupOffsets_t **ask,
				       size_t n, const rd_kafka_AdminOptions_t *o,
				       rd_kafka_queue_t *q)
{
	(void)rk, (void)ask, (void)n, (void)o, (void)q;
}

static struct loop *l;
static struct assignment a;

static void begin(void)
{
	log_init("test", LOG_LVL_ERR);
	l = loop_new();
	assignment_init(&a, l, "t", "g", 60000);
	assignment_begin(&a, (rd_kafka_t *)&a, 42);
}

static void finish(void)
{
	assignment_free(&a);
	for (size_t i = 0; i < ARRAY_SIZE(queues); i++)
		cr_expect_eq(queues[i].open, 0);
	cr_expect_eq(anew, 0);
	loop_free(&l);
}

TestSuite(kafka_assignment, .init = begin, .fini = finish);

/* Of partitions from first on. */
static void rebalance(rd_kafka_resp_err_t which, int first, int n)
{
	tps = rd_kafka_topic_partition_list_new(n);
	for (int i = 0; i < n; i++)
		rd_kafka_topic_partition_list_add(tps, "t", first + i);
	what = which;
	assignment_rebalance(&a, NULL);
	rd_kafka_topic_partition_list_destroy(tps);
	assigned = unassigned = 0;
}

static void take_at(int partition, int64_t offset, char entry[ENTRY_MAX])
{
	const rd_kafka_message_t m = { .partition = partition, .offset = offset };

	cr_assert(assignment_take(&a, &m, entry));
}

static void take(int partition, char entry[ENTRY_MAX])
{
	take_at(partition, 7, entry);
}

/* Those that have something, one after the other; nobody waits for one that always
 * has. */
Test(kafka_assignment, partitions_are_polled_in_turns)
{
	int of[3] = { 0 };

	cr_expect_eq(poll_one(&a), -1);
	rebalance(RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, 0, 3);
	cr_expect_eq(poll_one(&a), -1);
	queues[0].events = 1000;
	queues[2].events = 40;
	for (int i = 0; i < 104; i++)
		of[poll_one(&a)]++;
	cr_expect_eq(of[0], 64);
	cr_expect_eq(of[2], 40);
	queues[0].events = 0;
	cr_expect_eq(poll_one(&a), -1);
	queues[1].events = 1;
	cr_expect_eq(poll_one(&a), 1);
	cr_expect_eq(poll_one(&a), -1);
}

/* What waits for one outcome only; the others go on. */
Test(kafka_assignment, a_full_one_is_not_polled)
{
	char first[ENTRY_MAX], entry[ENTRY_MAX];

	rebalance(RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, 0, 2);
	take_at(0, 0, first);
	for (int i = 1; i < 10000; i++) {
		queues[0].events = 1;
		cr_assert_eq(poll_one(&a), 0, "%d", i);
		take_at(0, i, entry);
		cr_assert(parts_finish(&a.parts, entry));
		assignment_settle(&a);
	}
	queues[0].events = queues[1].events = 1;
	cr_expect_eq(poll_one(&a), 1);
	cr_expect_eq(poll_one(&a), -1);
	cr_assert(parts_finish(&a.parts, first));
	assignment_settle(&a);
	cr_expect_eq(poll_one(&a), 0);
}

Test(kafka_assignment, what_leaves_is_not_polled)
{
	char entry[ENTRY_MAX];

	rebalance(RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, 0, 2);
	take(0, entry);
	rebalance(RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS, 0, 1);
	queues[0].events = queues[1].events = 1;
	cr_expect_eq(queues[0].open, 1);
	cr_expect_eq(poll_one(&a), 1);
	cr_expect_eq(poll_one(&a), -1);
	cr_assert(parts_finish(&a.parts, entry));
	assignment_settle(&a);
	cr_expect_eq(queues[0].open, 0);
	cr_expect_eq(queues[0].events, 0);
	rebalance(RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, 0, 1);
	queues[0].events = 1;
	cr_expect_eq(poll_one(&a), 0);
}

/* At once, with an outcome that nobody was told of yet, and one to come. */
Test(kafka_assignment, what_is_lost_is_not_stored)
{
	char entry[2][ENTRY_MAX];

	rebalance(RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, 0, 2);
	take_at(0, 7, entry[0]);
	take_at(0, 8, entry[1]);
	cr_assert(parts_finish(&a.parts, entry[0]));
	lost = true;
	rebalance(RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS, 0, 1);
	cr_expect_eq(queues[0].open, 0);
	cr_expect_eq(queues[0].events, 0);
	cr_assert(parts_finish(&a.parts, entry[1]));
	assignment_settle(&a);
	cr_expect_eq(stored, 0);
	queues[1].events = 1;
	cr_expect_eq(poll_one(&a), 1);
}

/* Its partition goes on with the same queue. */
Test(kafka_assignment, a_topic_made_anew)
{
	char entry[ENTRY_MAX];

	log_init("test", LOG_LVL_ERR);
	rebalance(RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, 0, 1);
	take_at(0, 7, entry);
	take_at(0, 3, entry);
	cr_expect_eq(queues[0].open, 1);
	queues[0].events = 1;
	cr_expect_eq(poll_one(&a), 0);
}

/* Each where it is: what has given nothing, where the group is. */
Test(kafka_assignment, a_probe_begins_anew)
{
	char entry[ENTRY_MAX];

	rebalance(RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, 0, 4);
	take(1, entry);
	cr_assert(assignment_probe(&a));
	cr_expect_eq(unassigned, 4);
	cr_expect_eq(assigned, 4);
	for (int i = 0; i < 4; i++) {
		cr_expect_eq(queues[i].from, i == 1 ? 8 : RD_KAFKA_OFFSET_STORED);
		cr_expect_eq(queues[i].events, 0);
	}
}

/* librdkafka forgets what was stored, and may not have been let commit it. */
Test(kafka_assignment, a_probe_stores_anew)
{
	char entry[ENTRY_MAX];

	rebalance(RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, 0, 1);
	take(0, entry);
	cr_assert(parts_finish(&a.parts, entry));
	assignment_settle(&a);
	assignment_settle(&a);
	cr_expect_eq(stored, 1);
	cr_assert(assignment_probe(&a));
	cr_expect_eq(stored, 2);
}

/* What librdkafka waits for then is said when its entries have outcomes: anything
 * else would be taken for that, and another be given them. */
Test(kafka_assignment, not_while_some_are_leaving)
{
	char entry[ENTRY_MAX];

	rebalance(RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, 0, 4);
	take(1, entry);
	rebalance(RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS, 1, 1);
	cr_expect_not(assignment_probe(&a));
	cr_expect_eq(assigned + unassigned, 0);
	cr_assert(parts_finish(&a.parts, entry));
	assignment_settle(&a);
	cr_expect_eq(unassigned, 1);
	cr_expect_eq(assigned, 0);
	cr_assert(assignment_probe(&a));
	cr_expect_eq(unassigned, 4);
	cr_expect_eq(assigned, 3);
}
