/* eio_payload and eio_packet: a payload has one reading and one writing. What
 * is read and written again is the same text; what is written is read as it
 * was. */
#include "common/protocol/eio_payload.h"

#include <errno.h>

#include "common/protocol/eio_packet.h"
#include "tests/fuzz/fuzz.h"

static void check_packet(struct slice frame)
{
	struct eio_packet p;
	int rc = eio_packet_parse(frame, &p);

	CHECK(rc == 0 || rc == -EBADMSG);
	CHECK((rc == 0) == (frame.n > 0 && frame.p[0] >= '0' && frame.p[0] <= '6'));
	if (rc == 0) {
		CHECK(p.type == (unsigned)(frame.p[0] - '0') && !p.binary);
		CHECK(p.data.p == frame.p + 1 && p.data.n == frame.n - 1);
	}
}

/* Separator and packet. */
static size_t payload_size(size_t packet_n, bool binary)
{
	return 1 + (binary ? 1 + (packet_n + 2) / 3 * 4 : packet_n);
}

static void read_write(struct slice body)
{
	struct buf again = { 0 }, scratch = { 0 };
	struct slice rest = body, frame;
	bool binary;
	int rc;

	while ((rc = eio_payload_next(&rest, &scratch, &frame, &binary)) == 1) {
		size_t before = again.len;

		if (!binary) {
			CHECK(memchr(frame.p, '\x1e', frame.n) == NULL);
			check_packet(frame);
		}
		eio_payload_add(&again, frame, binary);
		CHECK(again.len - before + (before == 0) ==
		      payload_size(frame.n, binary));
		CHECK(again.len <= body.n);
		CHECK(memcmp(again.p, body.p, again.len) == 0);
	}
	CHECK(rc == 0 || rc == -EBADMSG);
	CHECK(rc != 0 || same(buf_slice(&again), body));
	CHECK(eio_payload_next(&rest, &scratch, &frame, &binary) == rc);
	buf_free(&again);
	buf_free(&scratch);
}

/* The next packet that the input makes: a byte with its length and kind, then
 * its bytes. A text that is none becomes a binary. */
static bool take(struct slice *in, struct slice *packet_out, bool *binary_out)
{
	size_t n;

	if (in->n == 0)
		return false;
	n = (unsigned char)in->p[0] & 0x7f;
	*binary_out = ((unsigned char)in->p[0] & 0x80) != 0;
	if (n > in->n - 1)
		n = in->n - 1;
	*packet_out = (struct slice){ in->p + 1, n };
	*in = (struct slice){ in->p + 1 + n, in->n - 1 - n };
	if (n == 0 || packet_out->p[0] == 'b' ||
	    memchr(packet_out->p, '\x1e', n) != NULL)
		*binary_out = true;
	return true;
}

static void write_read(struct slice in)
{
	struct buf body = { 0 }, scratch = { 0 };
	struct slice from = in, rest, packet, frame;
	bool binary, got_binary;

	while (take(&from, &packet, &binary))
		eio_payload_add(&body, packet, binary);
	rest = buf_slice(&body);
	from = in;
	while (take(&from, &packet, &binary)) {
		CHECK(eio_payload_next(&rest, &scratch, &frame, &got_binary) == 1);
		CHECK(got_binary == binary && same(frame, packet));
	}
	if (body.len != 0)
		CHECK(eio_payload_next(&rest, &scratch, &frame, &got_binary) == 0);
	buf_free(&body);
	buf_free(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct slice in = { (const char *)data, n };

	check_packet(in);
	read_write(in);
	write_read(in);
	return 0;
}
