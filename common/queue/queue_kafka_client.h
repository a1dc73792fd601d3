/* A librdkafka client on the loop. All it has to say comes through queues whose
 * readiness is a file descriptor of the loop's: nothing blocks, and no callback
 * runs on librdkafka's threads. Loop thread only. */
#ifndef PW_QUEUE_KAFKA_CLIENT_H
#define PW_QUEUE_KAFKA_CLIENT_H

#include <librdkafka/rdkafka.h>

#include "common/base/base.h"
#include "common/queue/kafka_url.h"

struct loop;
struct kafka_client;

struct kafka_setting {
	const char *name;
	const char *value;
};

struct kafka_client_conf {
	rd_kafka_type_t type;
	const struct kafka_url *url;
	const struct kafka_setting *ours;	/* they beat the URL's */
	size_t n;
	int events;		/* RD_KAFKA_EVENT_*, besides errors and logs */
	unsigned timeout_ms;	/* connect; and silence longer than this, when
				 * something was asked, is loss */
	/* A consumer, while it is answered all the time: silence longer than
	 * silence_ms is loss. (librdkafka does not report all brokers down
	 * while it looks for the group's coordinator.) NULL: never. */
	bool (*fetches)(void *arg);
	unsigned silence_ms;
	/* An event of another queue, which wakes the same descriptor; asked when
	 * its own has none. NULL: none, or none before the next drain. May be
	 * NULL. */
	rd_kafka_event_t *(*more)(void *arg);
	/* Takes ev (rd_kafka_event_destroy). */
	void (*event)(void *arg, rd_kafka_event_t *ev);
	/* On each change, logged here once. */
	void (*state)(void *arg, bool up);
	/* A complaint to a consumer, a broker's or librdkafka's; false: to be
	 * logged here, once in a row. May be NULL. */
	bool (*complaint)(void *arg, rd_kafka_resp_err_t err, const char *text);
	/* librdkafka gives this client up: nothing more will come of it. It is
	 * to be retired, and not from within this call; false: to be logged here.
	 * NULL: a producer without idempotence has no such errors. */
	bool (*fatal)(void *arg, rd_kafka_resp_err_t err);
	void *arg;
};

/* Would librdkafka take the URL's properties? Connects to nobody. 0, or -EINVAL
 * as below. */
int kafka_client_check(const struct kafka_url *url, char err[256]) MUST_CHECK;
/* Starts connecting. NULL with a sentence in err that quotes no value. */
struct kafka_client *kafka_client_new(struct loop *l,
				      const struct kafka_client_conf *conf,
				      char err[256]);
rd_kafka_t *kafka_client_rk(const struct kafka_client *c);	/* borrowed */
/* For rd_kafka_queue_io_event_enable() of a queue that conf.more takes from, with
 * 8 bytes: the number 1. An eventfd, borrowed until kafka_client_end(). */
int kafka_client_fd(const struct kafka_client *c);
/* A broker has answered since the last time that none could be reached. */
bool kafka_client_up(const struct kafka_client *c);
/* Why none can be reached, borrowed; "" while one can, or when that is not known. */
const char *kafka_client_why(const struct kafka_client *c);
/* None could be reached for ms milliseconds, or longer. */
bool kafka_client_down_for(const struct kafka_client *c, unsigned ms);
/* Something got no answer in time. */
void kafka_client_timed_out(struct kafka_client *c);
/* Hands out what is there now; for who waits without the loop. */
void kafka_client_drain(struct kafka_client *c);
/* No callback comes any more. librdkafka's threads are joined by one of its own,
 * which is waited for for at most ms: purge before, and it takes little; but while
 * no coordinator takes its commits, the end of a consumer (2.0) takes
 * session.timeout.ms, and one that is about to be assigned partitions waits for
 * them. A consumer is not closed: it leaves no group. NULLs *c. */
void kafka_client_end(struct kafka_client **c, unsigned ms);

#endif
