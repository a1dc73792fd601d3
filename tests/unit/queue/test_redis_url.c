#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>

#include "common/queue/redis_url.h"

TestSuite(redis_url);

Test(redis_url, reads_what_the_grammar_allows)
{
	static const struct {
		const char *url;
		struct redis_url want;
	} rows[] = {
		{ "redis://localhost", { "localhost", "", 6379, 0 } },
		{ "redis://localhost/", { "localhost", "", 6379, 0 } },
		{ "redis://10.0.0.1:7000/3", { "10.0.0.1", "", 7000, 3 } },
		{ "redis://:secret@h", { "h", "secret", 6379, 0 } },
		{ "redis://default:secret@h:1/2", { "h", "secret", 1, 2 } },
		{ "redis://:p%40%2f%3A%25@h", { "h", "p@/:%", 6379, 0 } },
		{ "redis://:a@b/c:d@h:9", { "h", "a@b/c:d", 9, 0 } },
		{ "redis://[::1]:7000/1", { "::1", "", 7000, 1 } },
		{ "redis://:x@[fe80::1]", { "fe80::1", "x", 6379, 0 } },
		{ "redis+unix:///run/redis.sock", { "/run/redis.sock", "", 0, 0 } },
		{ "redis+unix:///a%20b?db=4&password=x%26y",
		  { "/a b", "x&y", 0, 4 } },
		{ "redis+unix://:x%2Fy@/run/a@/b?db=1",
		  { "/run/a@/b", "x/y", 0, 1 } },
		{ "redis+unix:///s?password=", { "/s", "", 0, 0 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct redis_url got;
		char err[256] = "";

		cr_expect_eq(redis_url_parse(rows[i].url, &got, err), 0, "%s: %s",
			     rows[i].url, err);
		cr_expect_str_eq(got.host, rows[i].want.host);
		cr_expect_str_eq(got.password, rows[i].want.password);
		cr_expect_eq(got.port, rows[i].want.port);
		cr_expect_eq(got.db, rows[i].want.db);
	}
}

Test(redis_url, refuses_everything_else)
{
	static const char *const rows[] = {
		"", "redis:", "redis:/", "redis://", "redis:///", "redis:///3",
		"rediss://h", "http://h", "redis://h:", "redis://h:0",
		"redis://h:65536", "redis://h:x", "redis://h/x", "redis://h/-1",
		"redis://h/1/2", "redis://h/99999999999", "redis://secret@h",
		"redis://bob:secret@h", "redis://:%@h", "redis://:%4@h",
		"redis://:%zz@h", "redis://:%00@h", "redis://h%00",
		"redis://%2ftmp", "redis://[::1", "redis://[::1]x", "redis://[]",
		"redis://h?db=1", "redis+unix://", "redis+unix://h/p", "redis+unix://:secret@", "redis+unix://x@/p",
		"redis+unix://bob:secret@/p",
		"redis+unix:///p?db=", "redis+unix:///p?db=x",
		"redis+unix:///p?x=1", "redis+unix:///p?password=%",
		"redis+unix:///p%0",
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct redis_url got = { .host = "untouched" };
		char err[256] = "";

		cr_expect_eq(redis_url_parse(rows[i], &got, err), -EINVAL, "%s",
			     rows[i]);
		cr_expect_neq(err[0], '\0', "%s", rows[i]);
		cr_expect_str_eq(got.host, "untouched");
		cr_expect_null(strstr(err, "secret"));
	}
}

Test(redis_url, keeps_within_its_buffers)
{
	char url[4000] = "redis://";
	struct redis_url got;
	char err[256];

	memset(url + 8, 'h', 255);
	url[8 + 255] = '\0';
	cr_expect_eq(redis_url_parse(url, &got, err), 0);
	strcat(url, "h");
	cr_expect_eq(redis_url_parse(url, &got, err), -EINVAL);

	strcpy(url, "redis://:");
	memset(url + 9, 'p', REDIS_URL_PASSWORD_MAX);
	strcpy(url + 9 + REDIS_URL_PASSWORD_MAX, "@h");
	cr_expect_eq(redis_url_parse(url, &got, err), 0);
	strcpy(url + 9 + REDIS_URL_PASSWORD_MAX, "p@h");
	cr_expect_eq(redis_url_parse(url, &got, err), -EINVAL);
}
