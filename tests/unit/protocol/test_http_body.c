#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "common/protocol/http_body.h"
#include "tests/unit/protocol/exact.h"

#define MAX 100

#define TE "Transfer-Encoding: chunked\r\n"

static int begin(const char *fields, struct http_body *out)
{
	static struct buf text;
	struct http_head h;

	buf_clear(&text);
	buf_printf(&text, "POST / HTTP/1.1\r\nHost: x\r\n%s\r\n", fields);
	cr_assert_eq(http_head_parse(text.p, text.len, &h), (long)text.len, "%s",
		     fields);
	return http_body_begin(&h, out);
}

static struct http_body chunked(void)
{
	struct http_body b;

	cr_assert_eq(begin(TE, &b), 0);
	return b;
}

Test(http_body, framings)
{
	static const struct {
		const char *fields;
		int err;
		bool done;
	} table[] = {
		{ "", 0, true },
		{ "Content-Length: 0\r\n", 0, true },
		{ "Content-Length: 000\r\n", 0, true },
		{ "Content-Length: 1\r\n", 0, false },
		{ "Content-Length: 999999999999999999\r\n", 0, false },
		{ TE, 0, false },
		{ "transfer-encoding:  CHUNKED \r\n", 0, false },
		{ "Transfer-Encoding: gzip, chunked\r\n", -ENOTSUP, false },
		{ "Transfer-Encoding: gzip,chunked\r\n", -ENOTSUP, false },
		{ "Transfer-Encoding: gzip\r\n", -EBADMSG, false },
		{ "Transfer-Encoding: identity\r\n", -EBADMSG, false },
		{ "Transfer-Encoding: chunked, gzip\r\n", -EBADMSG, false },
		{ "Transfer-Encoding: chunked,\r\n", -EBADMSG, false },
		{ "Transfer-Encoding: xchunked\r\n", -EBADMSG, false },
		{ "Transfer-Encoding: chunked;q=1\r\n", -EBADMSG, false },
		{ "Transfer-Encoding: \"chunked\"\r\n", -EBADMSG, false },
		{ "Transfer-Encoding:\r\n", -EBADMSG, false },
		{ TE TE, -EBADMSG, false },
		{ "Transfer-Encoding: gzip\r\n" TE, -EBADMSG, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct http_body b = { .left = 4711 };

		cr_assert_eq(begin(table[i].fields, &b), table[i].err, "%s",
			     table[i].fields);
		if (table[i].err != 0)
			cr_assert_eq(b.left, 4711, "untouched");
		else
			cr_assert_eq(http_body_done(&b), table[i].done, "%s",
				     table[i].fields);
	}
}

/* The head parser's part: what two readers could frame differently. */
Test(http_body, heads_that_smuggle)
{
	static const char *const fields[] = {
		"Content-Length: 3\r\n" TE,
		TE "Content-Length: 3\r\n",
		"Content-Length: 3\r\nContent-Length: 3\r\n",
		"Content-Length: 3\r\nContent-Length: 4\r\n",
		"Content-Length: 3, 3\r\n",
		"Content-Length: +3\r\n",
		"Content-Length: -3\r\n",
		"Content-Length: 0x3\r\n",
		"Content-Length: 3 3\r\n",
		"Content-Length: 3.0\r\n",
		"Content-Length:\r\n",
		"Content-Length: 9999999999999999999\r\n",
		"Content-Length : 3\r\n",
		" Content-Length: 3\r\n",
		"A: b\r\n Content-Length: 3\r\n",
		"A: b\r\n\tfolded\r\n",
		"A: b\nContent-Length: 3\r\n",
		"A: b\rContent-Length: 3\r\n",
		"A: b\r\r\n",
		"A: \x0b\r\n",
		"Transfer-Encoding: \x0b" "chunked\r\n",
		"Transfer-Encoding : chunked\r\n",
		"Transfer-Encoding\r\n",
		"\r\n " TE,
		"Host: y\r\n",
	};
	struct buf text = { 0 };
	struct http_head h;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		long n;

		buf_clear(&text);
		buf_printf(&text, "POST / HTTP/1.1\r\nHost: x\r\n%s\r\n",
			   fields[i]);
		n = http_head_parse(text.p, text.len, &h);
		if (fields[i][0] == '\r')	/* behind the head: a request */
			cr_assert_eq(n, 28);
		else
			cr_assert_eq(n, -EBADMSG, "%s: %ld", fields[i], n);
	}
	buf_clear(&text);
	buf_adds(&text, "POST / HTTP/1.0\r\n" TE "\r\n");
	cr_assert_eq(http_head_parse(text.p, text.len, &h), -EBADMSG);
	buf_free(&text);
}

