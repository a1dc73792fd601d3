#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "common/base/buf.h"
#include "common/queue/kafka_url.h"

TestSuite(kafka_url);

/* name=value lines */
static void properties(const struct kafka_url *u, struct buf *out)
{
	for (size_t i = 0; i < u->n; i++)
		buf_printf(out, "%s=%s\n", u->properties[i].name,
			   u->properties[i].value);
}

Test(kafka_url, reads_what_the_grammar_allows)
{
	static const struct {
		const char *url, *brokers, *topic, *properties;
	} rows[] = {
		{ "kafka://h", "h:9092", "", "" },
		{ "kafka://h/", "h:9092", "", "" },
		{ "kafka://h?", "h:9092", "", "" },
		{ "kafka://10.0.0.1:1,b-2.example:65535,c_3",
		  "10.0.0.1:1,b-2.example:65535,c_3:9092", "", "" },
		{ "kafka://[::1]:7000,[fe80::1]/t", "[::1]:7000,[fe80::1]:9092",
		  "t", "" },
		{ "kafka://h:1/push.events_2-x", "h:1", "push.events_2-x", "" },
		{ "kafka://h/a%2Eb", "h:9092", "a.b", "" },
		{ "kafka://h/t?security.protocol=SASL_SSL&sasl.username=bob&"
		  "sasl.password=p%26%3D%25+%2F?/=&linger.ms=",
		  "h:9092", "t",
		  "security.protocol=SASL_SSL\nsasl.username=bob\n"
		  "sasl.password=p&=%+/?/=\nlinger.ms=\n" },
		{ "kafka://h?ssl.ca.location=/etc/ca.pem", "h:9092", "",
		  "ssl.ca.location=/etc/ca.pem\n" },
		{ "kafka://h?debug=all&", "h:9092", "", "debug=all\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kafka_url got;
		struct buf all = { 0 };
		char err[256] = "";

		cr_assert_eq(kafka_url_parse(rows[i].url, &got, err), 0, "%s: %s",
			     rows[i].url, err);
		properties(&got, &all);
		cr_expect_str_eq(got.brokers, rows[i].brokers);
		cr_expect_str_eq(got.topic, rows[i].topic);
		cr_expect_str_eq(buf_str(&all), rows[i].properties);
		buf_free(&all);
		kafka_url_clear(&got);
	}
}

Test(kafka_url, refuses_everything_else)
{
	static const struct {
		const char *url, *why;
	} rows[] = {
		{ "", "begin with" }, { "kafka:/h", "begin with" },
		{ "redis://h", "begin with" },
		{ "kafka://", "host name" }, { "kafka:///t", "host name" },
		{ "kafka://h,", "host name" }, { "kafka://,h", "host name" },
		{ "kafka://h,,i", "host name" }, { "kafka://h i", "host name" },
		{ "kafka://h%00", "host name" }, { "kafka://h%2", "host name" },
		{ "kafka://h%2cevil", "host name" },
		{ "kafka://:9092", "host name" }, { "kafka://[]:1", "host name" },
		{ "kafka://[::1", "']'" }, { "kafka://[::1]x", "']'" },
		{ "kafka://h:", "port" }, { "kafka://h:0", "port" },
		{ "kafka://h:65536", "port" }, { "kafka://h:x", "port" },
		{ "kafka://::1", "host name" }, { "kafka://h:1:2", "port" },
		{ "kafka://bob:hunter2@h", "sasl.username" },
		{ "kafka://h/a/b", "topic" }, { "kafka://h/a%20b", "topic" },
		{ "kafka://h/.", "topic" }, { "kafka://h/..", "topic" },
		{ "kafka://h/%", "topic" },
		{ "kafka://h?x", "property 1 is not" },
		{ "kafka://h?=x", "property 1 is not" },
		{ "kafka://h?&a=b", "property 1 is not" },
		{ "kafka://h?sasl.password=x&hunter2", "property 2 is not" },
		{ "kafka://h?sasl.password=x&hunter2$=1", "property 2 is not" },
		{ "kafka://h?sasl.password=hunter2%", "value of property 1" },
		{ "kafka://h?sasl.password=hunter2%00", "value of property 1" },
		{ "kafka://h?acks=1", "acks is not yours" },
		{ "kafka://h?a=b&enable.idempotence=false", "enable.idempotence" },
		{ "kafka://h?%61cks=hunter2", "acks is not yours" },
		{ "kafka://h?enable.auto.offset.store=true", "enable.auto.offset" },
		{ "kafka://h?group.id=hunter2", "group.id is not" },
		{ "kafka://h?bootstrap.servers=h", "bootstrap.servers" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kafka_url got = { .n = 7 };
		char err[256] = "";

		cr_expect_eq(kafka_url_parse(rows[i].url, &got, err), -EINVAL,
			     "%s", rows[i].url);
		cr_expect_eq(got.n, 7, "touched");
		cr_expect(strstr(err, rows[i].why) != NULL, "%s: %s",
			  rows[i].url, err);
		cr_expect(strstr(err, "hunter2") == NULL, "%s", err);
	}
}

Test(kafka_url, long_parts)
{
	struct buf b = { 0 };
	struct kafka_url got;
	char err[256];

	buf_printf(&b, "kafka://h/%0*d", KAFKA_TOPIC_MAX, 0);
	cr_expect_eq(kafka_url_parse(buf_str(&b), &got, err), 0);
	cr_expect_eq(strlen(got.topic), KAFKA_TOPIC_MAX);
	cr_expect_leq(strlen(got.topic) + strlen(".dlq"), 249, "Kafka's limit");
	kafka_url_clear(&got);
	buf_addc(&b, '0');
	cr_expect_eq(kafka_url_parse(buf_str(&b), &got, err), -EINVAL);

	buf_clear(&b);
	buf_adds(&b, "kafka://h?");
	for (int i = 0; i < KAFKA_URL_PROPERTIES; i++)
		buf_printf(&b, "a%d=b&", i);
	cr_expect_eq(kafka_url_parse(buf_str(&b), &got, err), 0);
	cr_expect_eq(got.n, KAFKA_URL_PROPERTIES);
	kafka_url_clear(&got);
	buf_adds(&b, "c=d");
	cr_expect_eq(kafka_url_parse(buf_str(&b), &got, err), -EINVAL);
	cr_expect_str_eq(err, "too many properties");
	buf_free(&b);
}

/* Every beginning of a URL is one, or is refused with a sentence. */
Test(kafka_url, every_truncation)
{
	static const char whole[] = "kafka://a:1,[::1]:2/topic?sasl.username=bob"
		"&sasl.password=hunter2%2F";

	for (size_t n = 0; n < sizeof(whole); n++) {
		char *url = strndup(whole, n);
		struct kafka_url got;
		char err[256] = "";

		if (kafka_url_parse(url, &got, err) == 0)
			kafka_url_clear(&got);
		else
			cr_expect(err[0] != '\0' && strstr(err, "hunter") == NULL,
				  "%s: %s", url, err);
		free(url);
	}
}
