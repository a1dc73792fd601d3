#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "common/base/mem.h"
#include "worker/transport/ws_deflate.h"

Test(ws_deflate, offers)
{
	static const struct {
		const char *text;
		bool taken;
	} table[] = {
		{ "", false },
		{ "permessage-deflate", true },
		{ "Permessage-Deflate", true },
		{ "permessage-deflate; client_max_window_bits", true },
		{ "permessage-deflate;client_max_window_bits=8", true },
		{ "permessage-deflate; client_max_window_bits=\"15\"", true },
		{ "permessage-deflate; client_max_window_bits = 10", true },
		{ "permessage-deflate; client_max_window_bits=16", false },
		{ "permessage-deflate; client_max_window_bits=7", false },
		{ "permessage-deflate; client_max_window_bits=", false },
		{ "permessage-deflate; client_max_window_bits=08", false },
		{ "permessage-deflate; server_no_context_takeover; "
		  "client_no_context_takeover", true },
		{ "permessage-deflate; server_no_context_takeover=1", false },
		{ "permessage-deflate; server_no_context_takeover=", false },
		{ "permessage-deflate; server_max_window_bits=10", false },
		{ "permessage-deflate; server_max_window_bits=10, "
		  "permessage-deflate", true },
		{ "permessage-deflate; client_max_window_bits; "
		  "client_max_window_bits", false },
		{ "permessage-deflate; unknown", false },
		{ "permessage-deflate;", false },
		{ "permessage-deflate, ", true },
		{ ", permessage-deflate", true },
		{ "x-webkit-deflate-frame", false },
		{ "foo; bar=\"1\", permessage-deflate", true },
		{ "permessage-deflatex", false },
		{ "; permessage-deflate", false },
		{ ",,,;;;===", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct slice s = { table[i].text, strlen(table[i].text) };

		cr_expect_eq(ws_deflate_offered(s), table[i].taken, "%s", s.p);
	}
	cr_expect_not(ws_deflate_offered((struct slice){ 0 }));
}

/* RFC 7692 7.2.3: one message in the ways it may be written. */
Test(ws_deflate, the_rfc_s_examples)
{
	static const struct {
		struct slice packed;
		const char *message;
	} table[] = {
		{ SLICE("\xf2\x48\xcd\xc9\xc9\x07\x00"), "Hello" },
		{ SLICE("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), "Hello" },
		{ SLICE("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), "Hello" },	/* BFINAL */
		{ SLICE("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"),
		  "Hello" },
		{ SLICE("\x00"), "" },
		{ SLICE("\x02\x00"), "" },
	};
	struct ws_deflate *d = ws_deflate_new();
	struct buf out = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		cr_assert_eq(ws_deflate_unpack(d, table[i].packed, 100, &out), 0,
			     "%zu", i);
		cr_assert_str_eq(buf_str(&out), table[i].message);
	}
	buf_free(&out);
	ws_deflate_free(&d);
}

Test(ws_deflate, malformed)
{
	static const struct slice table[] = {
		SLICE("\xff"), SLICE("\x06"), SLICE("\xf2\x48\xcd\xc9"),
		SLICE("\x00\x05\x00\xfa\xff\x48\x65"), SLICE("\xf2"),
		SLICE("\x00\x05\x00\x00\x00Hello\x00"),
		/* looks back to before the message */
		SLICE("\x02\x13\x00"),
	};
	struct ws_deflate *d = ws_deflate_new();
	struct buf out = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		cr_expect_eq(ws_deflate_unpack(d, table[i], 100, &out), -EBADMSG,
			     "%zu", i);
		/* and leaves nothing behind */
		cr_assert_eq(ws_deflate_unpack(d, SLICE("\xf2\x48\xcd\xc9\xc9\x07\x00"),
					       100, &out), 0, "%zu", i);
		cr_assert_str_eq(buf_str(&out), "Hello");
	}
	buf_free(&out);
	ws_deflate_free(&d);
}

Test(ws_deflate, back_and_forth)
{
	static const size_t sizes[] = {
		0, 1, 255, 256, 1023, 1024, 1025, 4096, 16383, 32768, 65536,
		100000, 1000000,
	};
	struct ws_deflate *d = ws_deflate_new();
	struct buf packed = { 0 }, out = { 0 };

	for (int kind = 0; kind < 3; kind++) {
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			size_t n = sizes[i];
			char *text = mem_alloc(n + 1);
			uint32_t x = 1;

			for (size_t k = 0; k < n; k++) {
				x = x * 1664525 + 1013904223;
				text[k] = kind == 0 ? 'a' : kind == 1
					  ? (char)('a' + (x >> 28))
					  : (char)(x >> 24);
			}
			ws_deflate_pack(d, (struct slice){ text, n }, &packed);
			cr_assert_leq(packed.len, ws_deflate_bound(n));
			if (kind == 0 && n > 1000)
				cr_assert_lt(packed.len, n / 50);
			cr_assert_eq(ws_deflate_unpack(d, buf_slice(&packed), n,
						       &out), 0, "%d %zu", kind, n);
			cr_assert_eq(out.len, n);
			cr_assert_eq(memcmp(out.p, text, n), 0);
			if (n > 0)
				cr_assert_eq(ws_deflate_unpack(
					d, buf_slice(&packed), n - 1, &out),
					-EMSGSIZE);
			free(text);
		}
	}
	buf_free(&packed);
	buf_free(&out);
	ws_deflate_free(&d);
}

/* Every truncation of a message is noticed. */
Test(ws_deflate, truncations)
{
	struct ws_deflate *d = ws_deflate_new();
	struct buf packed = { 0 }, out = { 0 };
	char text[3000];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i * i % 23);
	ws_deflate_pack(d, (struct slice){ text, sizeof(text) }, &packed);
	for (size_t n = 1; n + 1 < packed.len; n++) {
		int rc = ws_deflate_unpack(d, (struct slice){ packed.p, n },
					   sizeof(text), &out);

		/* cut within a code, what is added may pass for more */
		cr_assert(rc == -EBADMSG || rc == -EMSGSIZE, "%zu of %zu: %d",
			  n, packed.len, rc);
	}
	buf_free(&packed);
	buf_free(&out);
	ws_deflate_free(&d);
}

/* No more than the limit is unpacked of it, however much there is. */
Test(ws_deflate, bomb)
{
	enum { MAX = 100000 };
	struct ws_deflate *d = ws_deflate_new();
	struct buf packed = { 0 }, out = { 0 };
	char *zeros = mem_zalloc(64 << 20);

	ws_deflate_pack(d, (struct slice){ zeros, 64 << 20 }, &packed);
	cr_assert_lt(packed.len, 400000);
	cr_assert_eq(ws_deflate_unpack(d, buf_slice(&packed), MAX, &out),
		     -EMSGSIZE);
	cr_assert_leq(out.cap, 4 * MAX);
	free(zeros);
	buf_free(&packed);
	buf_free(&out);
	ws_deflate_free(&d);
}
