/* From long-polling to a WebSocket. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/ipc/stats.h"
#include "common/protocol/ws_frame.h"
#include "tests/unit/wire.h"
#include "worker/transport/ws.h"

#define BAD "{\"code\":3,\"message\":\"Bad request\"}"

static struct client dial_websocket(const char *sid)
{
	struct client c = dial();
	const char *head, *body;
	char text[400];

	snprintf(text, sizeof(text),
		 "GET /socket.io/?EIO=4&transport=websocket&sid=%s HTTP/1.1\r\n"
		 "Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
		 "Sec-WebSocket-Version: 13\r\n"
		 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", sid);
	say_text(&c, text);
	cr_assert_eq(answer(&c, &head, &body), 101);
	return c;
}

static void say_frame(struct client *c, const char *text)
{
	struct buf b = { 0 };

	ws_frame_masked(&b, WS_TEXT, (struct slice){ text, strlen(text) }, 7);
	say(c, b.p, b.len);
	buf_free(&b);
}

static void expect_frame(struct client *c, const char *text)
{
	struct buf want = { 0 };

	ws_frame_head(&want, WS_TEXT, strlen(text));
	buf_adds(&want, text);
	WAIT_FOR((pull(c), c->in.len >= want.len));
	cr_assert_eq(memcmp(c->in.p, want.p, want.len), 0);
	buf_consume(&c->in, want.len);
	buf_free(&want);
}

Test(polling, moves_to_a_websocket)
{
	struct client get, post, sock;
	const char *sid = pair_start(&get, &post);

	say_poll(&get, sid);
	sock = dial_websocket(sid);
	expect_silence(&get);
	say_frame(&sock, "2probe");
	expect_frame(&sock, "3probe");
	expect_answer(&get, 200, "6");
	say_poll(&get, sid);
	expect_answer(&get, 200, "6");
	send_from_server("4before");
	say_poll(&get, sid);
	expect_answer(&get, 200, "4before");
	say_post(&post, sid, "4posted");
	expect_answer(&post, 200, "ok");
	say_frame(&sock, "5");
	expect_frame(&sock, "4posted");
	say_frame(&sock, "4hello");
	expect_frame(&sock, "4hello");
	cr_assert_eq(stats_get(STAT_upgrades), 1);
	cr_assert_eq(stats_get(STAT_sessions_polling), 0);
	say_poll(&get, sid);
	expect_answer(&get, 400, BAD);
	say_post(&post, sid, "4x");
	expect_answer(&post, 400, BAD);
	cr_assert_eq(echoed.closes, 0);
	hang_up(&get);
	hang_up(&post);
	hang_up(&sock);
	WAIT_FOR(echoed.closes == 1);
	WAIT_FOR(ws_count(wire.ws) == 0);
	wire_finish();
}

/* What the moved session leaves behind. */
Test(polling, requests_in_the_way_of_a_move)
{
	struct client get, post, sock;
	const char *sid = pair_start(&get, &post);

	say_poll(&get, sid);
	say_half_post(&post, sid);
	sock = dial_websocket(sid);
	expect_silence(&post);
	say_frame(&sock, "5");
	expect_answer(&get, 200, "1");
	expect_eof(&post);
	say_frame(&sock, "4hello");
	expect_frame(&sock, "4hello");
	hang_up(&get);
	hang_up(&post);
	hang_up(&sock);
	WAIT_FOR(ws_count(wire.ws) == 0);
	wire_finish();
}
