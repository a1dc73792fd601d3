/* Sessions on long-polling, over loopback. */
#define _GNU_SOURCE	/* struct linger */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "tests/unit/wire.h"

static const struct wire_conf defaults;

Test(polling, handshake)
{
	const char *head, *body;
	struct client c;

	wire_start(&defaults);
	c = dial();
	say_get(&c, "");
	cr_assert_eq(answer(&c, &head, &body), 200);
	cr_assert_not_null(strstr(head, "\r\nContent-Type: text/plain; "
					"charset=UTF-8\r\n"));
	cr_assert_not_null(strstr(head, "\r\nCache-Control: no-store\r\n"));
	cr_assert_null(strstr(head, "Connection:"));
	cr_assert_eq(memcmp(body, "0{\"sid\":\"", 9), 0);
	cr_assert_str_eq(body + 29, "\",\"upgrades\":[\"websocket\"],"
			 "\"pingInterval\":60000,\"pingTimeout\":60000,"
			 "\"maxPayload\":100000}");
	cr_assert_eq(stats_get(STAT_sessions_polling), 1);
	expect_silence(&c);
	hang_up(&c);
	wire_finish();
}

Test(polling, packets_come_back)
{
	static const struct {
		const char *post, *get;
	} table[] = {
		{ "4hello", "4hello" },
		{ "4", "4" },
		{ "4\xe2\x82\xac", "4\xe2\x82\xac" },
		{ "bAAEC", "bAAEC" },
		{ "b", "b" },
		{ "4a\x1e" "4b\x1e" "bAw==\x1e" "4c",
		  "4a\x1e" "4b\x1e" "bAw==\x1e" "4c" },
		{ "3\x1e" "6\x1e" "5\x1e" "4x", "4x" },
	};
	const char *head, *body;
	struct client c;
	const char *sid;

	wire_start(&defaults);
	c = dial();
	sid = handshake(&c);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		say_post(&c, sid, table[i].post);
		cr_assert_eq(answer(&c, &head, &body), 200);
		cr_assert_str_eq(body, "ok");
		cr_assert_not_null(strstr(head, "Content-Type: text/html\r\n"));
		cr_assert_not_null(strstr(head, "Cache-Control: no-store\r\n"));
		say_poll(&c, sid);
		expect_answer(&c, 200, table[i].get);
	}
	hang_up(&c);
	wire_finish();
}

Test(polling, a_get_waits)
{
	struct client get, post;
	const char *sid = pair_start(&get, &post);

	say_poll(&get, sid);
	expect_silence(&get);
	say_post(&post, sid, "4one\x1e" "4two");
	expect_answer(&get, 200, "4one\x1e" "4two");
	expect_answer(&post, 200, "ok");
	say_poll(&get, sid);
	expect_silence(&get);
	send_from_server("4three");
	send_from_server("4four");
	expect_answer(&get, 200, "4three\x1e" "4four");
	/* and without one they wait */
	send_from_server("4five");
	expect_silence(&get);
	send_from_server("4six");
	say_poll(&get, sid);
	expect_answer(&get, 200, "4five\x1e" "4six");
	pair_finish(&get, &post);
}

Test(polling, two_gets)
{
	struct client first, second;
	const char *sid = pair_start(&first, &second);

	say_poll(&first, sid);
	expect_silence(&first);
	say_poll(&second, sid);
	expect_answer(&second, 400, "");
	expect_answer(&first, 200, "1");
	cr_assert_eq(echoed.closes, 1);
	cr_assert_eq(echoed.why, CLOSE_PARSE);
	expect_gone(sid);
	pair_finish(&first, &second);
}

Test(polling, two_posts)
{
	struct client first, second, get;
	const char *sid = pair_start(&get, &first);

	second = dial();
	say_poll(&get, sid);
	say_half_post(&first, sid);
	expect_silence(&first);
	say_post(&second, sid, "4x");
	expect_answer(&second, 400, "");
	expect_eof(&first);
	expect_answer(&get, 200, "1");
	cr_assert_eq(echoed.closes, 1);
	cr_assert_eq(echoed.got.len, 0);
	expect_gone(sid);
	hang_up(&first);
	hang_up(&second);
	hang_up(&get);
	wire_finish();
}

enum leaving { CLOSES, HALF_CLOSES, RESETS };

static void leave(struct client *c, enum leaving how)
{
	struct linger now = { .l_onoff = 1 };

	if (how == HALF_CLOSES) {
		shutdown(c->fd, SHUT_WR);
		return;
	}
	if (how == RESETS)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	hang_up(c);
}

