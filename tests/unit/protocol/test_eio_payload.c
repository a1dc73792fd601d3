#include "common/protocol/eio_payload.h"

#include <errno.h>

#include "tests/unit/protocol/exact.h"

#define RS "\x1e"

/* The packets of a payload, a text as "t:…", a binary as "b:…", each behind a
 * '|'; malformed ends it with "!". */
static void walk(struct slice body, struct buf *out)
{
	struct buf scratch = { 0 };
	struct slice rest = body, frame;
	bool binary;
	int rc;

	buf_clear(out);
	while ((rc = eio_payload_next(&rest, &scratch, &frame, &binary)) == 1) {
		buf_adds(out, binary ? "|b:" : "|t:");
		buf_add(out, frame.p, frame.n);
	}
	cr_expect(rc == 0 || rc == -EBADMSG);
	cr_expect_eq(eio_payload_next(&rest, &scratch, &frame, &binary), rc,
		     "the end is not final");
	if (rc != 0)
		buf_adds(out, "!");
	buf_free(&scratch);
}

Test(eio_payload, next)
{
	static const struct {
		struct slice in;
		struct slice packets;
	} rows[] = {
		{ SLICE("4hello"), SLICE("|t:4hello") },
		{ SLICE("2"), SLICE("|t:2") },
		{ SLICE("4a" RS "2" RS "4" RS "1"), SLICE("|t:4a|t:2|t:4|t:1") },
		{ SLICE("4hello" RS "bAQIDBA=="),
		  SLICE("|t:4hello|b:\x01\x02\x03\x04") },
		{ SLICE("bAAEC"), SLICE("|b:\0\x01\x02") },
		{ SLICE("b+/+/"), SLICE("|b:\xfb\xff\xbf") },
		{ SLICE("b" RS "bZg==" RS "bZm8=" RS "bZm9v" RS "bZm9vYmFy"),
		  SLICE("|b:|b:f|b:fo|b:foo|b:foobar") },
		/* a text is not looked into */
		{ SLICE("abc"), SLICE("|t:abc") },
		{ SLICE("4\0\n b=" RS "7"), SLICE("|t:4\0\n b=|t:7") },
		/* no packets, empty packets; those before count */
		{ { NULL, 0 }, SLICE("!") },
		{ SLICE(""), SLICE("!") },
		{ SLICE(RS), SLICE("!") },
		{ SLICE(RS "4a"), SLICE("!") },
		{ SLICE("4a" RS), SLICE("|t:4a!") },
		{ SLICE("4a" RS RS "4b"), SLICE("|t:4a!") },
		{ SLICE("bZg==" RS), SLICE("|b:f!") },
		/* base64: whole groups, padded, at the end only */
		{ SLICE("bZ"), SLICE("!") },
		{ SLICE("bZg"), SLICE("!") },
		{ SLICE("bZg="), SLICE("!") },
		{ SLICE("bZm8"), SLICE("!") },
		{ SLICE("b="), SLICE("!") },
		{ SLICE("b===="), SLICE("!") },
		{ SLICE("bZ==="), SLICE("!") },
		{ SLICE("bZm9vZ==="), SLICE("!") },
		{ SLICE("bZg==Zg=="), SLICE("!") },
		{ SLICE("bZm8=Zm9v"), SLICE("!") },
		{ SLICE("bZ=8="), SLICE("!") },
		{ SLICE("b=g=="), SLICE("!") },
		/* what the padding leaves over is zero */
		{ SLICE("bZh=="), SLICE("!") },
		{ SLICE("bZm9="), SLICE("!") },
		/* its own alphabet, no whitespace */
		{ SLICE("b-_-_"), SLICE("!") },
		{ SLICE("bZm9v\r\n"), SLICE("!") },
		{ SLICE("b Zm9v"), SLICE("!") },
		{ SLICE("bZm9v\nZm9"), SLICE("!") },
		{ SLICE("bZm\0v"), SLICE("!") },
		{ SLICE("bZm9\xff"), SLICE("!") },
		{ SLICE("bZm9v" RS "bZ" RS "4a"), SLICE("|b:foo!") },
	};
	struct buf got = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct slice in = exact(rows[i].in.p, rows[i].in.n);

		walk(in, &got);
		cr_expect(same(buf_slice(&got), rows[i].packets), "row %zu: %s",
			  i, buf_str(&got));
		free((char *)in.p);
	}
	buf_free(&got);
}

