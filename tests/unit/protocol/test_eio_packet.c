#include "common/protocol/eio_packet.h"

#include <errno.h>

#include "tests/unit/protocol/exact.h"

Test(eio_packet, parse)
{
	static const struct {
		const char *in;
		int rc;
		enum eio_type type;
		const char *data;
	} rows[] = {
		{ "0{\"sid\":\"x\"}", 0, EIO_OPEN, "{\"sid\":\"x\"}" },
		{ "1", 0, EIO_CLOSE, "" },
		{ "2", 0, EIO_PING, "" },
		{ "2probe", 0, EIO_PING, "probe" },
		{ "3", 0, EIO_PONG, "" },
		{ "42[\"x\"]", 0, EIO_MESSAGE, "2[\"x\"]" },
		{ "4", 0, EIO_MESSAGE, "" },
		{ "5", 0, EIO_UPGRADE, "" },
		{ "6", 0, EIO_NOOP, "" },
		{ "", -EBADMSG, 0, NULL },
		{ "7", -EBADMSG, 0, NULL },
		{ "/", -EBADMSG, 0, NULL },
		{ "abc", -EBADMSG, 0, NULL },
		{ "bAQID", -EBADMSG, 0, NULL },
		{ " 4", -EBADMSG, 0, NULL },
		{ "\xb4", -EBADMSG, 0, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct slice in = exact(rows[i].in, strlen(rows[i].in));
		struct eio_packet p = { .binary = true };

		cr_expect_eq(eio_packet_parse(in, &p), rows[i].rc, "%s",
			     rows[i].in);
		if (rows[i].rc == 0) {
			cr_expect_eq(p.type, rows[i].type);
			cr_expect(!p.binary);
			cr_expect(same(p.data, text(rows[i].data)));
		} else {
			cr_expect(p.binary, "output touched on failure");
		}
		free((char *)in.p);
	}
}

Test(eio_packet, open)
{
	struct buf b = { 0 };

	eio_open_write(&b, "AAAABBBBCCCCDDDDEEEE", true, 25000, 20000, 1000000);
	cr_expect_str_eq(buf_str(&b),
			 "0{\"sid\":\"AAAABBBBCCCCDDDDEEEE\","
			 "\"upgrades\":[\"websocket\"],\"pingInterval\":25000,"
			 "\"pingTimeout\":20000,\"maxPayload\":1000000}");
	buf_clear(&b);
	eio_open_write(&b, "x", false, 300, 200, 1000000);
	cr_expect_str_eq(buf_str(&b),
			 "0{\"sid\":\"x\",\"upgrades\":[],\"pingInterval\":300,"
			 "\"pingTimeout\":200,\"maxPayload\":1000000}");
	buf_free(&b);
}
