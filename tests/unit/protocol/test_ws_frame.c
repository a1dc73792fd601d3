#include "common/protocol/ws_frame.h"

#include <errno.h>

#include "tests/unit/protocol/exact.h"

#define MAX 100000

static const size_t sizes[] = { 0, 1, 5, 125, 126, 127, 65535, 65536, 70000 };

static void fill(struct buf *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_addc(b, (char)('a' + i % 26));
}

Test(ws_frame, round_trip_and_truncations)
{
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct buf payload = { 0 }, frame = { 0 };
		struct ws_frame f;

		fill(&payload, sizes[i]);
		ws_frame_head(&frame, WS_TEXT, payload.len);
		buf_add(&frame, payload.p, payload.len);
		cr_assert_eq(ws_frame_parse(buf_slice(&frame), MAX, &f),
			     (long)frame.len);
		cr_expect_eq(f.op, WS_TEXT);
		cr_expect(f.final);
		cr_expect(same(f.payload, buf_slice(&payload)));
		for (size_t n = 0; n < frame.len; n += n < 300 ? 1 : 997) {
			struct slice in = exact(frame.p, n);

			cr_assert_eq(ws_frame_parse(in, MAX, &f), 0);
			free((char *)in.p);
		}
		buf_free(&payload);
		buf_free(&frame);
	}
}

/* RFC 6455 5.7 */
Test(ws_frame, examples_of_the_specification)
{
	static const char masked[] = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
	struct buf b = { 0 };
	struct ws_frame f;
	uint32_t mask;

	memcpy(&mask, "\x37\xfa\x21\x3d", 4);
	ws_frame_masked(&b, WS_TEXT, SLICE("Hello"), mask);
	cr_assert_eq(b.len, sizeof(masked) - 1);
	cr_expect_arr_eq(b.p, masked, b.len);
	buf_free(&b);
	cr_assert_eq(ws_frame_parse(SLICE("\x01\x03Hel"), MAX, &f), 5);
	cr_expect(!f.final);
	cr_expect_eq(f.op, WS_TEXT);
	cr_assert_eq(ws_frame_parse(SLICE("\x80\x02lo"), MAX, &f), 4);
	cr_expect(f.final);
	cr_expect_eq(f.op, WS_CONTINUATION);
}

/* Unmasking by hand gives the payload back at every length. */
Test(ws_frame, masking)
{
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct buf payload = { 0 }, frame = { 0 };
		const char *key, *masked;

		fill(&payload, sizes[i]);
		ws_frame_masked(&frame, WS_BINARY, buf_slice(&payload), 0xa1b2c3d4);
		cr_assert((unsigned char)frame.p[1] & 0x80);
		masked = frame.p + frame.len - payload.len;
		key = masked - 4;
		for (size_t j = 0; j < payload.len; j++)
			cr_assert_eq((char)(masked[j] ^ key[j % 4]), payload.p[j]);
		buf_free(&payload);
		buf_free(&frame);
	}
}

Test(ws_frame, refuses)
{
	static const struct {
		struct slice in;
		long rc;
	} rows[] = {
		{ { "\xc1\x00", 2 }, -EBADMSG },		/* RSV1 */
		{ { "\x83\x00", 2 }, -EBADMSG },		/* opcode 3 */
		{ { "\x8b\x00", 2 }, -EBADMSG },		/* opcode 11 */
		{ { "\x8b", 1 }, -EBADMSG },
		{ { "\x81\x80", 2 }, -EBADMSG },		/* masked */
		{ { "\x09\x00", 2 }, -EBADMSG },		/* ping in parts */
		{ { "\x89\x7e", 2 }, -EBADMSG },		/* long ping */
		{ { "\x88\x01x", 3 }, -EBADMSG },		/* half a code */
		{ { "\x81\x7e\x00\x7d", 4 }, -EBADMSG },	/* not shortest */
		{ { "\x81\x7f\0\0\0\0\0\0\xff\xff", 10 }, -EBADMSG },
		{ { "\x81\x7f\x80\0\0\0\0\0\0\0", 10 }, -EBADMSG },
		{ { "\x81\x7f\0\0\0\0\0\x01\x86\xa1", 10 }, -EMSGSIZE },
		{ { "\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10 }, -EMSGSIZE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct slice in = exact(rows[i].in.p, rows[i].in.n);
		struct ws_frame f;

		cr_expect_eq(ws_frame_parse(in, MAX, &f), rows[i].rc, "row %zu", i);
		free((char *)in.p);
	}
}

Test(ws_frame, control_frames)
{
	struct ws_frame f;

	cr_assert_eq(ws_frame_parse(SLICE("\x88\x00"), 0, &f), 2);
	cr_expect_eq(f.op, WS_CLOSE);
	cr_assert_eq(ws_frame_parse(SLICE("\x88\x02\x03\xe8"), MAX, &f), 4);
	cr_assert_eq(ws_frame_parse(SLICE("\x89\x02hi\x81"), MAX, &f), 4);
	cr_expect_eq(f.op, WS_PING);
	cr_expect(same(f.payload, SLICE("hi")));
}

/* RFC 6455 1.3 */
Test(ws_frame, accept_key)
{
	char out[29];

	ws_accept(SLICE("dGhlIHNhbXBsZSBub25jZQ=="), out);
	cr_expect_str_eq(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}
