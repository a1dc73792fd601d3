#include "bench/upgrade.h"

#include <errno.h>

#include "common/protocol/http_head.h"
#include "common/protocol/ws_frame.h"
#include "tests/unit/protocol/exact.h"

#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define YES "HTTP/1.1 101 Switching Protocols\r\n" \
	"upgrade: WebSocket\r\nConnection: Upgrade\r\n" \
	"Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n"

Test(upgrade, request_is_what_a_server_reads)
{
	static const unsigned char random[16] = "0123456789abcdef";
	char accept[29], expected[29];
	struct buf b = { 0 };
	struct http_head h;

	upgrade_request(&b, "chat.example:3001", random, accept);
	cr_assert_eq(http_head_parse(b.p, b.len, &h), (long)b.len);
	cr_expect(same(h.path, SLICE("/socket.io/")));
	cr_expect(same(http_query_get(h.query, "EIO"), SLICE("4")));
	cr_expect(same(http_query_get(h.query, "transport"), SLICE("websocket")));
	cr_expect(same(http_head_field(&h, "Host", NULL),
		       SLICE("chat.example:3001")));
	cr_expect(http_head_list_has(&h, "Connection", "upgrade"));
	cr_expect(http_head_list_has(&h, "Upgrade", "websocket"));
	ws_accept(http_head_field(&h, "Sec-WebSocket-Key", NULL), expected);
	cr_expect_str_eq(accept, expected);
	buf_free(&b);
}

Test(upgrade, answer_and_every_truncation)
{
	static const char with_frame[] = YES "\x81\x01" "2";
	char err[256];

	cr_expect_eq(upgrade_answer(text(with_frame), ACCEPT, err),
		     (long)strlen(YES));
	for (size_t n = 0; n < strlen(YES); n++) {
		struct slice in = exact(YES, n);

		cr_expect_eq(upgrade_answer(in, ACCEPT, err), 0);
		free((char *)in.p);
	}
}

Test(upgrade, refusals_say_why)
{
	static const struct {
		const char *in, *err;
	} rows[] = {
		{ "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
		  "the server refuses a WebSocket here: 400 Bad Request" },
		{ "HTTP/1.1 400 Bad Request\r\n\r\nno\033[31m",
		  "the server refuses a WebSocket here: 400 Bad Request: no" },
		{ "HTTP/1.1 \r\n\r\n", "the server refuses a WebSocket here: " },
		{ "HTTP/1.0 200 OK\r\n\r\n",
		  "what listens there does not speak HTTP/1.1" },
		{ "220 mail.example ESMTP\r\n",
		  "what listens there does not speak HTTP/1.1" },
		{ "HTTP/1.1 101 x\r\nUpgrade: h2c\r\n"
		  "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n",
		  "the server upgrades to something else" },
		{ "HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n",
		  "the server's Sec-WebSocket-Accept is wrong" },
		{ "HTTP/1.1 101 x\r\nUpgrade: websocket\r\n"
		  "Sec-WebSocket-Accept: t" ACCEPT "\r\n\r\n",
		  "the server's Sec-WebSocket-Accept is wrong" },
		{ "HTTP/1.1 101 x\r\nUpgrade: websocket\r\n"
		  "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
		  "the server's Sec-WebSocket-Accept is wrong" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct slice in = exact(rows[i].in, strlen(rows[i].in));
		char err[256] = "";

		cr_expect_eq(upgrade_answer(in, ACCEPT, err), -EPROTO, "row %zu", i);
		cr_expect_str_eq(err, rows[i].err);
		free((char *)in.p);
	}
}
