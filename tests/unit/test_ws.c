/* Listener, connections and WebSockets over loopback, in one loop. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "common/protocol/ws_frame.h"
#include "tests/unit/fake_transport.h"
#include "worker/engineio/session.h"
#include "worker/transport/listener.h"
#include "worker/transport/ws.h"

#define FLOOD 90	/* the socket's queue takes 100 */

#define UPGRADE                                                     \
	"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"     \
	"Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"   \
	"Sec-WebSocket-Version: 13\r\n"                              \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

/* --- the server: every message comes back --- */

static struct loop *loop;
static struct eio_sessions *sessions;
static struct ws *ws;
static struct listener *listener;
static unsigned short port;
static struct eio_session *latest;
static unsigned closes;
static enum close_reason why;

static void *opened(void *arg, struct eio_session *s)
{
	(void)arg;
	latest = s;
	return s;
}

static void message(void *up, struct slice data, bool binary)
{
	struct buf b = { 0 };

	if (!binary)
		buf_addc(&b, '4');
	buf_add(&b, data.p, data.n);
	eio_session_send(up, buf_slice(&b), binary);
	buf_free(&b);
}

static void confirmed(void *up, uint32_t mark)
{
	(void)up;
	(void)mark;
}

static void closed(void *up, enum close_reason reason)
{
	(void)up;
	closes++;
	why = reason;
}

static int listening_socket(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	cr_assert_eq(listen(fd, 100), 0);
	getsockname(fd, (struct sockaddr *)&a, &n);
	port = ntohs(a.sin_port);
	return fd;
}

static void start(unsigned head_timeout_ms, size_t connections_max)
{
	struct eio_conf c = {
		.instance = 1, .ping_interval_ms = 60000,
		.ping_timeout_ms = 60000, .connect_timeout_ms = 60000,
		.max_payload = 100000, .outbox_limit = 8 << 20,
	};
	struct eio_ops ops = { opened, message, confirmed, closed, NULL };
	struct ws_conf wc = { .max_payload = c.max_payload };
	struct listener_conf lc = {
		.head_timeout_ms = head_timeout_ms,
		.body_timeout_ms = head_timeout_ms,
		.keepalive_timeout_ms = head_timeout_ms,
		.connections_max = connections_max,
		.max_payload = 100000,
	};

	loop = loop_new();
	sessions = eio_sessions_new(loop, &c, &ops);
	ws = ws_new(loop, sessions, &wc);
	listener = listener_new(loop, sessions, ws, &lc);
	listener_add(listener, 0, listening_socket());
}

static void finish(void)
{
	listener_free(&listener);
	eio_sessions_free(&sessions);
	ws_free(&ws);
	loop_free(&loop);
}

/* --- a client --- */

struct client {
	int fd;
	struct buf in;
	bool eof;
	const char *want;	/* for run_until */
	size_t want_n;
};

