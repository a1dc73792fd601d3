#include "tests/unit/ws_echo.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct loop *loop;
struct eio_sessions *sessions;
struct ws *ws;
struct listener *listener;
unsigned short port;

int listening_socket(void)
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

void start(unsigned head_timeout_ms, size_t connections_max)
{
	struct eio_conf c = {
		.instance = 1, .ping_interval_ms = 60000,
		.ping_timeout_ms = 60000, .connect_timeout_ms = 60000,
		.max_payload = 100000, .outbox_limit = 8 << 20,
	};
	struct eio_ops ops = eio_echo_begin();
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

void finish(void)
{
	listener_free(&listener);
	eio_sessions_free(&sessions);
	ws_free(&ws);
	loop_free(&loop);
	eio_echo_end();
}

struct client dial(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct client c = { .fd = socket(AF_INET, SOCK_STREAM, 0) };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(connect(c.fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return c;
}

void pull(struct client *c)
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

void expect(struct client *c, const char *want, size_t n)
{
	c->want = want;
	c->want_n = n;
	cr_assert(run_until(loop, has_wanted, c), "\"%s\" did not come; got %.*s",
		  want, (int)c->in.len, c->in.p);
}

void expect_text(struct client *c, const char *want)
{
	expect(c, want, strlen(want));
}

void expect_eof(struct client *c)
{
	c->want = NULL;
	cr_assert(run_until(loop, has_wanted, c), "still open");
}

void say(struct client *c, const char *p, size_t n)
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

void say_text(struct client *c, const char *text)
{
	say(c, text, strlen(text));
}

void say_frame(struct client *c, enum ws_opcode op, bool final,
		      const void *p, size_t n)
{
	struct buf b = { 0 };

	ws_frame_masked(&b, op, (struct slice){ p, n }, 0x01020304);
	if (!final)
		b.p[0] = (char)(b.p[0] & 0x7f);
	say(c, b.p, b.len);
	buf_free(&b);
}

void hang_up(struct client *c)
{
	close(c->fd);
	buf_free(&c->in);
}

struct client dial_websocket(void)
{
	struct client c = dial();

	say_text(&c, UPGRADE);
	expect_text(&c, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	expect_text(&c, "\"maxPayload\":100000}");
	buf_clear(&c.in);
	return c;
}

bool closed_once(void *arg)
{
	(void)arg;
	return echoed.closes != 0 && ws_count(ws) == 0;
}
