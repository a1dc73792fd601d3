#include "bench/options.h"
#include "bench/target.h"

#include <errno.h>

#include <criterion/criterion.h>

Test(options, durations)
{
	static const struct {
		const char *in;
		int rc;
		unsigned ms;
	} rows[] = {
		{ "20s", 0, 20000 }, { "500ms", 0, 500 }, { "2m", 0, 120000 },
		{ "1h", 0, 3600000 }, { "7", 0, 7000 }, { "0", -EINVAL, 0 },
		{ "", -EINVAL, 0 }, { "s", -EINVAL, 0 }, { "-1s", -EINVAL, 0 },
		{ "1.5s", -EINVAL, 0 }, { "1 s", -EINVAL, 0 },
		{ "1d", -EINVAL, 0 }, { "1000h", -EINVAL, 0 },
		{ "99999999999999999999s", -EINVAL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned ms = 0;

		cr_expect_eq(option_duration(rows[i].in, &ms), rows[i].rc, "%s",
			     rows[i].in);
		cr_expect_eq(ms, rows[i].ms, "%s", rows[i].in);
	}
}

Test(options, counts)
{
	unsigned n = 77;

	cr_expect_eq(option_count("0", 1, 10, &n), -EINVAL);
	cr_expect_eq(option_count("11", 1, 10, &n), -EINVAL);
	cr_expect_eq(option_count("3x", 1, 10, &n), -EINVAL);
	cr_expect_eq(option_count("", 0, 10, &n), -EINVAL);
	cr_expect_eq(n, 77u);
	cr_expect_eq(option_count("10", 1, 10, &n), 0);
	cr_expect_eq(n, 10u);
}

Test(target, urls)
{
	static const struct {
		const char *url;
		int rc;
		const char *host, *addr;
	} rows[] = {
		{ "http://127.0.0.1:3001", 0, "127.0.0.1:3001", "127.0.0.1:3001" },
		{ "http://127.0.0.1:3001/", 0, "127.0.0.1:3001", "127.0.0.1:3001" },
		{ "ws://127.0.0.1", 0, "127.0.0.1:80", "127.0.0.1:80" },
		{ "http://[::1]:81", 0, "[::1]:81", "[::1]:81" },
		{ "http://[::1]", 0, "[::1]:80", "[::1]:80" },
		{ "https://127.0.0.1", -EINVAL, NULL, NULL },
		{ "127.0.0.1:3001", -EINVAL, NULL, NULL },
		{ "http://", -EINVAL, NULL, NULL },
		{ "http://:1", -EINVAL, NULL, NULL },
		{ "http://a:", -EINVAL, NULL, NULL },
		{ "http://a:0", -EINVAL, NULL, NULL },
		{ "http://a:65536", -EINVAL, NULL, NULL },
		{ "http://a:123456", -EINVAL, NULL, NULL },
		{ "http://a:1x", -EINVAL, NULL, NULL },
		{ "http://[::1", -EINVAL, NULL, NULL },
		{ "http://[::1]x", -EINVAL, NULL, NULL },
		{ "http://a/path", -EINVAL, NULL, NULL },
		{ "http://a?query", -EINVAL, NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char err[256] = "", addr[128];
		struct target t;

		cr_expect_eq(target_resolve(rows[i].url, &t, err), rows[i].rc,
			     "%s: %s", rows[i].url, err);
		if (rows[i].rc != 0) {
			cr_expect_str_neq(err, "");
			continue;
		}
		cr_expect_str_eq(t.host, rows[i].host);
		target_addr_text(&t, 0, addr, sizeof(addr));
		cr_expect_str_eq(addr, rows[i].addr);
	}
}

Test(target, from)
{
	struct target t = { .from_len = 0 };

	cr_expect_eq(target_from(&t, "localhost"), -EINVAL);
	cr_expect_eq(target_from(&t, ""), -EINVAL);
	cr_expect_eq(t.from_len, 0);
	cr_expect_eq(target_from(&t, "127.0.0.9"), 0);
	cr_expect_eq(t.from.ss_family, AF_INET);
	cr_expect_eq(target_from(&t, "::1"), 0);
	cr_expect_eq(t.from.ss_family, AF_INET6);
}