Test(eio_payload, every_byte_as_a_digit)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"abcdefghijklmnopqrstuvwxyz0123456789+/";
	struct buf scratch = { 0 };

	for (int at = 1; at <= 4; at++) {
		for (int c = 1; c < 256; c++) {
			char in[] = "bAAAA";
			struct slice rest = { in, 5 }, frame;
			const char *d = strchr(digits, c);
			uint32_t want, got = 0;
			bool binary;
			int rc;

			if (c == '\x1e' || (at == 4 && c == '='))
				continue;
			in[at] = (char)c;
			rc = eio_payload_next(&rest, &scratch, &frame, &binary);
			cr_assert_eq(rc, d != NULL ? 1 : -EBADMSG, "%d %d", at, c);
			if (d == NULL)
				continue;
			want = (uint32_t)(d - digits) << 6 * (4 - at);
			cr_assert_eq(frame.n, 3);
			for (int i = 0; i < 3; i++)
				got = got << 8 | (uint8_t)frame.p[i];
			cr_assert_eq(got, want, "%d %d", at, c);
		}
	}
	buf_free(&scratch);
}

Test(eio_payload, truncated)
{
	static const struct slice whole =
		SLICE("4hello" RS "bZm9vYg==" RS "2" RS "bZm9v" RS "4");
	struct buf got = { 0 };

	for (size_t n = 0; n < whole.n; n++) {
		struct slice in = exact(whole.p, n);
		/* cut inside a text or between: a payload, too */
		bool fine = (n >= 1 && n <= 6) || n == 8 || n == 12 || n == 16 ||
			    n == 18 || n == 20 || n == 24;

		walk(in, &got);
		cr_expect_eq(got.len == 0 || got.p[got.len - 1] != '!', fine,
			     "%zu: %s", n, buf_str(&got));
		free((char *)in.p);
	}
	buf_free(&got);
}

/* Separator and packet. */
static size_t payload_size(size_t packet_n, bool binary)
{
	return 1 + (binary ? 1 + (packet_n + 2) / 3 * 4 : packet_n);
}

/* Every length around the groups, and one of many pieces. */
Test(eio_payload, roundtrip)
{
	static const size_t sizes[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 255, 256, 257,
					(3 << 20) - 1, 3 << 20, (6 << 20) + 1 };
	struct buf body = { 0 }, scratch = { 0 };
	struct slice rest, frame;
	size_t max = sizes[ARRAY_SIZE(sizes) - 1];
	char *data = malloc(max);
	bool binary;

	cr_assert_not_null(data);
	for (size_t i = 0; i < max; i++)
		data[i] = (char)(i * 2654435761U >> 24);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t before = body.len;

		eio_payload_add(&body, (struct slice){ data, sizes[i] }, true);
		cr_expect_eq(body.len - before + (before == 0),
			     payload_size(sizes[i], true));
		before = body.len;
		eio_payload_add(&body, SLICE("4text"), false);
		cr_expect_eq(body.len - before, payload_size(5, false));
	}
	rest = buf_slice(&body);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		cr_assert_eq(eio_payload_next(&rest, &scratch, &frame, &binary), 1);
		cr_assert(binary);
		cr_assert(same(frame, (struct slice){ data, sizes[i] }));
		cr_assert_eq(eio_payload_next(&rest, &scratch, &frame, &binary), 1);
		cr_assert(!binary);
		cr_assert(same(frame, SLICE("4text")));
	}
	cr_assert_eq(eio_payload_next(&rest, &scratch, &frame, &binary), 0);
	free(data);
	buf_free(&body);
	buf_free(&scratch);
}
