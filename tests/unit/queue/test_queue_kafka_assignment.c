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

int rd_kafka_assignment_lost(rd_kafka_t *rk)
{
	(void)rk;
	return 0;
}

rd_kafka_error_t *
rd_kafka_incremental_assign(rd_kafka_t *rk,
			    const rd_kafka_topic_partition_list_t *list)
{
	(void)rk;
	assigned += list->cnt;
	return NULL;
}

rd_kafka_error_t *
rd_kafka_incremental_unassign(rd_kafka_t *rk,
			      const rd_kafka_topic_partition_list_t *list)
{
	(void)rk;
	unassigned += list->cnt;
	return NULL;
}

rd_kafka_resp_err_t
rd_kafka_pause_partitions(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *list)
{
	(void)rk, (void)list;
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t
rd_kafka_resume_partitions(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *list)
{
	return rd_kafka_pause_partitions(rk, list);
}

rd_kafka_resp_err_t
rd_kafka_offsets_store(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *list)
{
	return rd_kafka_pause_partitions(rk, list);
}

rd_kafka_queue_t *rd_kafka_queue_get_consumer(rd_kafka_t *rk)
{
	(void)rk;
	return NULL;
}

void rd_kafka_queue_destroy(rd_kafka_queue_t *q)
{
	(void)q;
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
	assignment_begin(&a, (rd_kafka_t *)&a);
}

static void finish(void)
{
	assignment_free(&a);
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

static void take(int partition, char entry[ENTRY_MAX])
{
	const rd_kafka_message_t m = { .partition = partition, .offset = 7 };

	cr_assert(assignment_take(&a, &m, entry));
}

Test(kafka_assignment, only_what_gave_nothing_is_assigned_anew)
{
	char entry[ENTRY_MAX];

	rebalance(RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, 0, 4);
	take(1, entry);
	cr_assert(assignment_probe(&a, false));
	cr_expect_eq(assigned + unassigned, 0);
	cr_assert(assignment_probe(&a, true));
	cr_expect_eq(unassigned, 3);
	cr_expect_eq(assigned, 3);
	assignment_hold(&a, true);
	cr_expect_not(assignment_probe(&a, true));
	cr_expect_eq(assigned, 3);
}

/* What librdkafka waits for then is said when its entries have outcomes: anything
 * else would be taken for that, and another be given them. */
Test(kafka_assignment, not_while_some_are_leaving)
{
	char entry[ENTRY_MAX];

	rebalance(RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, 0, 4);
	take(1, entry);
	rebalance(RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS, 1, 1);
	cr_expect_not(assignment_probe(&a, true));
	cr_expect_eq(assigned + unassigned, 0);
	cr_assert(parts_finish(&a.parts, entry));
	assignment_settle(&a);
	cr_expect_eq(unassigned, 1);
	cr_expect_eq(assigned, 0);
	cr_assert(assignment_probe(&a, true));
	cr_expect_eq(unassigned, 4);
	cr_expect_eq(assigned, 3);
}
