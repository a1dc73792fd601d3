/* http_body: a body is the same in whatever pieces it comes, and ends where a
 * reader that knows nothing of strictness sees its end: no room for smuggling.
 * The input is a request; one without a head that can be read is a chunked
 * body. */
#define _GNU_SOURCE	/* memmem */
#include "common/protocol/http_body.h"

#include <errno.h>

#include "tests/fuzz/fuzz.h"

static const char chunked_head[] =
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

/* Reads `in` by pieces of up to step bytes, different ones (0: at once). */
static int read_all(const struct http_head *h, struct slice in, size_t max,
		    uint32_t step, struct buf *out, bool *done_out,
		    size_t *used_out)
{
	uint32_t random = step;
	struct http_body b;
	size_t at = 0, used;
	int rc = http_body_begin(h, &b);

	while (rc == 0 && !http_body_done(&b) && at < in.n) {
		struct slice piece = { in.p + at, in.n - at };

		random = random * 1664525u + 1013904223u;
		if (step != 0 && piece.n > 1 + (random >> 16) % step)
			piece.n = 1 + (random >> 16) % step;
		rc = http_body_read(&b, piece, out, max, &used);
		if (rc != 0)
			break;
		CHECK(used <= piece.n);
		CHECK(used == piece.n || http_body_done(&b));
		at += used;
	}
	CHECK(out->len <= max);
	*used_out = at;
	*done_out = rc == 0 && http_body_done(&b);
	return rc;
}

static size_t line_end(struct slice in, size_t at)
{
	const char *end = memmem(in.p + at, in.n - at, "\r\n", 2);

	CHECK(end != NULL);
	return (size_t)(end - in.p) + 2;
}

/* Lines and numbers, nothing else. Its length. */
static size_t read_naively(struct slice in, struct buf *out)
{
	size_t at = 0, size, line;

	for (;;) {
		size = strtoul(in.p + at, NULL, 16);
		at = line_end(in, at);
		if (size == 0)
			break;
		CHECK(in.n - at >= size + 2);
		buf_add(out, in.p + at, size);
		at += size;
		CHECK(memcmp(in.p + at, "\r\n", 2) == 0);
		at += 2;
	}
	do {		/* trailers */
		line = at;
		at = line_end(in, at);
	} while (at - line > 2);
	return at;
}

static void check_body(const struct http_head *h, struct slice in, uint32_t hash)
{
	struct buf once = { 0 }, pieces = { 0 }, naive = { 0 };
	size_t max = (size_t)16 << (hash >> 8) % 8;
	size_t used, used_by_pieces;
	bool done, done_by_pieces;
	int rc = read_all(h, in, max, 0, &once, &done, &used);

	CHECK(rc == 0 || rc == -EBADMSG || rc == -EFBIG || rc == -ENOTSUP);
	CHECK(read_all(h, in, max, 1 + hash % 16, &pieces, &done_by_pieces,
		       &used_by_pieces) == rc);
	CHECK(done == done_by_pieces);
	CHECK(same(buf_slice(&once), buf_slice(&pieces)));
	if (rc == 0)
		CHECK(used == used_by_pieces);
	if (done && http_head_field(h, "Transfer-Encoding", NULL).p != NULL) {
		CHECK(read_naively((struct slice){ in.p, used }, &naive) == used);
		CHECK(same(buf_slice(&once), buf_slice(&naive)));
	}
	buf_free(&once);
	buf_free(&pieces);
	buf_free(&naive);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *in = (const char *)data;
	uint32_t hash = (uint32_t)chosen(data, n, UINT32_MAX);
	struct http_head h;
	long len = http_head_parse(in, n, &h);

	if (len <= 0) {
		CHECK(http_head_parse(chunked_head, strlen(chunked_head), &h) > 0);
		len = 0;
	}
	check_body(&h, (struct slice){ in + len, n - (size_t)len }, hash);
	return 0;
}
