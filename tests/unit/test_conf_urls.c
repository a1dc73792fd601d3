/* Values that are URLs, and what stands for one: of PostgreSQL, of MongoDB, of
 * listeners and of Kafka. */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf/conf_keys.h"
#include "tests/unit/conf_text.h"

static const struct {
	const char *url;
	const char *want;
} pg_urls[] = {
	{ "postgresql://h/d", "postgresql://h/d" },
	{ "postgresql://h/d?", "postgresql://h/d" },
	{ "postgresql://u:p%40@h:1/d?sslmode=require&connect_timeout=3",
	  "postgresql://u:p%40@h:1/d?sslmode=require&connect_timeout=3" },
	{ "postgresql://h/d?schema=public", "postgresql://h/d" },
	{ "postgresql://h/d?schema=p%75blic&sslmode=disable",
	  "postgresql://h/d?sslmode=disable" },
	{ "postgresql://h/d?schema=App",
	  "postgresql://h/d?options=-csearch_path%3D%22App%22" },
	{ "postgresql://h/d?schema=Public",
	  "postgresql://h/d?options=-csearch_path%3D%22Public%22" },
	{ "postgresql://h/d?schema=a%22b%5Cc%20d-%c3%a9",
	  "postgresql://h/d?options=-csearch_path%3D%22a%22%22b%5C%5Cc%5C%20d"
	  "%2D%C3%A9%22" },
	{ "postgresql://h/d?schema=100%",
	  "postgresql://h/d?options=-csearch_path%3D%22100%25%22" },
	{ "postgresql://h/d?schema=%4",
	  "postgresql://h/d?options=-csearch_path%3D%22%254%22" },
	{ "postgresql://h/d?schema=a%2Cb&sslmode=disable&connection_limit=5&pgbouncer=true",
	  "postgresql://h/d?sslmode=disable&options=-csearch_path%3D%22a%2Cb%22" },
	{ "postgres://h/d?options=-cx%3D1&schema=s",
	  "postgres://h/d?options=-csearch_path%3D%22s%22%20-cx%3D1" },
	{ "postgres://h/d?options=-cx%3D1&schema=public",
	  "postgres://h/d?options=-cx%3D1" },
	{ "postgresql://h/d?sslpassword=x&sslidentity=y&sslkey=z",
	  "postgresql://h/d?sslpassword=x&sslkey=z" },
	{ "postgres://h/d?options=-cx%3D1", "postgres://h/d?options=-cx%3D1" },
	{ "postgresql://h/d?schema", "postgresql://h/d" },
	{ "postgresql://h/d?schema=&&a=b", "postgresql://h/d?a=b" },
};

Test(conf, postgres_urls_of_other_clients)
{
	for (size_t i = 0; i < ARRAY_SIZE(pg_urls); i++) {
		char *got = conf_pg_url(pg_urls[i].url);

		cr_expect_str_eq(got, pg_urls[i].want);
		free(got);
	}
}

Test(conf, host_and_port)
{
	static const struct {
		const char *text, *host;
		unsigned port;
	} cases[] = {
		{ "127.0.0.1:3002", "127.0.0.1", 3002 },
		{ "localhost:0", "localhost", 0 },
		{ "[::1]:65535", "::1", 65535 },
		{ "[::]:00001", "::", 1 },
		{ "", NULL, 0 }, { ":", NULL, 0 }, { ":1", NULL, 0 },
		{ "h", NULL, 0 }, { "h:", NULL, 0 }, { "3002", NULL, 0 },
		{ "h:65536", NULL, 0 }, { "h:000001", NULL, 0 },
		{ "h:-1", NULL, 0 }, { "h:+1", NULL, 0 }, { "h:1 ", NULL, 0 },
		{ "::1:80", NULL, 0 }, { "a:b:80", NULL, 0 },
		{ "[]:1", NULL, 0 }, { "[::1]", NULL, 0 }, { "[::1:1", NULL, 0 },
		{ "[::1]x:1", NULL, 0 }, { "[:1", NULL, 0 }, { "]:1", "]", 1 },
	};
	char host[CONF_HOST_MAX], longest[CONF_HOST_MAX + 8];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned port = 7;
		int rc = conf_host_port(cases[i].text, host, &port);

		cr_expect_eq(rc, cases[i].host != NULL ? 0 : -EINVAL, "%s",
			     cases[i].text);
		cr_expect_eq(port, cases[i].host != NULL ? cases[i].port : 7,
			     "%s", cases[i].text);
		if (cases[i].host != NULL)
			cr_expect_str_eq(host, cases[i].host);
	}
	memset(longest, 'x', sizeof(longest));
	strcpy(longest + CONF_HOST_MAX - 1, ":1");
	cr_expect_eq(conf_host_port(longest, host, &(unsigned){ 0 }), 0);
	strcpy(longest + CONF_HOST_MAX, ":1");
	longest[CONF_HOST_MAX - 1] = 'x';
	cr_expect_eq(conf_host_port(longest, host, &(unsigned){ 0 }), -EINVAL);
}