static struct client dial(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct client c = { .fd = socket(AF_INET, SOCK_STREAM, 0) };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(connect(c.fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return c;
}

static void pull(struct client *c)
{
	char bytes[65536];
	ssize_t n;

	while ((n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		buf_add(&c->in, bytes, (size_t)n);
	if (n == 0 || (n == -1 && errno != EAGAIN))
		c->eof = true;
}

static bool has_wanted(void *arg)
{
	struct client *c = arg;

	pull(c);
	if (c->want == NULL)
		return c->eof;
	for (size_t i = 0; i + c->want_n <= c->in.len; i++) {
		if (memcmp(c->in.p + i, c->want, c->want_n) == 0)
			return true;
	}
	return false;
}

static void expect(struct client *c, const char *want, size_t n)
{
	c->want = want;
	c->want_n = n;
	cr_assert(run_until(loop, has_wanted, c), "\"%s\" did not come; got %.*s",
		  want, (int)c->in.len, c->in.p);
}

static void expect_text(struct client *c, const char *want)
{
	expect(c, want, strlen(want));
}

static void expect_eof(struct client *c)
{
	c->want = NULL;
	cr_assert(run_until(loop, has_wanted, c), "still open");
}

static void say(struct client *c, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(c->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent == -1) {
			cr_assert_eq(errno, EAGAIN);
			run_turn(loop);
			pull(c);
			continue;
		}
		p += sent;
		n -= (size_t)sent;
	}
}

static void say_text(struct client *c, const char *text)
{
	say(c, text, strlen(text));
}

/* A masked frame; final as told. */
static void say_frame(struct client *c, enum ws_opcode op, bool final,
		      const void *p, size_t n)
{
	struct buf b = { 0 };

	ws_frame_masked(&b, op, (struct slice){ p, n }, 0x01020304);
	if (!final)
		b.p[0] = (char)(b.p[0] & 0x7f);
	say(c, b.p, b.len);
	buf_free(&b);
}

static void hang_up(struct client *c)
{
	close(c->fd);
	buf_free(&c->in);
}

static struct client dial_websocket(void)
{
	struct client c = dial();

	say_text(&c, UPGRADE);
	expect_text(&c, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	expect_text(&c, "\"maxPayload\":100000}");
	buf_clear(&c.in);
	return c;
}

static bool closed_once(void *arg)
{
	(void)arg;
	return closes != 0 && ws_count(ws) == 0;
}

/* --- requests --- */

Test(conn, answers_and_closes)
{
	static const struct {
		const char *request, *status, *body;
	} table[] = {
		{ "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
		  "\r\n", "200 OK", "ok" },
		{ "GET / HTTP/1.0\r\nHost: x\r\n\r\n", "404 Not Found", "\n" },
		{ "GET / HTTP/1.1\nHost: x\n\n", "400 Bad Request", "\n" },
		{ "\x16\x03\x01\x02", NULL, NULL },
		{ "POST /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
		  "Host: x\r\nContent-Length: 90000\r\n\r\nxxxx",
		  "400 Bad Request", "Bad handshake method\"}" },
	};

	start(300, 0);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct client c = dial();

		say_text(&c, table[i].request);
		expect_eof(&c);
		if (table[i].status != NULL) {
			cr_assert_not_null(strstr(buf_str(&c.in), table[i].status));
			cr_assert_not_null(strstr(buf_str(&c.in),
						  "Connection: close\r\n"));
			cr_assert_str_eq(c.in.p + c.in.len - strlen(table[i].body),
					 table[i].body);
		}
		hang_up(&c);
	}
	finish();
}

Test(conn, head_in_pieces)
{
	struct client c;

	start(60000, 0);
	c = dial();
	for (const char *p = UPGRADE; *p != '\0'; p++) {
		say(&c, p, 1);
		run_turn(loop);
	}
	expect_text(&c, "101 Switching Protocols");
	expect_text(&c, "0{\"sid\"");
	hang_up(&c);
	finish();
}

Test(conn, head_too_slow_or_too_large)
{
	struct client c, silent;
	char *big = mem_alloc(20000);

	start(50, 0);
	c = dial();
	silent = dial();
	say_text(&c, "GET / HTTP/1.1\r\n");
	expect_eof(&c);
	cr_assert_not_null(strstr(buf_str(&c.in), "408 Request Timeout"));
	hang_up(&c);
	expect_eof(&silent);
	cr_assert_eq(silent.in.len, 0);
	hang_up(&silent);

	memset(big, 'a', 20000);
	c = dial();
	say_text(&c, "GET / HTTP/1.1\r\nHost: x\r\nA: ");
	run_turn(loop);
	say(&c, big, 20000);
	expect_eof(&c);
	cr_assert_not_null(strstr(buf_str(&c.in), "431 "));
	hang_up(&c);
	free(big);
	finish();
}

Test(conn, too_many)
{
	struct client first, second;

	start(60000, 1);
	first = dial_websocket();
	second = dial();
	say_text(&second, UPGRADE);
	expect_eof(&second);
	cr_assert_not_null(strstr(buf_str(&second.in), "503 "));
	hang_up(&second);
	hang_up(&first);
	cr_assert(run_until(loop, closed_once, NULL));
	first = dial_websocket();
	hang_up(&first);
	finish();
}

static size_t descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	cr_assert_not_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static bool all_ended(void *arg)
{
	struct client *c = arg;

	for (size_t i = 0; i < FLOOD; i++) {
		pull(&c[i]);
		if (!c[i].eof)
			return false;
	}
	return true;
}

/* They never close their side, and the goodbye waits for that. */
Test(conn, far_too_many)
{
	struct client first, others[FLOOD];
	size_t before, held;

	start(60000, 1);
	first = dial_websocket();
	before = descriptors();
	for (size_t i = 0; i < FLOOD; i++) {
		others[i] = dial();
		say_text(&others[i], UPGRADE);
	}
	cr_assert(run_until(loop, all_ended, others));
	held = descriptors() - before - FLOOD;
	cr_assert_leq(held, 32, "%zu", held);
	for (size_t i = 0; i < FLOOD; i++) {
		cr_assert_not_null(strstr(buf_str(&others[i].in), "503 "),
				   "%zu", i);
		hang_up(&others[i]);
	}
	hang_up(&first);
	finish();
}

Test(listener, out_of_descriptors)
{
	struct rlimit old, tight;
	struct client c;
	int fds[64];
	size_t n = 0;

	start(60000, 0);
	c = dial();
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	tight = old;
	tight.rlim_cur = (rlim_t)c.fd + 8;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
	while (n < ARRAY_SIZE(fds) && (fds[n] = dup(c.fd)) != -1)
		n++;
	say_text(&c, UPGRADE);
	run_for(loop, 30);
	pull(&c);
	cr_assert_eq(c.in.len, 0);
	while (n > 0)
		close(fds[--n]);
	expect_text(&c, "0{\"sid\"");	/* after the pause */
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	hang_up(&c);
	finish();
}

Test(listener, lent_and_taken_back)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct client own, lent;
	unsigned short own_port;
	int fd;

	start(60000, 0);
	own_port = port;
	cr_expect(listener_add(listener, 7, listening_socket()));
	cr_expect_not(listener_add(listener, 7, dup(STDERR_FILENO)));
	lent = dial_websocket();
	listener_remove(listener, 7);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons(port);
	cr_assert_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), -1);
	close(fd);
	port = own_port;
	own = dial_websocket();
	say_frame(&lent, WS_TEXT, true, "4x", 2);
	expect(&lent, "\x81\x02" "4x", 4);
	listener_drain(listener);
	say_frame(&own, WS_TEXT, true, "4y", 2);
	expect(&own, "\x81\x02" "4y", 4);
	hang_up(&own);
	hang_up(&lent);
	finish();
}

