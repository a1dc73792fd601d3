#define _GNU_SOURCE	/* explicit_bzero */
#include "common/queue/kafka_url.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/queue/url_parts.h"

#define HOST_MAX 255
#define PORT_DEFAULT 9092
#define PROPERTY_NAME_MAX 64	/* of a property */

/* What at-least-once, order and bounded memory rest on, with librdkafka's
 * aliases; and what is said elsewhere in the URL. */
static const char *const ours[] = {
	"bootstrap.servers", "metadata.broker.list",
	"enable.idempotence", "enable.gapless.guarantee", "acks",
	"request.required.acks", "max.in.flight",
	"max.in.flight.requests.per.connection", "retries",
	"message.send.max.retries", "message.timeout.ms", "delivery.timeout.ms",
	"transactional.id", "partitioner", "delivery.report.only.error",
	"queue.buffering.max.messages", "queue.buffering.max.kbytes",
	"group.id", "group.instance.id", "partition.assignment.strategy",
	"session.timeout.ms", "heartbeat.interval.ms", "max.poll.interval.ms",
	"enable.auto.commit", "auto.commit.enable", "enable.auto.offset.store",
	"auto.offset.reset", "offset.store.method", "offset.store.path",
	"enable.partition.eof", "isolation.level", "statistics.interval.ms",
	"log.queue", "test.mock.num.brokers",
};

static int fail(char err[256], const char *why)
{
	snprintf(err, 256, "%s", why);
	return -EINVAL;
}

static bool consists_of(const char *s, const char *also)
{
	for (; *s != '\0'; s++)
		if (!(*s >= 'a' && *s <= 'z') && !(*s >= 'A' && *s <= 'Z') &&
		    !(*s >= '0' && *s <= '9') && strchr(also, *s) == NULL)
			return false;
	return true;
}

static int add_broker(struct slice in, struct buf *out, char err[256])
{
	bool v6 = in.n > 0 && in.p[0] == '[';
	unsigned n = PORT_DEFAULT;
	struct slice host, port;
	char text[HOST_MAX + 1];

	if (in.n > 0 && memchr(in.p, '@', in.n) != NULL)
		return fail(err, "a user and password are given behind '?', as "
			    "sasl.username=...&sasl.password=...");
	if (url_host_port(in, &host, &port) != 0)
		return fail(err, "'[' without ']', or more than a port behind it");
	if (host.n == 0 || url_decode(host, text, sizeof(text)) != 0 ||
	    !consists_of(text, v6 ? ":.%" : ".-_"))
		return fail(err, "bad or missing host name");
	if (port.p != NULL && (url_number(port, 65535, &n) != 0 || n == 0))
		return fail(err, "bad port");
	buf_printf(out, v6 ? "%s[%s]:%u" : "%s%s:%u", out->len > 0 ? "," : "",
		   text, n);
	return 0;
}

static int parse_brokers(struct slice in, struct kafka_url *u, char err[256])
{
	struct buf out = { 0 };
	int rc;

	do {
		rc = add_broker(url_split(&in, ','), &out, err);
	} while (rc == 0 && in.p != NULL);
	if (rc == 0)
		u->brokers = mem_strndup(out.p, out.len);
	buf_free(&out);
	return rc;
}

static int parse_topic(struct slice in, struct kafka_url *u, char err[256])
{
	if (url_decode(in, u->topic, sizeof(u->topic)) != 0 ||
	    !consists_of(u->topic, "._-") || strcmp(u->topic, ".") == 0 ||
	    strcmp(u->topic, "..") == 0)
		return fail(err, "a topic's name has letters, digits and . _ - "
			    "only, at most 245");
	return 0;
}

static int add_property(struct slice in, struct kafka_url *u, char err[256])
{
	struct kafka_property *p = &u->properties[u->n];
	struct slice value = in;
	struct slice name = url_split(&value, '=');
	char text[PROPERTY_NAME_MAX + 1];

	if (u->n == ARRAY_SIZE(u->properties))
		return fail(err, "too many properties");
	if (value.p == NULL || name.n == 0 ||
	    url_decode(name, text, sizeof(text)) != 0 ||
	    !consists_of(text, "._")) {
		snprintf(err, 256, "property %zu is not of the form name=value "
			 "(percent-escape & and = in a password)", u->n + 1);
		return -EINVAL;
	}
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
		if (strcmp(text, ours[i]) == 0) {
			snprintf(err, 256, "%s is not yours to set: delivery "
				 "rests on it", ours[i]);
			return -EINVAL;
		}
	}
	p->value = mem_alloc(value.n + 1);
	if (url_decode(value, p->value, value.n + 1) != 0) {
		explicit_bzero(p->value, value.n + 1);
		free(p->value);
		snprintf(err, 256, "the value of property %zu has a bad "
			 "percent-escape", u->n + 1);
		return -EINVAL;
	}
	p->name = mem_strdup(text);
	u->n++;
	return 0;
}

int kafka_url_parse(const char *url, struct kafka_url *out, char err[256])
{
	static const char scheme[] = "kafka://";
	struct kafka_url u = { 0 };
	struct slice query, topic;
	int rc;

	if (strncmp(url, scheme, sizeof(scheme) - 1) != 0)
		return fail(err, "the URL must begin with kafka://");
	query = slice_of(url + sizeof(scheme) - 1);
	topic = url_split(&query, '?');
	rc = parse_brokers(url_split(&topic, '/'), &u, err);
	if (rc == 0)
		rc = parse_topic(topic, &u, err);
	while (rc == 0 && query.n > 0)
		rc = add_property(url_split(&query, '&'), &u, err);
	if (rc == 0)
		*out = u;
	else
		kafka_url_clear(&u);
	return rc;
}

void kafka_url_clear(struct kafka_url *u)
{
	for (size_t i = 0; i < u->n; i++) {
		struct kafka_property *p = &u->properties[i];

		explicit_bzero(p->value, strlen(p->value));
		free(p->value);
		free(p->name);
	}
	free(u->brokers);
	*u = (struct kafka_url){ 0 };
}
