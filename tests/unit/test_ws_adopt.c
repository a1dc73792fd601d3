/* WebSockets from their request on: of new sessions and of moving ones, large
 * and fragmented messages, permessage-deflate. Over loopback, in one loop. */
#include "config.h"	/* accept4, memmem, strcasestr */

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "common/protocol/ws_frame.h"
#include "tests/unit/eio_echo.h"
#include "tests/unit/fake_transport.h"
#include "worker/transport/ws.h"
#include "worker/transport/ws_deflate.h"

#define MAX 100000
#define MORE 0x100	/* not the message's last frame */
#define PACKED 0x40	/* RSV1 */
#define DEFLATE_FIELD "Sec-WebSocket-Extensions: " WS_DEFLATE_ANSWER "\r\n"

/* --- the server: every message comes back --- */

static struct loop *loop;
static struct eio_sessions *sessions;
static struct ws *ws;
static struct fake_transport polling;
static struct ws_deflate *codec;	/* the client's */

static void start(bool deflate)
{
	struct eio_conf c = {
		.instance = 1, .ping_interval_ms = 60000,
		.ping_timeout_ms = 60000, .connect_timeout_ms = 60000,
		.upgrade_timeout_ms = 60000, .max_payload = MAX,
		.outbox_limit = 8 << 20,
	};
	struct eio_ops ops = eio_echo_begin();
	struct ws_conf wc = { .max_payload = MAX, .deflate = deflate };

	loop = loop_new();
	sessions = eio_sessions_new(loop, &c, &ops);
	ws = ws_new(loop, sessions, &wc);
	fake_transport_init(&polling, true);
	codec = ws_deflate_new();
}

static void finish(void)
{
	eio_sessions_free(&sessions);
	ws_free(&ws);
	fake_transport_free(&polling);
	ws_deflate_free(&codec);
	loop_free(&loop);
	eio_echo_end();
}

/* --- the client --- */

struct client {
	int fd;
	struct buf in;
	bool eof;
	struct slice want;	/* for run_until; empty: the end */
};

static struct client adopt(struct eio_session *s, const char *extensions,
			   struct slice early)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof(a);
	struct client c = { .fd = socket(AF_INET, SOCK_STREAM, 0) };
	int at = socket(AF_INET, SOCK_STREAM, 0), fd;
	struct ws_upgrade u = {
		.key = SLICE("dGhlIHNhbXBsZSBub25jZQ=="), .session = s,
		.extensions = { extensions, strlen(extensions) },
		.early = early,
	};

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(bind(at, (struct sockaddr *)&a, n), 0);
	cr_assert_eq(listen(at, 1), 0);
	getsockname(at, (struct sockaddr *)&a, &n);
	cr_assert_eq(connect(c.fd, (struct sockaddr *)&a, n), 0);
	fd = accept4(at, NULL, NULL, SOCK_NONBLOCK);
	cr_assert_neq(fd, -1);
	close(at);
	ws_adopt(ws, fd, &u);
	return c;
}

static void hang_up(struct client *c)
{
	close(c->fd);
	buf_free(&c->in);
}

