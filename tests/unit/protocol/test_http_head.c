#include "common/protocol/http_head.h"

#include <errno.h>

#include "tests/unit/protocol/exact.h"

#define UPGRADE                                                           \
	"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"         \
	"Host: chat.example:3001\r\n"                                     \
	"Connection: keep-alive, Upgrade\r\n"                             \
	"Upgrade:websocket\r\n"                                           \
	"Sec-WebSocket-Key: \t dGhlIHNhbXBsZSBub25jZQ== \r\n"             \
	"X-Empty:\r\n"                                                    \
	"x-twice: a\r\nX-Twice: b , C\r\n"                                \
	"\r\n"

static const char *const good[] = {
	UPGRADE,
	"GET / HTTP/1.0\r\n\r\n",
	"GET / HTTP/1.1\r\nHost:\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET http://a/b?c HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET http://a HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST /x?y|z{} HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 12\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
	"BREW / HTTP/1.1\r\nHost: a\r\nX: \xc3\xa4\t\"q\" b\r\n\r\n",
};

static const char *const bad[] = {
	/* request line */
	"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
	" GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
	"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
	"GET / HTTP/1.2\r\nHost: a\r\n\r\n",
	"GET / HTTP/1.10\r\nHost: a\r\n\r\n",
	"GET / http/1.1\r\nHost: a\r\n\r\n",
	"GET /\r\n\r\n",
	"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET a HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n",
	"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
	"G{T / HTTP/1.1\r\nHost: a\r\n\r\n",
	"\x16\x03\x01\x02",
	"(",
	/* lines */
	"GET / HTTP/1.1\nHost: a\n\n",
	"GET / HTTP/1.1\r\nHost: a\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\n",
	"GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
	"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
	/* fields */
	"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX(y): b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n",
	"GET / HTTP/1.1\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n",
	"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
	/* two readings of where the body ends */
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999999\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
	"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
};

static bool is(struct slice s, const char *want)
{
	return same(s, text(want));
}

Test(http_head, upgrade_request)
{
	static const char in[] = UPGRADE "early bytes";
	struct http_head h;
	size_t count;

	cr_assert_eq(http_head_parse(in, sizeof(in) - 1, &h),
		     (long)strlen(UPGRADE));
	cr_expect(is(h.method, "GET"));
	cr_expect(is(h.target, "/socket.io/?EIO=4&transport=websocket"));
	cr_expect(is(h.path, "/socket.io/"));
	cr_expect(is(h.query, "EIO=4&transport=websocket"));
	cr_expect_eq(h.minor, 1u);
	cr_expect_eq(h.nfields, 7u);
	cr_expect(is(http_head_field(&h, "HOST", NULL), "chat.example:3001"));
	cr_expect(is(http_head_field(&h, "sec-websocket-key", &count),
		     "dGhlIHNhbXBsZSBub25jZQ=="));
	cr_expect_eq(count, 1u);
	cr_expect(is(http_head_field(&h, "x-empty", NULL), ""));
	cr_expect_not_null(http_head_field(&h, "x-empty", NULL).p);
	cr_expect(is(http_head_field(&h, "X-Twice", &count), "a"));
	cr_expect_eq(count, 2u);
	cr_expect_null(http_head_field(&h, "Origin", &count).p);
	cr_expect_eq(count, 0u);
	cr_expect(http_head_list_has(&h, "connection", "upgrade"));
	cr_expect(http_head_list_has(&h, "Connection", "Keep-Alive"));
	cr_expect(!http_head_list_has(&h, "Connection", "keep"));
	cr_expect(!http_head_list_has(&h, "Origin", ""));
	cr_expect(http_head_list_has(&h, "X-Twice", "A"));
	cr_expect(http_head_list_has(&h, "X-Twice", "c"));
	cr_expect(!http_head_list_has(&h, "X-Twice", "d"));
}

Test(http_head, every_truncation_needs_more)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct http_head h;

		for (size_t n = 0; n < strlen(good[i]); n++) {
			struct slice in = exact(good[i], n);

			cr_expect_eq(http_head_parse(in.p, in.n, &h), 0,
				     "%zu bytes of row %zu", n, i);
			free((char *)in.p);
		}
		cr_expect_eq(http_head_parse(good[i], strlen(good[i]), &h),
			     (long)strlen(good[i]), "row %zu", i);
	}
}

