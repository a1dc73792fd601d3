/* What a WebSocket message goes through: the offer of permessage-deflate, the
 * inflating of what any client calls deflated, the check for UTF-8. */
#include "worker/transport/ws_deflate.h"

#include <errno.h>

#include "common/base/utf8.h"
#include "tests/fuzz/fuzz.h"

#define MAX 4096

static void check_inflate(struct ws_deflate *d, struct slice in)
{
	struct buf message = { 0 }, packed = { 0 }, again = { 0 };
	int rc = ws_deflate_unpack(d, in, MAX, &message);

	CHECK(rc == 0 || rc == -EBADMSG || rc == -EMSGSIZE);
	CHECK(rc != 0 || message.len <= MAX);
	CHECK(message.cap <= 4 * MAX);	/* however large it would become */
	if (rc == 0) {
		CHECK(ws_deflate_unpack(d, in, message.len, &again) == 0);
		CHECK(message.len == 0 ||
		      ws_deflate_unpack(d, in, message.len - 1, &again) == -EMSGSIZE);
		ws_deflate_pack(d, buf_slice(&message), &packed);
		CHECK(ws_deflate_unpack(d, buf_slice(&packed), MAX, &again) == 0);
		CHECK(same(buf_slice(&message), buf_slice(&again)));
	}
	buf_free(&message);
	buf_free(&packed);
	buf_free(&again);
}

static void check_deflate(struct ws_deflate *d, struct slice in)
{
	struct buf packed = { 0 }, again = { 0 };

	ws_deflate_pack(d, in, &packed);
	CHECK(packed.len <= ws_deflate_bound(in.n));
	CHECK(ws_deflate_unpack(d, buf_slice(&packed), in.n, &again) == 0);
	CHECK(same(in, buf_slice(&again)));
	buf_free(&packed);
	buf_free(&again);
}

/* The code point at p, by its definition; -1. */
static int32_t code_point(const uint8_t *p, size_t n, size_t *len_out)
{
	static const int32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 :
		     p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
	int32_t c = len == 1 ? p[0] : p[0] & (0x7f >> len);

	if (len == 0 || len > n)
		return -1;
	for (size_t i = 1; i < len; i++) {
		if (p[i] >> 6 != 2)
			return -1;
		c = c << 6 | (p[i] & 0x3f);
	}
	*len_out = len;
	return c < least[len] || c > 0x10ffff || c >> 11 == 0x1b ? -1 : c;
}

static void check_utf8(const uint8_t *data, size_t n)
{
	size_t at = 0, len = 0;
	bool valid = true;

	for (; at < n && valid; at += len)
		valid = code_point(data + at, n - at, &len) != -1;
	CHECK(utf8_valid((struct slice){ (const char *)data, n }) == valid);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct slice in = { (const char *)data, n };
	static struct ws_deflate *d;	/* one serves all, as in a worker */

	if (d == NULL)
		d = ws_deflate_new();
	(void)ws_deflate_offered(in);
	check_inflate(d, in);
	check_deflate(d, in);
	check_utf8(data, n);
	return 0;
}