/* "SECRET" stands in each for what must not be shown. */
Test(conf, mongodb_passwords_are_escaped)
{
	static const char err_want[] =
		"FILE:2: store_url: in user, password and database name, write "
		"%25 for %, %2F for /, %3A for : and %40 for @ "
		"(percent-encoding)";
	static const struct {
		const char *url;
		bool ok;
	} cases[] = {
		{ "mongodb://h", true },
		{ "mongodb://h1:1,[::1]:2/db", true },
		{ "mongodb://u@h", true },
		{ "mongodb://u:@h", true },
		{ "mongodb://u:p@h1:1,h2:2/db?replicaSet=a:b@c/d", true },
		{ "mongodb://h/?appname=a@b", true },
		{ "mongodb://u:p%3a%2F%40%25@h/db", true },
		{ "mongodb://u:p?#[]&@h/db", true },
		{ "mongodb://u:p@%2Ftmp%2Fm.sock/db", true },
		{ "mongodb+srv://u:p@h.example/", true },
		{ "mongodb://u:SECRET:x@h/db", false },
		{ "mongodb://u:SECRET:@h/db", false },
		{ "mongodb://u:SECRET@x@h/db", false },
		{ "mongodb://u:SECRET@@h", false },
		{ "mongodb://u:SECRET/x@h/db", false },
		{ "mongodb://u:SECRET@x/y@h/db", false },
		{ "mongodb://u:SECRET%@h/db", false },
		{ "mongodb://u:SECRET%4@h/db", false },
		{ "mongodb://u:SECRET%zz@h/db", false },
		{ "mongodb+srv://u:SECRET@x@h.example/db", false },
	};
	char text[512], err[CONF_ERR_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct conf *c = NULL;
		int rc;

		snprintf(text, sizeof(text), "[store]\nstore_url = %s\n" GOOD,
			 cases[i].url);
		rc = load(text, strlen(text), &c, err);
		cr_expect_eq(rc, cases[i].ok ? 0 : -EINVAL, "%s", cases[i].url);
		cr_expect_str_eq(err, cases[i].ok ? "" : err_want, "%s: %s",
				 cases[i].url, err);
		conf_free(&c);
	}
}

Test(conf, kafka_brokers_are_a_list_or_a_url)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "localhost:9092", "kafka://localhost:9092" },
		{ "a:1, b:2,[::1]:3", "kafka://a:1,b:2,[::1]:3" },
		{ "kafka://a:1/t?acks=1", "kafka://a:1/t?acks=1" },
		{ "redis://h", "redis://h" },
		{ "", "redis://127.0.0.1:6379/0" },
	};
	char err[CONF_ERR_MAX];
	struct conf *c;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		setenv("KAFKA_BROKERS", rows[i].text, 1);
		c = load_good(GOOD);
		cr_expect_str_eq(c->push_queue_url, rows[i].want);
		conf_free(&c);
	}
	setenv("KAFKA_BROKERS", "a:1", 1);
	setenv("PAIRWIRE_PUSH_QUEUE_URL", "b:1", 1);
	cr_assert_eq(load(GOOD, strlen(GOOD), &c, err), -EINVAL);
	cr_assert_eq(strncmp(err, "PAIRWIRE_PUSH_QUEUE_URL: push_queue_url: must "
			     "begin", 51), 0, "%s", err);
	unsetenv("PAIRWIRE_PUSH_QUEUE_URL");
	c = load_good("[push]\npush_queue_url = kafka://h/x?a=b;c#d\n" GOOD);
	cr_expect_str_eq(c->push_queue_url, "kafka://a:1");
	conf_free(&c);
}