static const struct {
	const char *in;
	int err;
	const char *body;
	const char *behind;	/* not used */
} bodies[] = {
	{ "0\r\n\r\n", 0, "", "" },
	{ "3\r\nabc\r\n0\r\n\r\n", 0, "abc", "" },
	{ "00000003\r\nabc\r\n00000000\r\n\r\nGET /", 0, "abc", "GET /" },
	{ "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n\r\n", 0, "abc", "\r\n" },
	{ "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", 0,
	  "01234567890123456789", "" },
	{ "4\r\n\r\n\r\n\r\n0\r\n\r\n", 0, "\r\n\r\n", "" },
	{ "3;x\r\nabc\r\n0;y=1;z=\"a\\\"b\\\\;\t\"\r\n\r\n", 0, "abc", "" },
	{ "3\r\nabc\r\n0\r\nA: b\r\nC-D:\r\nE:f:g \r\n\r\nx", 0, "abc", "x" },
	/* sizes */
	{ "\r\n", -EBADMSG, NULL, NULL },
	{ "g\r\n", -EBADMSG, NULL, NULL },
	{ "-1\r\n", -EBADMSG, NULL, NULL },
	{ "+1\r\n", -EBADMSG, NULL, NULL },
	{ "0x1\r\n", -EBADMSG, NULL, NULL },
	{ " 1\r\n", -EBADMSG, NULL, NULL },
	{ "1 \r\n", -EBADMSG, NULL, NULL },
	{ "1\t;a\r\n", -EBADMSG, NULL, NULL },
	{ "000000001\r\n", -EBADMSG, NULL, NULL },
	{ "100000000\r\n", -EBADMSG, NULL, NULL },
	{ "1_0\r\n", -EBADMSG, NULL, NULL },
	{ "3\n", -EBADMSG, NULL, NULL },
	{ "3\rabc", -EBADMSG, NULL, NULL },
	{ "3\r\r\n", -EBADMSG, NULL, NULL },
	/* data */
	{ "3\r\nabcd", -EBADMSG, NULL, NULL },
	{ "3\r\nabc\n", -EBADMSG, NULL, NULL },
	{ "3\r\nabc\r\r", -EBADMSG, NULL, NULL },
	{ "3\r\nabc0\r\n", -EBADMSG, NULL, NULL },
	/* extensions */
	{ "3;\r\n", -EBADMSG, NULL, NULL },
	{ "3;;a\r\n", -EBADMSG, NULL, NULL },
	{ "3;a=\r\n", -EBADMSG, NULL, NULL },
	{ "3;a=b c\r\n", -EBADMSG, NULL, NULL },
	{ "3;a\n", -EBADMSG, NULL, NULL },
	{ "3;a=\"\n\"\r\n", -EBADMSG, NULL, NULL },
	{ "3;a=\"b\"c\r\n", -EBADMSG, NULL, NULL },
	{ "3;a=\"\\\r\"\r\n", -EBADMSG, NULL, NULL },
	{ "3; a\r\n", -EBADMSG, NULL, NULL },
	/* trailers */
	{ "0\r\n\n", -EBADMSG, NULL, NULL },
	{ "0\r\n\rx", -EBADMSG, NULL, NULL },
	{ "0\r\nA\r\n", -EBADMSG, NULL, NULL },
	{ "0\r\n: b\r\n", -EBADMSG, NULL, NULL },
	{ "0\r\n A: b\r\n", -EBADMSG, NULL, NULL },
	{ "0\r\nA : b\r\n", -EBADMSG, NULL, NULL },
	{ "0\r\nA: b\n", -EBADMSG, NULL, NULL },
	{ "0\r\nA: b\r\n c\r\n", -EBADMSG, NULL, NULL },
	{ "0\r\nA: \x7f\r\n", -EBADMSG, NULL, NULL },
	/* more than 100 bytes */
	{ "65\r\n", -EFBIG, NULL, NULL },
	{ "ffffffff\r\n", -EFBIG, NULL, NULL },
	{ "4\r\nabcd\r\n61\r\n", -EFBIG, NULL, NULL },
};

/* Feeds it in pieces that end at the given places. */
static int feed(struct http_body *b, const char *in, size_t n, size_t cut1,
		size_t cut2, struct buf *out, size_t *used_out)
{
	size_t ends[] = { cut1, cut2, n };
	size_t at = 0;

	for (size_t i = 0; i < 3 && !http_body_done(b); i++) {
		struct slice piece = exact(in + at, ends[i] - at);
		size_t used = 0;
		int err = http_body_read(b, piece, out, MAX, &used);

		free((char *)piece.p);
		if (err != 0)
			return err;
		cr_assert(http_body_done(b) || used == ends[i] - at);
		at += used;
	}
	*used_out = at;
	return 0;
}

