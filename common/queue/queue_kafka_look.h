/* What an operator should know of the topic: a broker is asked for its settings.
 * Loop thread only. */
#ifndef PW_QUEUE_KAFKA_LOOK_H
#define PW_QUEUE_KAFKA_LOOK_H

#include <librdkafka/rdkafka.h>

#include "common/base/list.h"
#include "common/queue/push_queue.h"

/* One question more in pending; its result comes as an event on rk's main
 * queue within timeout_ms. refusal: of events, or 0. */
void kafka_look(rd_kafka_t *rk, const char *topic, rd_kafka_resp_err_t refusal,
		unsigned timeout_ms, struct list *pending, push_look_cb *cb,
		void *arg);
/* Of type RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT. Answers, and stays the
 * caller's. */
void kafka_look_event(rd_kafka_event_t *ev);
/* No event comes any more, or none was asked for (rk NULL above): all get err, and
 * why ("": not known). */
void kafka_looks_fail(struct list *pending, int err, const char *why);

#endif
