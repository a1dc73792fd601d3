/* Where a Kafka is and how to speak to it, as a URL. Pure.
 *   kafka://host[:port][,host[:port]...][/topic][?property=value&...]
 * The parts are percent-decoded; an IPv6 address stands in brackets; without a
 * port 9092. Properties are librdkafka's (security.protocol, sasl.username,
 * sasl.password, ssl.ca.location, linger.ms, ...), but for those that delivery
 * rests on, which are Pairwire's: acks, idempotence, retries, group, offsets. */
#ifndef PW_KAFKA_URL_H
#define PW_KAFKA_URL_H

#include "common/base/base.h"

#define KAFKA_URL_PROPERTIES 32
#define KAFKA_TOPIC_MAX 245	/* Kafka's own 249, less ".dlq" */

struct kafka_property {
	char *name;
	char *value;
};

struct kafka_url {
	char *brokers;			/* host:port,host:port */
	char topic[KAFKA_TOPIC_MAX + 1];	/* "": not named */
	struct kafka_property properties[KAFKA_URL_PROPERTIES];
	size_t n;
};

/* 0, or -EINVAL with a sentence in err that quotes nothing of the URL but the
 * name of a property that is Pairwire's: what is left of a password with an
 * unescaped '&' looks like a property. Nothing to clear after an error. */
int kafka_url_parse(const char *url, struct kafka_url *out, char err[256])
	MUST_CHECK;
/* Overwrites the values (there is a password among them) and frees. */
void kafka_url_clear(struct kafka_url *u);

#endif
