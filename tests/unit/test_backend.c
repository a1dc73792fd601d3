/* The parts of common/backend that need no server. */
#include <string.h>

#include <criterion/criterion.h>

#include "common/backend/backoff.h"
#include "common/backend/pg.h"
#include "common/backend/redis_check.h"
#include "common/backend/redis_conn.h"
#include "common/base/buf.h"

Test(backend, array_literals)
{
	static const struct {
		const char *in[3];
		int n;
		const char *out;
	} rows[] = {
		{ { NULL }, 0, "{}" },
		{ { "a" }, 1, "{\"a\"}" },
		{ { "" }, 1, "{\"\"}" },
		{ { NULL }, 1, "{NULL}" },
		{ { "NULL", NULL, "" }, 3, "{\"NULL\",NULL,\"\"}" },
		{ { "a,b", "{x}", " " }, 3, "{\"a,b\",\"{x}\",\" \"}" },
		{ { "\"", "\\", "\\\"" }, 3,
		  "{\"\\\"\",\"\\\\\",\"\\\\\\\"\"}" },
		{ { "\xc3\xa9\n" }, 1, "{\"\xc3\xa9\n\"}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf b = { 0 };

		for (int k = 0; k < rows[i].n; k++)
			pg_array_add(&b, rows[i].in[k], rows[i].in[k] != NULL ?
				     strlen(rows[i].in[k]) : 0);
		pg_array_end(&b);
		cr_assert_str_eq(b.p, rows[i].out, "row %zu: %s", i, b.p);
		cr_assert_eq(b.len, strlen(rows[i].out));
		buf_free(&b);
	}
}

Test(backend, array_elements_end_where_they_are_said_to)
{
	struct buf b = { 0 };

	pg_array_add(&b, "abcdef", 3);
	pg_array_end(&b);
	cr_assert_str_eq(b.p, "{\"abc\"}");
	buf_free(&b);
}

Test(backend, backoff_doubles_to_its_limit)
{
	static const unsigned caps[] = { 50, 100, 200, 400, 800, 1600, 3200,
					 5000, 5000 };
	struct backoff b;

	for (int round = 0; round < 200; round++) {
		backoff_init(&b);
		for (size_t i = 0; i < ARRAY_SIZE(caps); i++) {
			cr_assert_eq(b.cap_ms, caps[i]);
			cr_assert_leq(backoff_next(&b), caps[i]);
		}
	}
}

Test(backend, backoff_spreads_over_all_of_its_range)
{
	unsigned low = 0, high = 0;

	for (int i = 0; i < 1000; i++) {
		struct backoff b = { .cap_ms = BACKOFF_MAX_MS };
		unsigned ms = backoff_next(&b);

		low += ms < BACKOFF_MAX_MS / 4;
		high += ms > BACKOFF_MAX_MS / 4 * 3;
	}
	cr_assert(low > 100 && high > 100, "low %u high %u", low, high);
}

Test(backend, only_a_connection_that_held_starts_the_series_anew)
{
	struct backoff b;

	backoff_init(&b);
	for (int i = 0; i < 4; i++)
		(void)backoff_next(&b);
	backoff_lost(&b, BACKOFF_MAX_MS - 1);
	cr_assert_eq(b.cap_ms, 800);
	backoff_lost(&b, BACKOFF_MAX_MS);
	cr_assert_eq(b.cap_ms, BACKOFF_MIN_MS);
}

Test(backend, commands_are_formatted)
{
	static const struct {
		struct slice argv[3];
		int argc;
		const char *out;
	} rows[] = {
		{ { SLICE("PING") }, 1, "*1\r\n$4\r\nPING\r\n" },
		{ { SLICE("ECHO"), { NULL, 0 } }, 2,
		  "*2\r\n$4\r\nECHO\r\n$0\r\n\r\n" },
		{ { SLICE("SET"), SLICE("k\r\n$"), SLICE("0123456789") }, 3,
		  "*3\r\n$3\r\nSET\r\n$4\r\nk\r\n$\r\n$10\r\n0123456789\r\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf b = { 0 };

		redis_format(&b, rows[i].argc, rows[i].argv);
		cr_assert_str_eq(buf_str(&b), rows[i].out);
		buf_free(&b);
	}
}

Test(backend, addresses_are_told_from_names)
{
	static const struct {
		const char *host;
		bool numeric;
	} rows[] = {
		{ "127.0.0.1", true },	{ "::1", true },
		{ "fe80::1", true },	{ "localhost", false },
		{ "10.0.0", false },	{ "1.2.3.4.example", false },
		{ "", false },		{ "redis", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_assert_eq(resolve_is_numeric(rows[i].host), rows[i].numeric,
			     "%s", rows[i].host);
}

#define INFO "# Server\r\nredis_version:7.0.15\r\n"
#define LIMITS "normal 0 0 0 slave 268435456 67108864 60 pubsub "

Test(backend, redis_settings)
{
	static const struct {
		const char *info, *limits, *text, *todo;
	} rows[] = {
		{ INFO "role:master\r\nmaxmemory:0\r\n"
		  "maxmemory_policy:allkeys-lru\r\n", LIMITS "33554432 8388608 60",
		  "7.0.15, 0.3 ms", "" },
		{ INFO "maxmemory:100\r\nmaxmemory_policy:noeviction\r\n",
		  LIMITS "0 0 0", "7.0.15, 0.3 ms", "" },
		/* begins like another name, ends the text */
		{ INFO "xmaxmemory:1\r\nmaxmemory_human:1\r\nrole:slave",
		  LIMITS "0 0 0", "it is a replica", "primary" },
		{ INFO "maxmemory:100\r\nmaxmemory_policy:volatile-lru\r\n",
		  LIMITS "0 0 0", "maxmemory-policy volatile-lru",
		  "noeviction" },
		{ INFO, LIMITS "33554431 0 0", "of 33554431 bytes",
		  "client-output-buffer-limit" },
		{ INFO, "normal 0 0 0", "7.0.15", "" },
		{ INFO, NULL, "cannot be looked at", "" },
		{ NULL, NULL, "0.3 ms; it lets nobody look", "" },
		{ "", LIMITS "0 0 0", "unknown version", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct redis_verdict v;

		redis_judge(rows[i].info, rows[i].limits, 300, &v);
		cr_expect_not_null(strstr(v.text, rows[i].text), "row %zu: %s",
				   i, v.text);
		cr_expect_eq(v.todo[0] == '\0', rows[i].todo[0] == '\0',
			     "row %zu: %s", i, v.todo);
		cr_expect_not_null(strstr(v.todo, rows[i].todo), "row %zu: %s",
				   i, v.todo);
	}
}
