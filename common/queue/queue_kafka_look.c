#include "common/queue/queue_kafka_look.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

struct look {
	struct list node;
	push_look_cb *cb;
	void *arg;
	rd_kafka_resp_err_t refusal;
	char topic[];
};

void kafka_look(rd_kafka_t *rk, const char *topic, rd_kafka_resp_err_t refusal,
		unsigned timeout_ms, struct list *pending, push_look_cb *cb,
		void *arg)
{
	struct look *k = mem_zalloc(sizeof(*k) + strlen(topic) + 1);
	rd_kafka_AdminOptions_t *options;
	rd_kafka_ConfigResource_t *res;
	rd_kafka_queue_t *queue;
	char why[64];

	strcpy(k->topic, topic);
	k->cb = cb;
	k->arg = arg;
	k->refusal = refusal;
	list_init(&k->node);
	list_append(pending, &k->node);
	if (rk == NULL)
		return;
	options = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
	/* an out of range timeout is left at librdkafka's own */
	(void)rd_kafka_AdminOptions_set_request_timeout(options, (int)timeout_ms,
							why, sizeof(why));
	rd_kafka_AdminOptions_set_opaque(options, k);
	res = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
	queue = rd_kafka_queue_get_main(rk);
	rd_kafka_DescribeConfigs(rk, &res, 1, options, queue);
	rd_kafka_queue_destroy(queue);
	rd_kafka_ConfigResource_destroy(res);
	rd_kafka_AdminOptions_destroy(options);
}

static const char *setting(const rd_kafka_ConfigResource_t *res,
			   const char *name)
{
	const rd_kafka_ConfigEntry_t **list;
	size_t n;

	list = rd_kafka_ConfigResource_configs(res, &n);
	for (size_t i = 0; i < n; i++)
		if (strcmp(rd_kafka_ConfigEntry_name(list[i]), name) == 0)
			return rd_kafka_ConfigEntry_value(list[i]);
	return NULL;
}

static void finish(struct look *k, int err, const char *text, const char *todo)
{
	list_remove(&k->node);
	k->cb(k->arg, err, text, todo);
	free(k);
}

static bool is_forbidden(const struct look *k)
{
	return k->refusal == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
	       k->refusal == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
}

static void judge(struct look *k, rd_kafka_resp_err_t err,
		  const rd_kafka_ConfigResource_t *res)
{
	const char *isr = res != NULL ? setting(res, "min.insync.replicas") :
					NULL;
	char text[256], todo[320] = "";

	/* one who may write need not be let see the settings */
	if (k->refusal == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART &&
	    err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
		err = k->refusal;
	switch (err) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		snprintf(text, sizeof(text), "Kafka answers, topic %.128s, "
			 "min.insync.replicas %.16s", k->topic,
			 isr != NULL ? isr : "unknown");
		break;
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
		snprintf(text, sizeof(text), "Kafka answers, and has no topic "
			 "%.128s", k->topic);
		snprintf(todo, sizeof(todo), "kafka-topics.sh --create --topic "
			 "%.128s", k->topic);
		break;
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		snprintf(text, sizeof(text), "Kafka answers, topic %.128s, whose "
			 "settings its user may not see", k->topic);
		break;
	default:
		snprintf(text, sizeof(text), "Kafka answers; topic %.128s cannot "
			 "be looked at: %.80s", k->topic,
			 rd_kafka_err2str(err));
		break;
	}
	if (is_forbidden(k) && todo[0] == '\0') {
		snprintf(text, sizeof(text), "Kafka answers, and takes no events: "
			 "%.80s", rd_kafka_err2str(k->refusal));
		snprintf(todo, sizeof(todo), "see that its user may WRITE to topic "
			 "%.128s (kafka-acls.sh)", k->topic);
	}
	finish(k, 0, text, todo);
}

void kafka_look_event(rd_kafka_event_t *ev)
{
	const rd_kafka_DescribeConfigs_result_t *r =
		rd_kafka_event_DescribeConfigs_result(ev);
	rd_kafka_resp_err_t err = rd_kafka_event_error(ev);
	struct look *k = rd_kafka_event_opaque(ev);
	const rd_kafka_ConfigResource_t **list;
	size_t n = 0;

	if (err == RD_KAFKA_RESP_ERR__TIMED_OUT ||
	    err == RD_KAFKA_RESP_ERR__TRANSPORT) {
		finish(k, -ETIMEDOUT, "", "");
		return;
	}
	list = r != NULL ? rd_kafka_DescribeConfigs_result_resources(r, &n) :
			   NULL;
	if (err == RD_KAFKA_RESP_ERR_NO_ERROR && n > 0)
		err = rd_kafka_ConfigResource_error(list[0]);
	judge(k, err, n > 0 ? list[0] : NULL);
}

void kafka_looks_fail(struct list *pending, int err, const char *why)
{
	struct list *n;

	while ((n = list_first(pending)) != NULL) {
		struct look *k = LIST_ENTRY(n, struct look, node);

		if (is_forbidden(k) && err != -ECANCELED)
			judge(k, RD_KAFKA_RESP_ERR_NO_ERROR, NULL);
		else
			finish(k, err, why, "");
	}
}
