/* Connections of a worker that drains or stops. */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/clock.h"
#include "common/ipc/stats.h"
#include "tests/unit/wire.h"

static const struct wire_conf defaults;

#define OPEN "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n"
#define OPEN_WS "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n" \
	"Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" \
	"Sec-WebSocket-Version: 13\r\n" \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

/* The answer, and that it is the last one here. */
static void expect_last(struct client *c, unsigned status, const char *want)
{
	const char *head, *body;

	cr_assert_eq(answer(c, &head, &body), status);
	cr_assert_not_null(strstr(head, "Connection: close\r\n"));
	if (want != NULL)
		cr_assert_str_eq(body, want);
	expect_eof(c);
	hang_up(c);
}

/* Nobody is refused: whoever is here is served once more, whatever he wants, and
 * comes back on another connection. */
Test(conn, draining)
{
	struct client opens, looks, polls, posts, waits, ws;
	const char *sid;

	wire_start(&defaults);
	opens = dial();
	looks = dial();
	waits = dial();
	posts = dial();
	polls = dial();
	sid = handshake(&waits);
	say_text(&opens, HEALTH);
	expect_answer(&opens, 200, "ok");
	say_poll(&waits, sid);
	expect_silence(&waits);
	conns_drain(&wire.conns);
	say_text(&opens, OPEN);
	expect_last(&opens, 200, NULL);
	say_text(&looks, HEALTH);
	expect_last(&looks, 200, "ok");
	say_post(&posts, sid, "4hello");
	expect_last(&posts, 200, "ok");
	expect_last(&waits, 200, "4hello");
	ws = dial();
	say_text(&ws, OPEN_WS);
	WAIT_FOR((pull(&ws), ws.in.len > 0));
	cr_assert_eq(memcmp(ws.in.p, "HTTP/1.1 101", 12), 0);
	hang_up(&ws);
	say_poll(&polls, sid);
	expect_silence(&polls);
	hang_up(&polls);
	wire_finish();
}

/* Those between two requests hear that nothing comes, and no reset. */
Test(conn, dismissed)
{
	struct client fresh, idle, begun, waits;
	const char *sid;

	wire_start(&defaults);
	fresh = dial();
	idle = dial();
	begun = dial();
	waits = dial();
	say_text(&idle, HEALTH);
	expect_answer(&idle, 200, "ok");
	say_text(&begun, "GET /healthz HTTP/1.1\r\n");
	sid = handshake(&waits);
	say_poll(&waits, sid);
	expect_silence(&waits);
	conns_drain(&wire.conns);
	conns_dismiss(&wire.conns);
	expect_eof(&fresh);
	expect_eof(&idle);
	expect_silence(&begun);
	expect_silence(&waits);
	say_text(&begun, "Host: x\r\n\r\n");
	expect_last(&begun, 200, "ok");
	say_text(&idle, HEALTH);	/* too late, and no reset */
	for (int i = 0; i < 5; i++)
		run_turn(wire.loop);
	cr_assert_eq(recv(idle.fd, &(char){ 0 }, 1, MSG_DONTWAIT), 0);
	hang_up(&fresh);
	hang_up(&idle);
	WAIT_FOR(wire.conns.count == 1);
	hang_up(&waits);
	wire_finish();
}

Test(conn, stopping)
{
	struct client c, old, ws;
	const char *sid;

	wire_start(&defaults);
	old = dial();
	sid = handshake(&old);
	c = dial();
	ws = dial();
	wire.conns.stopping = true;
	say_text(&c, OPEN);
	expect_answer(&c, 503, NULL);
	expect_eof(&c);
	say_text(&ws, OPEN_WS);
	expect_answer(&ws, 503, NULL);
	expect_eof(&ws);
	/* those that are there go on */
	say_post(&old, sid, "4hello");
	expect_answer(&old, 200, "ok");
	say_poll(&old, sid);
	expect_answer(&old, 200, "4hello");
	hang_up(&c);
	hang_up(&ws);
	hang_up(&old);
	wire_finish();
}