Test(http_head, refuses)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct slice in = exact(bad[i], strlen(bad[i]));
		struct http_head h = { .nfields = 77 };

		cr_expect_eq(http_head_parse(in.p, in.n, &h), -EBADMSG, "%s",
			     bad[i]);
		cr_expect_eq(h.nfields, 77u);
		free((char *)in.p);
	}
}

Test(http_head, nul_bytes)
{
	static const char whole[] = "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n";
	static const char part[] = "GET /\0";
	struct http_head h;

	cr_expect_eq(http_head_parse(whole, sizeof(whole) - 1, &h), -EBADMSG);
	cr_expect_eq(http_head_parse(part, sizeof(part) - 1, &h), -EBADMSG);
}

Test(http_head, targets)
{
	static const struct {
		const char *in, *path, *query;
	} rows[] = {
		{ "GET / HTTP/1.0\r\n\r\n", "/", "" },
		{ "GET /a? HTTP/1.0\r\n\r\n", "/a", "" },
		{ "GET /a?b?c=/d HTTP/1.0\r\n\r\n", "/a", "b?c=/d" },
		{ "GET http://h:1/a?b HTTP/1.0\r\n\r\n", "/a", "b" },
		{ "GET HTTPS://h/a HTTP/1.0\r\n\r\n", "/a", "" },
		{ "GET http://h HTTP/1.0\r\n\r\n", "", "" },
		{ "GET http://h?x HTTP/1.0\r\n\r\n", "", "x" },
		{ "OPTIONS * HTTP/1.0\r\n\r\n", "*", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_head h;

		cr_assert_gt(http_head_parse(rows[i].in, strlen(rows[i].in), &h), 0);
		cr_expect(is(h.path, rows[i].path), "%s", rows[i].in);
		cr_expect(is(h.query, rows[i].query), "%s", rows[i].in);
		cr_expect_eq(h.minor, 0u);
	}
}

static long with_fields(unsigned n, struct http_head *h)
{
	struct buf b = { 0 };
	long rc;

	buf_adds(&b, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (unsigned i = 1; i < n; i++)
		buf_printf(&b, "X-%u: %u\r\n", i, i);
	buf_adds(&b, "\r\n");
	rc = http_head_parse(b.p, b.len, h);
	if (rc > 0)
		rc = 1;
	buf_free(&b);
	return rc;
}

/* A head of n bytes in all, its end included if it is whole. */
static long of_size(size_t n, bool whole)
{
	struct buf b = { 0 };
	struct http_head h;
	struct slice in;
	long rc;

	buf_adds(&b, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
	while (b.len < n - (whole ? 4 : 0))
		buf_addc(&b, 'x');
	if (whole)
		buf_adds(&b, "\r\n\r\n");
	in = exact(b.p, b.len);
	rc = http_head_parse(in.p, in.n, &h);
	free((char *)in.p);
	buf_free(&b);
	return rc;
}

Test(http_head, limits)
{
	struct http_head h;

	cr_expect_eq(with_fields(HTTP_FIELDS_MAX, &h), 1);
	cr_expect_eq(with_fields(HTTP_FIELDS_MAX + 1, &h), -E2BIG);
	cr_expect_eq(of_size(HTTP_HEAD_MAX, true), HTTP_HEAD_MAX);
	cr_expect_eq(of_size(HTTP_HEAD_MAX + 1, true), -E2BIG);
	cr_expect_eq(of_size(HTTP_HEAD_MAX - 1, false), 0);
	cr_expect_eq(of_size(HTTP_HEAD_MAX, false), -E2BIG);
}

Test(http_head, query_parameters)
{
	static const struct {
		const char *query, *key, *want;
	} rows[] = {
		{ "EIO=4&transport=polling&sid=abc", "EIO", "4" },
		{ "EIO=4&transport=polling&sid=abc", "transport", "polling" },
		{ "EIO=4&transport=polling&sid=abc", "sid", "abc" },
		{ "EIO=4&transport=polling&sid=abc", "si", NULL },
		{ "EIO=4&transport=polling&sid=abc", "eio", NULL },
		{ "sid=", "sid", "" },
		{ "sid", "sid", "" },
		{ "sidx=1&sid=2&sid=3", "sid", "2" },
		{ "&&a==b&", "a", "=b" },
		{ "", "a", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct slice q = exact(rows[i].query, strlen(rows[i].query));
		struct slice v = http_query_get(q, rows[i].key);

		if (rows[i].want == NULL)
			cr_expect_null(v.p, "row %zu", i);
		else
			cr_expect(v.p != NULL && is(v, rows[i].want), "row %zu", i);
		free((char *)q.p);
	}
}
