/* cursor_read: what a client says it was sent last. What is read is written the
 * same again, and no number in it can overflow. */
#include "common/protocol/cursor.h"

#include <errno.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct slice in = { (const char *)data, n };
	struct buf out = { 0 };
	struct cursor c;
	int err = cursor_read(in, &c);

	CHECK(err == 0 || err == -EBADMSG);
	if (err != 0)
		return 0;
	CHECK(c.floor >= 0 && c.n <= CURSOR_STREAMS);
	for (unsigned i = 0; i < c.n; i++)
		CHECK(c.streams[i].pos > c.floor && c.streams[i].id >> 48 == 0);
	cursor_write(&out, c.floor, c.streams, c.n);
	CHECK(same(in, buf_slice(&out)));
	buf_free(&out);
	return 0;
}
