/* What many clients can take together, over loopback. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "common/protocol/ws_frame.h"
#include "tests/unit/wire.h"

#define OPEN "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n"
#define OPEN_WS "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n" \
	"Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" \
	"Sec-WebSocket-Version: 13\r\n" \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

static const struct wire_conf defaults;

/* They need no connection of their own, only the time they have. */
Test(crowd, sessions_are_bounded_too)
{
	struct client c, ws;

	wire_start(&defaults);
	wire.conns.max = 4;
	c = dial();
	for (int i = 0; i < 8; i++)
		handshake(&c);
	ws = dial();
	say_text(&ws, OPEN_WS);
	expect_answer(&ws, 503, NULL);
	expect_eof(&ws);
	say_text(&c, OPEN);
	expect_answer(&c, 503, NULL);
	expect_eof(&c);
	cr_assert_eq(stats_get(STAT_sessions), 8);
	eio_session_close(echoed.latest, CLOSE_SERVER);
	hang_up(&c);
	c = dial();
	handshake(&c);
	hang_up(&c);
	hang_up(&ws);
	wire_finish();
}

/* --- what is not whole --- */

/* A session, and a POST of which n bytes of 50,000 have come. */
static struct client begin_body(size_t n)
{
	struct client c = dial();
	char *text = mem_alloc(n);
	char head[200];

	memset(text, '4', n);
	snprintf(head, sizeof(head),
		 "POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\n"
		 "Host: x\r\nContent-Length: 50000\r\n\r\n", handshake(&c));
	say_text(&c, head);
	say(&c, text, n);
	free(text);
	return c;
}

/* Beyond a little for each, all share. */
Test(crowd, unfinished_bodies_are_bounded)
{
	enum { MORE = 14000 };
	struct partials *ps = &wire.conns.partials;
	struct client a, b, c, little;

	wire_start(&defaults);
	ps->max = 2 * MORE;
	a = begin_body(PARTIAL_OWN + MORE);
	b = begin_body(PARTIAL_OWN + MORE);
	WAIT_FOR(ps->shared == 2 * MORE);
	c = begin_body(PARTIAL_OWN + MORE);
	WAIT_FOR(echoed.closes == 1 && ps->shared == 2 * MORE);
	cr_assert_eq(echoed.why, CLOSE_TOO_LARGE);
	little = begin_body(PARTIAL_OWN);
	run_for(wire.loop, 20);
	expect_silence(&little);
	hang_up(&a);
	WAIT_FOR(echoed.closes == 2 && ps->shared == MORE);
	hang_up(&c);
	c = begin_body(PARTIAL_OWN + MORE);
	WAIT_FOR(ps->shared == 2 * MORE);
	hang_up(&b);
	hang_up(&c);
	hang_up(&little);
	WAIT_FOR(wire.conns.count == 0);
	cr_assert_eq(ps->shared, 0);
	wire_finish();
}

/* A message, all but its end. */
static struct client begin_message(const char *bytes, size_t n)
{
	struct client c = dial();
	struct buf b = { 0 };

	ws_frame_masked(&b, WS_TEXT, (struct slice){ bytes, n }, 0);
	say_text(&c, OPEN_WS);
	WAIT_FOR((pull(&c), strstr(buf_str(&c.in), "0{") != NULL));
	buf_clear(&c.in);
	b.p[0] &= 0x7f;		/* a fragment: more to come */
	say(&c, b.p, b.len);
	buf_free(&b);
	return c;
}

/* All that the client sent has been read, and it is still welcome. */
static void wait_until_read(struct client *c)
{
	say(c, "\x89\x80\0\0\0\0", 6);
	WAIT_FOR((pull(c), c->in.len == 2));
	cr_assert_arr_eq(c->in.p, "\x8a\0", 2);
	buf_clear(&c->in);
}

Test(crowd, unfinished_messages_are_bounded)
{
	enum { LONG = 1500000, FIT = PARTIAL_SHARED / LONG };
	struct wire_conf conf = { .max_payload = LONG };
	struct client clients[FIT + 1], little;
	char *bytes = mem_zalloc(LONG);

	bytes[0] = '4';
	wire_start(&conf);
	for (int i = 0; i < FIT; i++) {
		clients[i] = begin_message(bytes, LONG);
		wait_until_read(&clients[i]);
	}
	cr_assert_eq(echoed.closes, 0);
	clients[FIT] = begin_message(bytes, LONG);
	WAIT_FOR(echoed.closes == 1);
	cr_assert_eq(echoed.why, CLOSE_TOO_LARGE);
	WAIT_FOR((pull(&clients[FIT]), clients[FIT].in.len == 4));
	cr_assert_arr_eq(clients[FIT].in.p, "\x88\x02\x03\xf1", 4);
	little = begin_message(bytes, PARTIAL_OWN);
	say(&little, "\x80\x80\0\0\0\0", 6);
	WAIT_FOR((pull(&little), little.in.len == PARTIAL_OWN + 4));
	hang_up(&clients[0]);
	WAIT_FOR(echoed.closes == 2);
	clients[0] = begin_message(bytes, LONG);
	wait_until_read(&clients[0]);
	cr_assert_eq(echoed.closes, 2);
	for (int i = 0; i <= FIT; i++)
		hang_up(&clients[i]);
	hang_up(&little);
	free(bytes);
	wire_finish();
}

/* --- one turn --- */

/* Whatever fits in a body has to be dealt with in one turn. */
Test(crowd, packets_of_a_post_are_bounded)
{
	enum { MOST = 16384 };
	struct client c;
	struct buf b = { 0 };
	const char *sid;

	wire_start(&defaults);
	c = dial();
	sid = handshake(&c);
	buf_adds(&b, "4x");
	for (int i = 1; i < MOST; i++)
		buf_adds(&b, "\x1e" "4x");
	say_post(&c, sid, buf_str(&b));
	expect_answer(&c, 200, "ok");
	cr_assert_eq(echoed.got.len, 2 * MOST);
	cr_assert_eq(echoed.closes, 0);
	buf_adds(&b, "\x1e" "4x");
	say_post(&c, sid, buf_str(&b));
	expect_answer(&c, 200, "ok");
	WAIT_FOR(echoed.closes == 1);
	cr_assert_eq(echoed.why, CLOSE_TOO_LARGE);
	buf_free(&b);
	hang_up(&c);
	wire_finish();
}