/* Each body, in up to three pieces cut anywhere. */
Test(http_body, every_split)
{
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		size_t n = strlen(bodies[i].in);

		for (size_t c1 = 0; c1 <= n; c1++) {
			for (size_t c2 = c1; c2 <= n; c2++) {
				struct http_body b = chunked();
				struct buf out = { 0 };
				size_t used;
				int err = feed(&b, bodies[i].in, n, c1, c2, &out,
					       &used);

				cr_assert_eq(err, bodies[i].err, "%s: %d",
					     bodies[i].in, err);
				if (err == 0) {
					cr_assert(http_body_done(&b));
					cr_assert_str_eq(buf_str(&out),
							 bodies[i].body);
					cr_assert_eq(b.total, out.len);
					cr_assert_str_eq(bodies[i].in + used,
							 bodies[i].behind);
				}
				buf_free(&out);
			}
		}
	}
}

Test(http_body, every_truncation)
{
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		size_t n = strlen(bodies[i].in);

		if (bodies[i].err != 0)
			continue;
		n -= strlen(bodies[i].behind);
		for (size_t cut = 0; cut < n; cut++) {
			struct http_body b = chunked();
			struct buf out = { 0 };
			size_t used;

			cr_assert_eq(feed(&b, bodies[i].in, cut, cut, cut, &out,
					  &used), 0);
			cr_assert_not(http_body_done(&b), "%s at %zu",
				      bodies[i].in, cut);
			buf_free(&out);
		}
	}
}

Test(http_body, lengths)
{
	struct buf out = { 0 };
	struct http_body b;
	size_t used;

	cr_assert_eq(begin("Content-Length: 5\r\n", &b), 0);
	cr_assert_eq(http_body_read(&b, SLICE("ab"), &out, MAX, &used), 0);
	cr_assert_eq(used, 2);
	cr_assert_not(http_body_done(&b));
	cr_assert_eq(http_body_read(&b, SLICE("cdefg"), &out, MAX, &used), 0);
	cr_assert_eq(used, 3);
	cr_assert(http_body_done(&b));
	cr_assert_str_eq(buf_str(&out), "abcde");
	buf_clear(&out);

	/* as large as allowed, and one more: known at once */
	cr_assert_eq(begin("Content-Length: 100\r\n", &b), 0);
	cr_assert_eq(http_body_read(&b, (struct slice){ 0 }, &out, MAX, &used), 0);
	cr_assert_eq(used, 0);
	cr_assert_eq(begin("Content-Length: 101\r\n", &b), 0);
	cr_assert_eq(http_body_read(&b, (struct slice){ 0 }, &out, MAX, &used),
		     -EFBIG);
	cr_assert_eq(begin("Content-Length: 999999999999999999\r\n", &b), 0);
	cr_assert_eq(http_body_read(&b, SLICE("x"), &out, MAX, &used), -EFBIG);
	cr_assert_eq(out.len, 0);
	buf_free(&out);
}

/* A hundred chunks of one byte, and one more. */
Test(http_body, many_chunks)
{
	struct http_body b = chunked();
	struct buf out = { 0 };
	size_t used;

	for (int i = 0; i < MAX; i++)
		cr_assert_eq(http_body_read(&b, SLICE("1\r\nx\r\n"), &out, MAX,
					    &used), 0);
	cr_assert_eq(out.len, MAX);
	cr_assert_eq(http_body_read(&b, SLICE("1\r\n"), &out, MAX, &used),
		     -EFBIG);
	buf_free(&out);
}

/* What is read over is bounded, too. */
Test(http_body, overhead)
{
	static const char *const parts[] = { "1;abcdefgh=\"ijkl\"\r\nx\r\n",
					     "Abcdefgh: ijklmnop\r\n" };

	for (int trailers = 0; trailers < 2; trailers++) {
		struct http_body b = chunked();
		struct buf out = { 0 };
		size_t used, n = 0;
		int err = 0;

		if (trailers)
			cr_assert_eq(http_body_read(&b, SLICE("0\r\n"), &out, MAX,
						    &used), 0);
		while (err == 0 && n++ < 1000) {
			err = http_body_read(&b, text(parts[trailers]), &out,
					     100000, &used);
		}
		cr_assert_eq(err, -EBADMSG);
		cr_assert(n > 100 && n < 400, "%zu", n);
		buf_free(&out);
	}
}