static bool arrived(void *arg)
{
	struct client *c = arg;
	char bytes[65536];
	ssize_t n;

	while ((n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		buf_add(&c->in, bytes, (size_t)n);
	if (n == 0 || (n == -1 && errno != EAGAIN))
		c->eof = true;
	return c->want.n == 0 ? c->eof
	       : c->in.len != 0 && memmem(c->in.p, c->in.len, c->want.p,
					  c->want.n) != NULL;
}

/* Everything up to it is dropped. */
static void expect(struct client *c, struct slice want)
{
	const char *at;

	c->want = want;
	cr_assert(run_until(loop, arrived, c), "\"%.*s\" did not come; got %.*s",
		  (int)want.n, want.p, (int)c->in.len, c->in.p);
	if (want.n != 0) {
		at = memmem(c->in.p, c->in.len, want.p, want.n);
		buf_consume(&c->in, (size_t)(at - c->in.p) + want.n);
	}
}

static void expect_end(struct client *c)
{
	expect(c, (struct slice){ 0 });
}

/* A masked frame. how: WS_TEXT..., perhaps with MORE and PACKED. */
static void say(struct client *c, int how, struct slice payload)
{
	struct buf b = { 0 };
	const char *p;
	size_t left;

	ws_frame_masked(&b, (enum ws_opcode)(how & 0xf), payload, 0x01020304);
	if (how & MORE)
		b.p[0] = (char)(b.p[0] & 0x7f);
	b.p[0] = (char)(b.p[0] | (how & PACKED));
	for (p = b.p, left = b.len; left > 0;) {
		ssize_t n = send(c->fd, p, left, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			p += n;
			left -= (size_t)n;
		} else {
			cr_assert_eq(errno, EAGAIN);
			run_turn(loop);
		}
	}
	buf_free(&b);
}

/* --- adoption --- */

Test(ws_adopt, session_is_there_when_it_returns)
{
	struct client c;

	start(false);
	c = adopt(NULL, "", (struct slice){ 0 });
	cr_assert_eq(eio_sessions_count(sessions), 1);
	cr_assert_eq(ws_count(ws), 1);
	expect(&c, SLICE("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
	expect(&c, SLICE("\"upgrades\":[]"));
	hang_up(&c);
	finish();
}

Test(ws_adopt, moves_a_session)
{
	struct eio_session *s;
	struct client c;

	start(false);
	s = eio_session_open(sessions, &polling.t);
	run_turn(loop);
	fake_transport_take(&polling);
	c = adopt(s, "", SLICE("\x81\x86\0\0\0\0" "2probe"));
	expect(&c, SLICE("\r\n\r\n\x81\x06" "3probe"));
	cr_assert_str_eq(fake_transport_take(&polling), "6\n");
	say(&c, WS_TEXT, SLICE("5"));
	say(&c, WS_TEXT, SLICE("4hello"));
	expect(&c, SLICE("\x81\x06" "4hello"));
	cr_assert(polling.left);
	cr_assert_eq(eio_sessions_count(sessions), 1);
	cr_assert_str_eq(eio_session_transport_name(s), "websocket");
	hang_up(&c);
	finish();
}

static bool no_websocket(void *arg)
{
	(void)arg;
	return ws_count(ws) == 0;
}

/* 101, then a close frame without a code; the session does not notice. */
Test(ws_adopt, refuses_what_cannot_move)
{
	struct client first, second;
	struct eio_session *s;

	start(false);
	s = eio_session_open(sessions, &polling.t);
	first = adopt(s, "", (struct slice){ 0 });
	second = adopt(s, "", SLICE("\x81\x81\0\0\0\0" "5"));
	expect(&second, SLICE("101 Switching Protocols"));
	expect(&second, SLICE("\r\n\r\n\x88\x00"));
	say(&second, WS_CLOSE, SLICE(""));
	expect_end(&second);
	hang_up(&second);
	say(&first, WS_TEXT, SLICE("2probe"));
	expect(&first, SLICE("\x81\x06" "3probe"));
	/* and what is no probe closes the WebSocket alone */
	say(&first, WS_TEXT, SLICE("4x"));
	expect(&first, SLICE("\x88\x00"));
	hang_up(&first);
	cr_assert(run_until(loop, no_websocket, NULL));
	cr_assert_eq(echoed.closes, 0);
	cr_assert_eq(eio_session_transport(s), &polling.t);
	finish();
}

Test(ws_adopt, too_large_a_probe)
{
	char *text = mem_zalloc(MAX + 1);
	struct eio_session *s;
	struct client c;

	start(false);
	s = eio_session_open(sessions, &polling.t);
	c = adopt(s, "", (struct slice){ 0 });
	say(&c, WS_TEXT, (struct slice){ text, MAX + 1 });
	expect(&c, SLICE("\x88\x02\x03\xf1"));
	cr_assert_eq(echoed.closes, 0);
	cr_assert_eq(eio_session_transport(s), &polling.t);
	hang_up(&c);
	free(text);
	finish();
}

/* --- sizes --- */

/* The parts of a message, each a frame; "p" is a ping between them. */
static void say_parts(struct client *c, int op, const size_t *parts, bool pings,
		      char fill)
{
	char *text = mem_alloc(MAX + 1);

	memset(text, fill, MAX + 1);
	for (size_t i = 0; parts[i] != SIZE_MAX; i++) {
		bool last = parts[i + 1] == SIZE_MAX;

		say(c, (i == 0 ? op : WS_CONTINUATION) | (last ? 0 : MORE),
		    (struct slice){ text, parts[i] });
		if (pings && !last)
			say(c, WS_PING, SLICE("p"));
	}
	free(text);
}

Test(ws_adopt, maximum_counts_the_whole_message)
{
	static const struct {
		size_t parts[6];
		bool fits;
	} table[] = {
		{ { MAX, SIZE_MAX }, true },
		{ { MAX + 1, SIZE_MAX }, false },
		{ { MAX / 2, MAX / 2, SIZE_MAX }, true },
		{ { MAX / 2, MAX / 2 + 1, SIZE_MAX }, false },
		{ { 0, MAX, SIZE_MAX }, true },
		{ { 0, MAX + 1, SIZE_MAX }, false },
		{ { MAX, 0, SIZE_MAX }, true },
		{ { MAX, 1, SIZE_MAX }, false },
		{ { MAX, 0, 0, 1, SIZE_MAX }, false },
		{ { 1, MAX - 1, 0, SIZE_MAX }, true },
		{ { 300, 257, 256, 255, MAX - 1068, SIZE_MAX }, true },
		{ { 300, 257, 256, 255, MAX - 1067, SIZE_MAX }, false },
	};

	start(false);
	for (size_t i = 0; i < ARRAY_SIZE(table) * 4; i++) {
		size_t row = i / 4;
		bool text = (i & 1) != 0, pings = (i & 2) != 0;
		struct client c = adopt(NULL, "", (struct slice){ 0 });
		unsigned before = echoed.messages;

		say_parts(&c, text ? WS_TEXT : WS_BINARY, table[row].parts,
			  pings, '4');
		if (table[row].fits) {
			expect(&c, text ? SLICE("\x81\x7f\0\0\0\0\0\1\x86\xa0")
					: SLICE("\x82\x7f\0\0\0\0\0\1\x86\xa0"));
			cr_assert_eq(echoed.messages, before + 1);
		} else {
			expect(&c, SLICE("\x88\x02\x03\xf1"));
			cr_assert_eq(echoed.messages, before);
			cr_assert_eq(echoed.why, CLOSE_TOO_LARGE);
		}
		hang_up(&c);
	}
	finish();
}

/* --- permessage-deflate --- */

static struct client adopt_deflating(void)
{
	struct client c = adopt(NULL, "permessage-deflate; "
				      "client_max_window_bits",
				(struct slice){ 0 });

	expect(&c, SLICE(DEFLATE_FIELD));
	expect(&c, SLICE("\"maxPayload\":100000}"));
	return c;
}

Test(ws_deflate, negotiated_when_both_want_it)
{
	static const struct {
		bool on;
		const char *offer;
		bool agreed;
	} table[] = {
		{ true, "permessage-deflate; client_max_window_bits", true },
		{ true, "permessage-deflate; server_max_window_bits=9, "
			"permessage-deflate", true },
		{ true, "permessage-deflate; server_max_window_bits=9", false },
		{ true, "permessage-deflate; mem_level=9", false },
		{ true, "", false },
		{ false, "permessage-deflate; client_max_window_bits", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct buf packed = { 0 };
		struct client c;

		start(table[i].on);
		c = adopt(NULL, table[i].offer, (struct slice){ 0 });
		c.want = SLICE("\"maxPayload\":");
		cr_assert(run_until(loop, arrived, &c));
		cr_assert_eq(strstr(buf_str(&c.in), DEFLATE_FIELD) != NULL,
			     table[i].agreed, "%zu", i);
		cr_assert_eq(strcasestr(buf_str(&c.in), "extensions") != NULL,
			     table[i].agreed, "%zu", i);
		buf_clear(&c.in);
		/* without it, RSV1 is an error of the frame */
		ws_deflate_pack(codec, SLICE("42"), &packed);
		say(&c, WS_TEXT | PACKED, buf_slice(&packed));
		buf_free(&packed);
		if (table[i].agreed)
			expect(&c, SLICE("\x81\x02" "42"));
		else
			expect(&c, SLICE("\x88\x0a\x03\xea"));
		hang_up(&c);
		finish();
	}
}

/* The next frame that is no pong, and whether it is compressed. */
static void take_frame(struct client *c, struct buf *payload, bool *packed)
{
	struct ws_frame f;
	long used = 0;

	buf_clear(payload);
	c->want = (struct slice){ 0 };
	while (used == 0) {
		arrived(c);
		*packed = c->in.len != 0 && (c->in.p[0] & PACKED) != 0;
		if (*packed)
			c->in.p[0] = (char)(c->in.p[0] & ~PACKED);
		used = ws_frame_parse(buf_slice(&c->in), 2 * MAX, &f);
		cr_assert_geq(used, 0);
		if (used > 0 && f.op != WS_PONG)
			buf_add(payload, f.payload.p, f.payload.n);
		else if (used == 0 && *packed)
			c->in.p[0] = (char)(c->in.p[0] | PACKED);
		buf_consume(&c->in, (size_t)used);
		if (used > 0 && f.op == WS_PONG)
			used = 0;
		else if (used == 0)
			run_turn(loop);
		cr_assert_not(c->eof);
	}
}

static void expect_message(struct client *c, struct slice want, bool packed)
{
	struct buf got = { 0 }, plain = { 0 };
	bool is_packed;

	take_frame(c, &got, &is_packed);
	cr_assert_eq(is_packed, packed);
	if (packed) {
		cr_assert_lt(got.len, want.n);
		cr_assert_eq(ws_deflate_unpack(codec, buf_slice(&got), MAX,
					       &plain), 0);
	} else {
		buf_add(&plain, got.p, got.len);
	}
	cr_assert_eq(plain.len, want.n);
	cr_assert_eq(memcmp(plain.p, want.p, want.n), 0);
	buf_free(&got);
	buf_free(&plain);
}

Test(ws_deflate, echoes)
{
	static const size_t sizes[] = {
		1, 2, 255, 256, 257, 511, 512, 1023, 1024, 1025, 4096, 65535,
		65536, 99999, MAX,
	};
	struct buf packed = { 0 };
	struct client c;

	start(true);
	c = adopt_deflating();
	for (size_t i = 0; i < ARRAY_SIZE(sizes) * 4; i++) {
		size_t n = sizes[i / 4];
		bool text = (i & 1) != 0, plain = (i & 2) != 0;
		int op = text ? WS_TEXT : WS_BINARY;
		struct slice s = { mem_alloc(n), n };

		for (size_t k = 0; k < n; k++)
			((char *)s.p)[k] = k == 0 ? '4' : (char)('a' + k * k % 19);
		ws_deflate_pack(codec, s, &packed);
		if (plain) {
			say(&c, op, s);
		} else if (packed.len > 3) {	/* in two, a ping between */
			say(&c, op | PACKED | MORE,
			    (struct slice){ packed.p, 3 });
			say(&c, WS_PING, SLICE(""));
			say(&c, WS_CONTINUATION, (struct slice){
				packed.p + 3, packed.len - 3 });
		} else {
			say(&c, op | PACKED, buf_slice(&packed));
		}
		expect_message(&c, s, n >= WS_DEFLATE_MIN);
		free((char *)s.p);
	}
	buf_free(&packed);
	hang_up(&c);
	finish();
}

static uint32_t noise(uint32_t *x)
{
	return *x = *x * 1664525 + 1013904223;
}

/* What does not get smaller goes as it is; to us it may come packed anyhow. */
Test(ws_deflate, incompressible)
{
	struct buf packed = { 0 };
	char *bytes = mem_alloc(MAX);
	uint32_t x = 1;
	struct client c;

	start(true);
	c = adopt_deflating();
	for (size_t i = 0; i < MAX; i++)
		bytes[i] = (char)(noise(&x) >> 24);
	ws_deflate_pack(codec, (struct slice){ bytes, MAX }, &packed);
	cr_assert_gt(packed.len, MAX);
	say(&c, WS_BINARY | PACKED, buf_slice(&packed));
	expect_message(&c, (struct slice){ bytes, MAX }, false);
	buf_free(&packed);
	hang_up(&c);
	free(bytes);
	finish();
}

Test(ws_deflate, bombs)
{
	static const size_t sizes[] = { MAX + 1, 10 * MAX, 64 << 20 };
	struct buf packed = { 0 };
	char *zeros = mem_zalloc(64 << 20);

	start(true);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct client c = adopt_deflating();
		struct slice all = { zeros, sizes[i] };

		ws_deflate_pack(codec, all, &packed);
		say(&c, WS_BINARY | PACKED, buf_slice(&packed));
		expect(&c, SLICE("\x88\x02\x03\xf1"));
		cr_assert_eq(echoed.why, CLOSE_TOO_LARGE);
		hang_up(&c);
	}
	/* an honest one, and it still works */
	ws_deflate_pack(codec, (struct slice){ zeros, MAX }, &packed);
	struct client c = adopt_deflating();
	say(&c, WS_BINARY | PACKED, buf_slice(&packed));
	expect_message(&c, (struct slice){ zeros, MAX }, true);
	hang_up(&c);
	free(zeros);
	buf_free(&packed);
	cr_assert_eq(echoed.messages, 1);
	finish();
}

Test(ws_deflate, broken)
{
	static const struct {
		int how;
		struct slice payload;
	} table[] = {
		{ WS_TEXT | PACKED, SLICE("\xff\xff") },
		{ WS_TEXT | PACKED, SLICE("\xf2\x48\xcd") },
		{ WS_BINARY | PACKED, SLICE("\x06") },
		/* libwebsockets' own extension fails an assertion on it */
		{ WS_BINARY | PACKED, SLICE("\x4a\x1c\x05\xa3\x00") },
		{ WS_TEXT, SLICE("4\xff\xfe") },	/* UTF-8 */
		{ WS_TEXT, SLICE("4\xe2\x82") },
		/* "4", 0xff */
		{ WS_TEXT | PACKED, SLICE("\x00\x02\x00\xfd\xff" "4\xff\x00") },
	};

	start(true);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct client c = adopt_deflating();

		echoed.closes = 0;
		say(&c, table[i].how, table[i].payload);
		expect(&c, SLICE("\x88\x00"));
		cr_assert_eq(echoed.closes, 1, "%zu", i);
		cr_assert_eq(echoed.why, CLOSE_PARSE, "%zu", i);
		hang_up(&c);
	}
	cr_assert_eq(echoed.messages, 0);
	finish();
}
