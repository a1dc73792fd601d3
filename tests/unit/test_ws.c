/* WebSockets over loopback. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "tests/unit/ws_echo.h"

Test(ws, frames_come_back)
{
	struct client c;

	start(60000, 0);
	c = dial_websocket();
	say_frame(&c, WS_TEXT, true, "4hello", 6);
	expect(&c, "\x81\x06" "4hello", 8);
	say_frame(&c, WS_BINARY, true, "\0\1\2", 3);
	expect(&c, "\x82\x03\0\1\2", 5);
	/* fragments, a ping between them, an empty one */
	buf_clear(&c.in);
	say_frame(&c, WS_TEXT, false, "4ab", 3);
	say_frame(&c, WS_PING, true, "p", 1);
	say_frame(&c, WS_CONTINUATION, false, "", 0);
	say_frame(&c, WS_CONTINUATION, true, "cd", 2);
	expect(&c, "\x8a\x01p", 3);
	expect(&c, "\x81\x05" "4abcd", 7);
	hang_up(&c);
	cr_assert(run_until(loop, closed_once, NULL));
	cr_assert_eq(echoed.why, CLOSE_CLIENT);
	finish();
}

Test(ws, all_packets_of_a_turn_in_order)
{
	struct client c;

	start(60000, 0);
	c = dial_websocket();
	for (int i = 0; i < 50; i++) {
		char text[16];

		eio_session_send(echoed.latest, (struct slice){
			text, (size_t)snprintf(text, sizeof(text), "4%d", i) },
			false);
	}
	expect(&c, "\x81\x03" "449", 5);
	cr_assert_eq(c.in.len, 10 * 4 + 40 * 5);
	hang_up(&c);
	finish();
}

Test(ws, sizes)
{
	static const size_t sizes[] = {
		125, 126, 255, 256, 257, 272, 511, 512, 513, 4096, 65535, 65536,
		65537, 99999, 100000,
	};
	struct client c;

	start(60000, 0);
	c = dial_websocket();
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct buf want = { 0 };
		char *text = mem_alloc(sizes[i]);

		memset(text, 'a' + (int)i, sizes[i]);
		text[0] = '4';
		ws_frame_head(&want, WS_TEXT, sizes[i]);
		buf_add(&want, text, sizes[i]);
		buf_clear(&c.in);
		say_frame(&c, WS_TEXT, true, text, sizes[i]);
		expect(&c, want.p, want.len);
		cr_assert_eq(c.in.len, want.len);
		buf_free(&want);
		free(text);
	}
	hang_up(&c);
	finish();
}

Test(ws, too_large)
{
	struct client c;
	char *text = mem_alloc(100001);

	memset(text, '4', 100001);
	start(60000, 0);
	c = dial_websocket();
	say_frame(&c, WS_TEXT, true, text, 100001);
	expect(&c, "\x88\x02\x03\xf1", 4);
	cr_assert_eq(echoed.why, CLOSE_TOO_LARGE);
	say_frame(&c, WS_CLOSE, true, "\x03\xf1", 2);
	expect_eof(&c);
	hang_up(&c);

	/* announced, not sent */
	c = dial_websocket();
	say(&c, "\x81\xff\0\0\0\0\0\1\x86\xa1" "\0\0\0\0", 14);
	say(&c, text, 300);
	expect(&c, "\x88\x02\x03\xf1", 4);
	hang_up(&c);

	c = dial_websocket();
	for (int i = 0; i < 3; i++)
		say_frame(&c, WS_TEXT + (i != 0 ? -1 : 0), false, text, 40000);
	expect(&c, "\x88\x02\x03\xf1", 4);
	hang_up(&c);
	free(text);
	finish();
}

Test(ws, the_server_closes)
{
	struct client c;

	start(60000, 0);
	c = dial_websocket();
	eio_session_send(echoed.latest, SLICE("441"), false);
	eio_session_close(echoed.latest, CLOSE_SERVER);
	expect(&c, "\x81\x03" "441\x88\x00", 7);
	cr_assert_eq(echoed.closes, 1);
	cr_assert_eq(ws_count(ws), 1, "awaits the client's close frame");
	say_frame(&c, WS_TEXT, true, "4late", 5);
	say_frame(&c, WS_CLOSE, true, "", 0);
	expect_eof(&c);
	cr_assert(run_until(loop, closed_once, NULL));
	cr_assert_eq(echoed.closes, 1);
	cr_assert_eq(c.in.len, 7, "one close frame");
	hang_up(&c);
	finish();
}

Test(ws, the_client_closes)
{
	struct client c;

	start(60000, 0);
	c = dial_websocket();
	say_frame(&c, WS_CLOSE, true, "\x03\xe8", 2);
	expect(&c, "\x88\x02\x03\xe8", 4);
	expect_eof(&c);
	cr_assert_eq(echoed.closes, 1);
	cr_assert_eq(echoed.why, CLOSE_CLIENT);
	hang_up(&c);
	finish();
}