/* --- WebSockets --- */

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
	cr_assert_eq(why, CLOSE_CLIENT);
	finish();
}

Test(ws, all_packets_of_a_turn_in_order)
{
	struct client c;

	start(60000, 0);
	c = dial_websocket();
	for (int i = 0; i < 50; i++) {
		char text[16];

		eio_session_send(latest, (struct slice){
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
	cr_assert_eq(why, CLOSE_TOO_LARGE);
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
	eio_session_send(latest, SLICE("441"), false);
	eio_session_close(latest, CLOSE_SERVER);
	expect(&c, "\x81\x03" "441\x88\x00", 7);
	cr_assert_eq(closes, 1);
	cr_assert_eq(ws_count(ws), 1, "awaits the client's close frame");
	say_frame(&c, WS_TEXT, true, "4late", 5);
	say_frame(&c, WS_CLOSE, true, "", 0);
	expect_eof(&c);
	cr_assert(run_until(loop, closed_once, NULL));
	cr_assert_eq(closes, 1);
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
	cr_assert_eq(closes, 1);
	cr_assert_eq(why, CLOSE_CLIENT);
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

		closes = 0;
		say(&c, table[i].bytes, table[i].n);
		shutdown(c.fd, SHUT_WR);
		expect_eof(&c);
		cr_assert(run_until(loop, closed_once, NULL), "%zu", i);
		cr_assert_eq(closes, 1);
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
		eio_session_send(latest, (struct slice){ text, SIZE }, true);
		if (i % 10 == 0)
			run_turn(loop);
	}
	run_for(loop, 20);
	cr_assert_eq(closes, 0);
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
		eio_session_send(latest, (struct slice){ text, 1 << 20 }, true);
		run_turn(loop);
	}
	setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(c.fd);
	eio_session_send(latest, SLICE("4x"), false);
	cr_assert(run_until(loop, closed_once, NULL));
	cr_assert_eq(why, CLOSE_CLIENT);
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
		closes = 0;
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