/* However it goes, and whatever it has sent behind the waiting GET. */
Test(polling, a_get_is_aborted)
{
	for (int i = 0; i < 6; i++) {
		struct client c;
		const char *sid;

		wire_start(&defaults);
		echoed.closes = 0;
		c = dial();
		sid = handshake(&c);
		say_poll(&c, sid);
		if (i >= 3)
			say_text(&c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET");
		expect_silence(&c);
		leave(&c, i % 3);
		WAIT_FOR(echoed.closes == 1);
		cr_assert_eq(echoed.why, CLOSE_CLIENT);
		expect_gone(sid);
		if (i % 3 == HALF_CLOSES) {
			expect_eof(&c);
			hang_up(&c);
		}
		wire_finish();
	}
}

Test(polling, a_post_is_aborted)
{
	for (int i = 0; i < 3; i++) {
		struct client post, get;
		const char *sid = pair_start(&get, &post);

		echoed.closes = 0;
		say_poll(&get, sid);
		say_half_post(&post, sid);
		expect_silence(&post);
		leave(&post, i);
		expect_answer(&get, 200, "1");
		cr_assert_eq(echoed.closes, 1);
		cr_assert_eq(echoed.got.len, 0);
		if (i == HALF_CLOSES)
			hang_up(&post);
		hang_up(&get);
		wire_finish();
	}
}

/* So much behind a request that waits: nothing could be seen past it. */
Test(polling, endless_pipelining)
{
	struct client c;
	char bytes[1000];
	const char *sid;

	memset(bytes, 'x', sizeof(bytes));
	wire_start(&defaults);
	c = dial();
	sid = handshake(&c);
	say_poll(&c, sid);
	for (int i = 0; i < 60; i++) {
		say(&c, bytes, sizeof(bytes));
		run_turn(wire.loop);
	}
	WAIT_FOR(echoed.closes == 1);
	expect_eof(&c);
	expect_gone(sid);
	hang_up(&c);
	wire_finish();
}

Test(polling, bodies_that_are_none)
{
	static const struct {
		const char *body, *messages;
	} table[] = {
		{ "", "" }, { "abc", "" }, { "4a\x1e", "a\n" },
		{ "4a\x1e\x1e" "4b", "a\n" }, { "4a\x1e" "7", "a\n" },
		{ "2", "" }, { "b?", "" }, { "4a\x1e" "bA\x1e" "4b", "a\n" },
		{ "4\xff\xfe", "" }, { "4a\x1e" "4\xc3\x1e" "4b", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct client c;
		const char *sid;

		wire_start(&defaults);
		echoed.closes = 0;
		c = dial();
		sid = handshake(&c);
		say_post(&c, sid, table[i].body);
		expect_answer(&c, 200, "ok");
		say_poll(&c, sid);
		expect_answer(&c, 400, UNKNOWN);
		cr_assert_eq(echoed.closes, 1, "%s", table[i].body);
		cr_assert_eq(echoed.why, CLOSE_PARSE);
		cr_assert_str_eq(buf_str(&echoed.got), table[i].messages);
		hang_up(&c);
		wire_finish();
	}
}

Test(polling, octets_end_the_session)
{
	struct client c;
	const char *sid;

	wire_start(&defaults);
	c = dial();
	sid = handshake(&c);
	say_text(&c, post_head(sid, "Content-Type: application/octet-stream\r\n"
				    "Content-Length: 3\r\n"));
	say_text(&c, "\1\2\3");
	expect_answer(&c, 400, "");
	cr_assert_eq(echoed.why, CLOSE_PARSE);
	expect_gone(sid);
	hang_up(&c);
	wire_finish();
}

/* The session knows nothing of it. */
Test(polling, too_long_a_body)
{
	struct client c, other;
	char *big = mem_alloc(200000);
	const char *sid;

	memset(big, '4', 200000);
	wire_start(&defaults);
	c = dial();
	sid = handshake(&c);
	for (int i = 0; i < 3; i++) {
		static const char *const framing[] = {
			"Content-Length: 100001\r\n",
			"Content-Length: 99999999999\r\n",
			"Transfer-Encoding: chunked\r\n",
		};

		other = dial();
		say_text(&other, post_head(sid, framing[i]));
		if (i == 2)
			say_text(&other, "186a1\r\n");
		say(&other, big, i == 1 ? 200000 : 100001);
		expect_answer(&other, 413, "");
		expect_eof(&other);
		hang_up(&other);
	}
	cr_assert_eq(echoed.closes, 0);
	big[100000] = '\0';	/* as long as may be */
	say_post(&c, sid, big);
	expect_answer(&c, 200, "ok");
	say_poll(&c, sid);
	expect_answer(&c, 200, big);
	free(big);
	hang_up(&c);
	wire_finish();
}

Test(polling, other_methods)
{
	static const char *const methods[] = { "PUT", "DELETE", "HEAD", "PATCH" };
	struct client c;
	char text[200];
	const char *sid;

	wire_start(&defaults);
	c = dial();
	sid = handshake(&c);
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		snprintf(text, sizeof(text),
			 "%s /socket.io/?EIO=4&transport=polling&sid=%s "
			 "HTTP/1.1\r\nHost: x\r\n\r\n", methods[i], sid);
		say_text(&c, text);
		expect_answer(&c, 500, "");
	}
	say_post(&c, sid, "4still here");
	expect_answer(&c, 200, "ok");
	hang_up(&c);
	wire_finish();
}

/* A client that does not read its answer, then does. */
Test(polling, a_long_answer)
{
	enum { BYTES = 20 << 20 };
	const char *head, *body;
	struct client c;
	char *text = mem_alloc(BYTES + 1);
	const char *sid;

	for (size_t i = 0; i < BYTES; i++)
		text[i] = (char)('a' + i % 26);
	text[0] = '4';
	text[BYTES] = '\0';
	wire_start(&defaults);
	c = dial();
	sid = handshake(&c);
	say_poll(&c, sid);
	expect_silence(&c);
	send_from_server(text);
	run_turn(wire.loop);
	send_from_server("4behind");	/* is for the next GET */
	run_turn(wire.loop);
	cr_assert_eq(answer(&c, &head, &body), 200);
	cr_assert_eq(strcmp(body, text), 0);
	say_poll(&c, sid);
	expect_answer(&c, 200, "4behind");
	/* and one that goes away in the middle */
	say_poll(&c, sid);
	expect_silence(&c);
	send_from_server(text);
	run_turn(wire.loop);
	cr_assert_eq(echoed.closes, 0);
	leave(&c, RESETS);
	WAIT_FOR(echoed.closes == 1);
	free(text);
	wire_finish();
}

Test(polling, an_answer_nobody_takes)
{
	struct wire_conf conf = { .body = 80 };
	enum { BYTES = 20 << 20 };
	struct client c;
	char *text = mem_zalloc(BYTES + 1);
	const char *sid;

	memset(text, '4', BYTES);
	wire_start(&conf);
	c = dial();
	sid = handshake(&c);
	say_poll(&c, sid);
	expect_silence(&c);
	send_from_server(text);
	WAIT_FOR(echoed.closes == 1);
	cr_assert_eq(stats_get(STAT_http_timeouts), 1);
	expect_gone(sid);
	free(text);
	hang_up(&c);
	wire_finish();
}

/* Both ways by one connection each, as the stock client does. */
Test(polling, nothing_lost_or_reordered)
{
	enum { COUNT = 500 };
	struct client get, post;
	struct buf all = { 0 }, want = { 0 };
	const char *sid, *head, *body;
	int sent = 0;
	bool posting = false, polling = false;

	sid = pair_start(&get, &post);
	for (int i = 0; i < COUNT; i++)
		buf_printf(&want, "4%d\x1e", i);
	while (all.len < want.len) {
		if (!posting && sent < COUNT) {
			struct buf b = { 0 };

			for (int n = 1 + sent % 7; n > 0 && sent < COUNT; n--)
				buf_printf(&b, "%s4%d", b.len ? "\x1e" : "",
					   sent++);
			say_post(&post, sid, buf_str(&b));
			buf_free(&b);
			posting = true;
		}
		if (!polling)
			say_poll(&get, sid);
		polling = true;
		run_turn(wire.loop);
		pull(&post);
		pull(&get);
		if (post.in.len != 0) {
			expect_answer(&post, 200, "ok");
			posting = false;
		}
		if (get.in.len != 0) {
			cr_assert_eq(answer(&get, &head, &body), 200);
			buf_adds(&all, body);
			buf_addc(&all, '\x1e');
			polling = false;
		}
	}
	cr_assert_str_eq(buf_str(&all), buf_str(&want));
	buf_free(&all);
	buf_free(&want);
	pair_finish(&get, &post);
}

Test(polling, pings)
{
	struct wire_conf conf = { .ping_interval = 100 };
	struct client c;
	const char *sid;

	wire_start(&conf);
	c = dial();
	sid = handshake(&c);
	for (int i = 0; i < 3; i++) {
		int64_t at = clock_mono_us();

		say_poll(&c, sid);
		expect_answer(&c, 200, "2");
		if (i > 0)
			cr_assert_geq(clock_mono_us() - at, 95000);
		say_post(&c, sid, "3");
		expect_answer(&c, 200, "ok");
	}
	hang_up(&c);
	wire_finish();
}

/* The ping leaves late, and the timeout counts from it, by as much as nothing
 * ran: that much longer, and both timers' granularity. */
static void run_till(int64_t at_us)
{
	int64_t longest = 0, now = clock_mono_us();

	while (now < at_us + longest + 5000) {
		int64_t before = now;

		run_turn(wire.loop);
		now = clock_mono_us();
		if (now - before > longest)
			longest = now - before;
	}
	run_turn(wire.loop);
}

/* By the client's clock, which starts with the answer to its handshake. */
Test(polling, gone_without_a_pong)
{
	struct wire_conf conf = { .ping_interval = 300, .ping_timeout = 200 };
	struct client c;
	const char *sid;

	wire_start(&conf);
	c = dial();
	sid = handshake(&c);
	run_till(clock_mono_us() + 500000);
	expect_gone(sid);
	cr_assert_eq(echoed.why, CLOSE_PING_TIMEOUT);
	hang_up(&c);
	wire_finish();
}
