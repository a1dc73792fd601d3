/* What keeps a client from its brokers, as librdkafka tells it, and what to do
 * about it. */
#ifndef PW_QUEUE_KAFKA_TROUBLE_H
#define PW_QUEUE_KAFKA_TROUBLE_H

#include <librdkafka/rdkafka.h>

#include "common/base/base.h"

enum kafka_trouble {
	KAFKA_AWAY,		/* passes by itself, when they are back */
	KAFKA_PROTOCOL,		/* TLS to one that has none, or the other way round;
				 * no SASL where it is asked for */
	KAFKA_CERTIFICATE,
	KAFKA_CREDENTIALS,
};

/* text: librdkafka's, of an error that is local to it. */
enum kafka_trouble kafka_trouble(rd_kafka_resp_err_t err, const char *text);
/* The same without how long it took, and with what to do. */
void kafka_trouble_text(enum kafka_trouble t, const char *text, char *out,
			size_t size);

/* err: what librdkafka says of properties that do not go together, or name files
 * that are not there; in other words where its own help nobody. */
struct kafka_url;
void kafka_trouble_refused(const struct kafka_url *url, char err[256]);

#endif
