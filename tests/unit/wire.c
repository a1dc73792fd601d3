#define _GNU_SOURCE	/* accept4, memmem */
#include "tests/unit/wire.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/ipc/stats.h"
#include "worker/transport/handover.h"
#include "worker/transport/ws.h"

struct wire wire;

static void hand_over(void *arg, uint32_t owner, int fd,
		      const struct conn_origin *from, struct slice read)
{
	(void)arg;
	wire.owner = owner;
	wire.home = from->home;
	wire.given_fd = fd;
	buf_clear(&wire.given);
	buf_add(&wire.given, read.p, read.n);
}

static unsigned ms(unsigned value)
{
	return value != 0 ? value : 60000;
}

void wire_start(const struct wire_conf *c)
{
	size_t max = c->max_payload != 0 ? c->max_payload : 100000;
	struct eio_conf eio = {
		.instance = 1, .ping_interval_ms = ms(c->ping_interval),
		.ping_timeout_ms = ms(c->ping_timeout),
		.connect_timeout_ms = 600000, .upgrade_timeout_ms = 600000,
		.max_payload = max, .outbox_limit = 64 << 20,
	};
	struct eio_ops ops = eio_echo_begin();
	struct ws_conf wc = { .max_payload = max };
	struct listener_conf lc = {
		.head_timeout_ms = ms(c->head),
		.body_timeout_ms = ms(c->body),
		.keepalive_timeout_ms = ms(c->idle),
		.max_payload = max, .instance = 1,
	};

	struct sockaddr_in a = { .sin_family = AF_INET };

	wire.loop = loop_new();
	wire.sessions = eio_sessions_new(wire.loop, &eio, &ops);
	wire.ws = ws_new(wire.loop, wire.sessions, &wc);
	conns_init(&wire.conns, wire.loop, wire.sessions, wire.ws, &lc, 1000);
	if (c->hand_over)
		wire.conns.hand_over = hand_over;
	wire.listening = socket(AF_INET, SOCK_STREAM, 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(bind(wire.listening, (struct sockaddr *)&a, sizeof(a)), 0);
	cr_assert_eq(listen(wire.listening, 100), 0);
}

void wire_finish(void)
{
	conns_free(&wire.conns);
	cr_assert_eq(wire.conns.count, 0);
	eio_sessions_free(&wire.sessions);
	ws_free(&wire.ws);
	loop_free(&wire.loop);
	close(wire.listening);
	eio_echo_end();
	buf_free(&wire.given);
	cr_assert_eq(stats_get(STAT_connections), 0);
	cr_assert_eq(stats_get(STAT_sessions), 0);
	cr_assert_eq(stats_get(STAT_sessions_polling), 0);
	cr_assert_eq(stats_get(STAT_outbox_bytes), 0);
}

struct client dial(void)
{
	static const struct net_addr nobody;
	struct client c = { .fd = socket(AF_INET, SOCK_STREAM, 0) };
	struct sockaddr_in a;
	socklen_t n = sizeof(a);
	int fd, one = 1;

	/* what is said is there when the loop looks */
	setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	getsockname(wire.listening, (struct sockaddr *)&a, &n);
	cr_assert_eq(connect(c.fd, (struct sockaddr *)&a, sizeof(a)), 0);
	fd = accept4(wire.listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	cr_assert_neq(fd, -1);
	conn_new(&wire.conns, fd, &nobody);
	return c;
}

void hang_up(struct client *c)
{
	close(c->fd);
	buf_free(&c->in);
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

void say(struct client *c, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(c->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent == -1) {
			if (errno != EAGAIN)	/* it has heard enough */
				return;
			run_turn(wire.loop);
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

/* Length of the answer at the start of c->in, or 0. */
static size_t whole_answer(struct client *c, size_t *head_out)
{
	const char *end, *field;
	size_t body = 0;

	pull(c);
	end = c->in.len != 0 ? memmem(c->in.p, c->in.len, "\r\n\r\n", 4) : NULL;
	if (end == NULL)
		return 0;
	*head_out = (size_t)(end - c->in.p) + 4;
	field = memmem(c->in.p, *head_out, "Content-Length: ", 16);
	if (field != NULL)
		body = strtoul(field + 16, NULL, 10);
	return c->in.len >= *head_out + body ? *head_out + body : 0;
}

unsigned answer(struct client *c, const char **head_out, const char **body_out)
{
	static struct buf head, body;
	int64_t until = clock_mono_ms() + 60000;
	size_t n, head_n;

	while ((n = whole_answer(c, &head_n)) == 0) {
		if (c->eof)
			return 0;
		cr_assert_lt(clock_mono_ms(), until, "no answer; got %.*s",
			     (int)c->in.len, c->in.p);
		run_turn(wire.loop);
	}
	buf_clear(&head);
	buf_clear(&body);
	buf_add(&head, c->in.p, head_n);
	buf_add(&body, c->in.p + head_n, n - head_n);
	buf_consume(&c->in, n);
	*head_out = buf_str(&head);
	*body_out = buf_str(&body);
	cr_assert_eq(memcmp(*head_out, "HTTP/1.1 ", 9), 0);
	return (unsigned)strtoul(*head_out + 9, NULL, 10);
}

void expect_answer(struct client *c, unsigned status, const char *body)
{
	const char *head = "", *got = "";
	unsigned s = answer(c, &head, &got);

	cr_assert_eq(s, status, "%u instead of %u: %s", s, status, got);
	if (body != NULL)
		cr_assert_str_eq(got, body);
}

void expect_eof(struct client *c)
{
	WAIT_FOR((pull(c), c->eof));
	cr_assert_eq(c->in.len, 0, "got %.*s", (int)c->in.len, c->in.p);
}

void expect_silence(struct client *c)
{
	for (int i = 0; i < 5; i++)
		run_turn(wire.loop);
	pull(c);
	cr_assert_eq(c->in.len, 0, "got %.*s", (int)c->in.len, c->in.p);
	cr_assert_not(c->eof);
}

void say_get(struct client *c, const char *more)
{
	char text[512];

	say(c, text, (size_t)snprintf(text, sizeof(text),
		"GET /socket.io/?EIO=4&transport=polling%s HTTP/1.1\r\n"
		"Host: x\r\n\r\n", more));
}

void say_poll(struct client *c, const char *sid)
{
	char more[64];

	snprintf(more, sizeof(more), "&sid=%s", sid);
	say_get(c, more);
}

void say_post(struct client *c, const char *sid, const char *body)
{
	struct buf b = { 0 };

	buf_printf(&b, "POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1"
		       "\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
		   sid, strlen(body));
	buf_adds(&b, body);
	say(c, b.p, b.len);
	buf_free(&b);
}

const char *handshake(struct client *c)
{
	static char sids[4][32];
	static unsigned next;
	char *sid = sids[next++ % 4];
	const char *head, *body;

	say_get(c, "");
	cr_assert_eq(answer(c, &head, &body), 200);
	cr_assert_eq(sscanf(body, "0{\"sid\":\"%20[^\"]\"", sid), 1, "%s", body);
	return sid;
}

void say_half_post(struct client *c, const char *sid)
{
	say_text(c, post_head(sid, "Content-Length: 5\r\n"));
	say_text(c, "4he");
}

const char *pair_start(struct client *get_out, struct client *post_out)
{
	static const struct wire_conf defaults;

	wire_start(&defaults);
	*get_out = dial();
	*post_out = dial();
	return handshake(get_out);
}

void pair_finish(struct client *get, struct client *post)
{
	hang_up(get);
	hang_up(post);
	wire_finish();
}

void send_from_server(const char *packet)
{
	eio_session_send(echoed.latest, (struct slice){ packet, strlen(packet) },
			 false);
}

void expect_gone(const char *sid)
{
	struct client c = dial();

	say_poll(&c, sid);
	expect_answer(&c, 400, UNKNOWN);
	hang_up(&c);
}

const char *post_head(const char *sid, const char *more)
{
	static char text[400];

	snprintf(text, sizeof(text),
		 "POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\n"
		 "Host: x\r\n%s\r\n", sid, more);
	return text;
}