/* What libwebsockets refuses by itself. */
Test(ws, broken_frames)
{
	static const struct {
		const char *bytes;
		size_t n;
	} table[] = {
		{ "\x83\x80\0\0\0\0", 6 },		/* opcode 3 */
		{ "\x80\x80\0\0\0\0", 6 },		/* continues nothing */
		{ "\xc1\x80\0\0\0\0", 6 },		/* RSV1 */
		{ "\x09\x80\0\0\0\0", 6 },		/* fragmented ping */
		{ "\x89\xfe\0\xff\0\0\0\0", 8 },	/* long ping */
		{ "\x81\x83\0\0\0\0" "4\xff\xfe", 9 },	/* UTF-8 */
		{ "\x81\x82\0\0\0\0" "4\xc3", 8 },
		{ "\x81\xff\xff\0\0\0\0\0\0\0\0\0\0\0", 14 },
	};

	start(60000, 0);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct client c = dial_websocket();

		echoed.closes = 0;
		say(&c, table[i].bytes, table[i].n);
		shutdown(c.fd, SHUT_WR);
		expect_eof(&c);
		cr_assert(run_until(loop, closed_once, NULL), "%zu", i);
		cr_assert_eq(echoed.closes, 1);
		hang_up(&c);
	}
	finish();
}

Test(ws, early_frames)
{
	struct client c;
	struct buf b = { 0 };
	char text[3000];

	memset(text, '4', sizeof(text));
	start(60000, 0);
	c = dial();
	buf_adds(&b, UPGRADE);
	ws_frame_masked(&b, WS_TEXT, (struct slice){ text, sizeof(text) }, 7);
	ws_frame_masked(&b, WS_TEXT, SLICE("4last"), 8);
	say(&c, b.p, b.len);
	expect(&c, "\x81\x05" "4last", 7);
	cr_assert_gt(c.in.len, sizeof(text));
	buf_free(&b);
	hang_up(&c);
	finish();
}

/* A client that does not read: our side keeps the rest, in order. */
Test(ws, slow_reader_gets_everything)
{
	enum { COUNT = 100, SIZE = 60000 };
	struct client c;
	char *text = mem_alloc(SIZE);

	start(60000, 0);
	c = dial_websocket();
	for (int i = 0; i < COUNT; i++) {
		memset(text, 'A' + i % 26, SIZE);
		eio_session_send(echoed.latest, (struct slice){ text, SIZE }, true);
		if (i % 10 == 0)
			run_turn(loop);
	}
	run_for(loop, 20);
	cr_assert_eq(echoed.closes, 0);
	cr_assert_gt(stats_get(STAT_outbox_bytes), SIZE,
		     "what the stream does not take stays ours");
	memset(text, 'A' + (COUNT - 1) % 26, SIZE);
	expect(&c, text, SIZE);
	while (c.in.len < (size_t)COUNT * (SIZE + 4)) {
		run_turn(loop);
		pull(&c);
	}
	for (int i = 0; i < COUNT; i++) {
		const char *frame = c.in.p + (size_t)i * (SIZE + 4);

		cr_assert_eq(memcmp(frame, "\x82\x7e\xea\x60", 4), 0, "%d", i);
		cr_assert_eq(frame[4], 'A' + i % 26, "%d", i);
		cr_assert_eq(frame[SIZE + 3], 'A' + i % 26, "%d", i);
	}
	hang_up(&c);
	free(text);
	finish();
}

Test(ws, reset_while_writing)
{
	struct linger hard = { .l_onoff = 1 };
	struct client c;
	char *text = mem_zalloc(1 << 20);

	start(60000, 0);
	c = dial_websocket();
	for (int i = 0; i < 6; i++) {
		eio_session_send(echoed.latest, (struct slice){ text, 1 << 20 }, true);
		run_turn(loop);
	}
	setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(c.fd);
	eio_session_send(echoed.latest, SLICE("4x"), false);
	cr_assert(run_until(loop, closed_once, NULL));
	cr_assert_eq(echoed.why, CLOSE_CLIENT);
	free(text);
	buf_free(&c.in);
	finish();
}

Test(ws, many_come_and_go)
{
	struct client c[100];

	start(60000, 0);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(c); i++)
			c[i] = dial_websocket();
		cr_assert_eq(ws_count(ws), ARRAY_SIZE(c));
		cr_assert_eq(eio_sessions_count(sessions), ARRAY_SIZE(c));
		for (size_t i = 0; i < ARRAY_SIZE(c); i++)
			hang_up(&c[i]);
		echoed.closes = 0;
		cr_assert(run_until(loop, closed_once, NULL));
	}
	finish();
}

/* Low and high descriptors are on different contexts of libwebsockets, made
 * when the first of them comes. */
Test(ws, descriptors_low_and_high)
{
	struct rlimit limit;
	struct client low, high[2];
	static int fds[2100];
	size_t n = 0;

	start(60000, 0);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < 2200)
		cr_skip_test("too few descriptors");
	low = dial_websocket();
	do
		cr_assert_neq(fds[n] = dup(STDERR_FILENO), -1);
	while (fds[n++] < 2048);
	for (int i = 0; i < 2; i++)
		high[i] = dial_websocket();
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_expect_eq(limit.rlim_cur, limit.rlim_max, "as it was");
	say_frame(&high[1], WS_TEXT, true, "4x", 2);
	expect(&high[1], "\x81\x02" "4x", 4);
	say_frame(&low, WS_TEXT, true, "4y", 2);
	expect(&low, "\x81\x02" "4y", 4);
	hang_up(&high[0]);
	hang_up(&high[1]);
	hang_up(&low);
	while (n > 0)
		close(fds[--n]);
	low = dial_websocket();
	say_frame(&low, WS_TEXT, true, "4z", 2);
	expect(&low, "\x81\x02" "4z", 4);
	hang_up(&low);
	finish();
}
