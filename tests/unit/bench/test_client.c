/* The client against a server that follows a script: both on one loop. */
#include "bench/client.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <netinet/in.h>

#include "common/loop/loop.h"
#include "common/protocol/http_head.h"
#include "common/protocol/sio_packet.h"
#include "common/protocol/ws_frame.h"
#include "tests/unit/protocol/exact.h"

#define OPEN_PACKET "0{\"sid\":\"s\",\"upgrades\":[],\"pingInterval\":300," \
	"\"pingTimeout\":200,\"maxPayload\":1000000}"
#define JOINED_PACKET "40{\"sid\":\"t\"}"

struct world {
	struct loop *loop;
	struct target target;
	struct clients *clients;
	struct client *client;
	struct timer deadline;
	struct io listener, peer;
	struct buf in;		/* of the server */
	const struct buf *frames;	/* its answer behind the 101 */
	size_t piece;		/* it writes at most that much at a time */
	bool upgraded, hang_up;
	/* what came of it */
	struct buf got;		/* the texts the client sent, a line each */
	struct buf events;	/* what the client was told, a line each */
	unsigned want_events;	/* leave after that many; 0: until ended */
	unsigned nevents;
};

static void on_deadline(void *arg)
{
	struct world *w = arg;

	buf_adds(&w->events, "TOO LATE\n");
	loop_stop(w->loop);
}

static void on_left(void *arg)
{
	struct world *w = arg;

	loop_stop(w->loop);
}

/* --- the server --- */

static void server_write(struct world *w, const char *p, size_t n)
{
	while (n > 0) {
		size_t part = n < w->piece ? n : w->piece;

		cr_assert_eq(write(w->peer.fd, p, part), (ssize_t)part);
		p += part;
		n -= part;
	}
}

static void server_upgrade(struct world *w)
{
	struct http_head h;
	long n = http_head_parse(w->in.p, w->in.len, &h);
	struct buf b = { 0 };
	char accept[29];

	cr_assert(n >= 0);
	if (n == 0)
		return;
	ws_accept(http_head_field(&h, "Sec-WebSocket-Key", NULL), accept);
	buf_printf(&b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		       "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		   accept);
	buf_add(&b, w->frames->p, w->frames->len);
	buf_consume(&w->in, (size_t)n);
	w->upgraded = true;
	server_write(w, b.p, b.len);
	buf_free(&b);
	if (w->hang_up)
		shutdown(w->peer.fd, SHUT_WR);
}

/* Unmasks one short frame of the client; false when there is none. */
static bool server_frame(struct world *w)
{
	const unsigned char *p = (const unsigned char *)w->in.p;
	size_t n;

	if (w->in.len < 6 || w->in.len < 6u + (p[1] & 0x7f))
		return false;
	n = p[1] & 0x7f;
	cr_assert(n < 126 && (p[1] & 0x80) != 0);
	buf_printf(&w->got, "%u:", p[0] & 0x0f);
	for (size_t i = 0; i < n; i++)
		buf_addc(&w->got, (char)(p[6 + i] ^ p[2 + i % 4]));
	buf_addc(&w->got, '\n');
	if ((p[0] & 0x0f) == WS_CLOSE)
		shutdown(w->peer.fd, SHUT_WR);
	buf_consume(&w->in, 6 + n);
	return true;
}

static void on_peer(void *arg, int what)
{
	struct world *w = arg;
	char part[4096];
	ssize_t n = read(w->peer.fd, part, sizeof(part));

	(void)what;
	if (n <= 0) {
		io_watch(&w->peer, 0);
		return;
	}
	buf_add(&w->in, part, (size_t)n);
	if (!w->upgraded)
		server_upgrade(w);
	while (w->upgraded && server_frame(w))
		;
}

static void on_listener(void *arg, int what)
{
	struct world *w = arg;
	int fd = accept(w->listener.fd, NULL, NULL);

	(void)what;
	cr_assert(fd != -1);
	io_init(&w->peer, w->loop, fd, on_peer, w);
	io_watch(&w->peer, IO_READ);
}

/* --- the client's owner --- */

static void told(struct world *w, const char *kind, struct slice json)
{
	buf_printf(&w->events, "%s ", kind);
	buf_add(&w->events, json.p, json.n);
	buf_addc(&w->events, '\n');
	if (++w->nevents == w->want_events)
		clients_leave(w->clients, on_left, w);
}

static void on_joined(struct client *c, void *arg)
{
	client_emit(c, SLICE("[\"hello\"]"), 7);
	told(arg, "joined", (struct slice){ 0 });
}

static void on_event(struct client *c, void *arg, struct slice json, int64_t ack)
{
	char kind[32] = "event";

	(void)c;
	if (ack != SIO_NO_ACK)
		snprintf(kind, sizeof(kind), "event(%d)", (int)ack);
	told(arg, kind, json);
}

static void on_ack(struct client *c, void *arg, struct slice json, int64_t id)
{
	char kind[32];

	(void)c;
	snprintf(kind, sizeof(kind), "ack(%d)", (int)id);
	told(arg, kind, json);
}

static void on_ended(struct client *c, void *arg, enum client_end why,
		     const char *reason)
{
	struct world *w = arg;

	(void)c;
	buf_printf(&w->events, "ended(%d) %s\n", why, reason);
	loop_stop(w->loop);
}

static const struct client_ops ops = { on_joined, on_event, on_ack, on_ended };

/* --- one run --- */

static void frame(struct buf *b, const char *packet)
{
	ws_frame_head(b, WS_TEXT, strlen(packet));
	buf_adds(b, packet);
}

static int listen_somewhere(struct target *t)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert(fd != -1);
	cr_assert_eq(bind(fd, (struct sockaddr *)&sa, len), 0);
	cr_assert_eq(listen(fd, 4), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	memcpy(&t->addrs[0].sa, &sa, len);
	t->addrs[0].len = len;
	t->naddrs = 1;
	snprintf(t->host, sizeof(t->host), "127.0.0.1:%u", ntohs(sa.sin_port));
	return fd;
}

static void run(struct world *w, const struct buf *frames, size_t piece)
{
	w->loop = loop_new();
	w->frames = frames;
	w->piece = piece;
	io_init(&w->listener, w->loop, listen_somewhere(&w->target), on_listener, w);
	io_watch(&w->listener, IO_READ);
	timer_init(&w->deadline, w->loop, on_deadline, w);
	timer_arm(&w->deadline, 10000);
	w->clients = clients_new(w->loop, &w->target, &ops, 5000);
	w->client = client_new(w->clients, "a \"token\"", w);
	loop_run(w->loop);
	clients_free(&w->clients);
	timer_free(&w->deadline);
	close(w->listener.fd);
	io_free(&w->listener);
	if (w->peer.ev != NULL)
		close(w->peer.fd);
	io_free(&w->peer);
	loop_free(&w->loop);
	buf_free(&w->in);
}

static void expect(struct world *w, const char *events, const char *got)
{
	cr_expect_str_eq(buf_str(&w->events), events);
	if (got != NULL)
		cr_expect_str_eq(buf_str(&w->got), got);
	buf_free(&w->events);
	buf_free(&w->got);
}

/* The same bytes, cut at every length up to whole: the result is the same. */
Test(client, joins_and_hears_however_the_stream_is_cut)
{
	static const size_t pieces[] = { 1, 2, 3, 7, 64, 100000 };
	struct buf frames = { 0 };

	frame(&frames, OPEN_PACKET);
	frame(&frames, JOINED_PACKET);
	frame(&frames, "42[\"one\",1]");
	frame(&frames, "2");
	buf_adds(&frames, "\x89\x02hi");	/* WebSocket ping */
	buf_adds(&frames, "\x01\x04" "42[\"" "\x80\x05two\"]");
	frame(&frames, "426[\"three\"]");
	frame(&frames, "42/other,[\"not ours\"]");
	frame(&frames, "437[{\"ok\":true}]");
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		struct world w = { .want_events = 5 };

		run(&w, &frames, pieces[i]);
		expect(&w, "joined \nevent [\"one\",1]\nevent [\"two\"]\n"
			   "event(6) [\"three\"]\nack(7) [{\"ok\":true}]\n",
		       "1:40{\"token\":\"a \\\"token\\\"\"}\n1:427[\"hello\"]\n"
		       "1:3\n10:hi\n1:41\n8:\x03\xe8\n");
	}
	buf_free(&frames);
}

Test(client, endings)
{
	static const struct {
		const char *packets[3];
		const char *raw;
		const char *events;
		bool hang_up;
	} rows[] = {
		{ { OPEN_PACKET, "44{\"message\":\"Invalid or expired token\"}" },
		  "", "ended(2) Invalid or expired token\n", false },
		{ { OPEN_PACKET, "44\"plain\"" }, "", "ended(2) plain\n", false },
		{ { OPEN_PACKET, JOINED_PACKET, "41" }, "",
		  "joined \nended(5) the server disconnected the user\n", false },
		{ { OPEN_PACKET, JOINED_PACKET }, "\x88\x02\x03\xe8",
		  "joined \nended(6) the server closed the connection (1000)\n",
		  false },
		{ { OPEN_PACKET, JOINED_PACKET }, "",
		  "joined \nended(6) the server closed the connection\n", true },
		{ { OPEN_PACKET, "9" }, "",
		  "ended(4) the server sent a malformed packet\n", false },
		{ { OPEN_PACKET, "42{}" }, "",
		  "ended(4) the server sent a malformed packet\n", false },
		{ { "0{\"pingInterval\":\"x\"}" }, "",
		  "ended(4) the server's open packet is malformed\n", false },
		{ { OPEN_PACKET, JOINED_PACKET }, "\x83\x01x",
		  "joined \nended(4) the server sent a malformed frame\n", false },
		{ { OPEN_PACKET, JOINED_PACKET }, "\x80\x01x",
		  "joined \nended(4) the server sent frames out of order\n",
		  false },
		/* nothing more: after pingInterval + pingTimeout */
		{ { OPEN_PACKET, JOINED_PACKET }, "",
		  "joined \nended(3) no ping from the server any more\n", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world w = { .hang_up = rows[i].hang_up };
		struct buf frames = { 0 };

		for (size_t j = 0; j < 3 && rows[i].packets[j] != NULL; j++)
			frame(&frames, rows[i].packets[j]);
		buf_adds(&frames, rows[i].raw);
		run(&w, &frames, 100000);
		expect(&w, rows[i].events, NULL);
		buf_free(&frames);
	}
}

static struct target nobody(void)
{
	struct target t = { .naddrs = 0 };

	close(listen_somewhere(&t));	/* a port where nobody listens */
	return t;
}

Test(client, unreachable)
{
	struct world w = { .target = nobody() };
	struct buf want = { 0 };

	w.loop = loop_new();
	timer_init(&w.deadline, w.loop, on_deadline, &w);
	timer_arm(&w.deadline, 10000);
	w.clients = clients_new(w.loop, &w.target, &ops, 5000);
	w.client = client_new(w.clients, "t", &w);
	loop_run(w.loop);
	buf_printf(&want, "ended(0) cannot connect to %s: Connection refused\n",
		   w.target.host);
	expect(&w, buf_str(&want), NULL);
	buf_free(&want);
	clients_free(&w.clients);
	timer_free(&w.deadline);
	loop_free(&w.loop);
}

/* The second address answers; it is the first to be tried from then on. */
Test(client, next_address)
{
	struct world w = { .want_events = 1 };
	struct target dead = nobody();
	struct buf frames = { 0 };

	frame(&frames, OPEN_PACKET);
	frame(&frames, JOINED_PACKET);
	w.loop = loop_new();
	w.frames = &frames;
	w.piece = 100000;
	io_init(&w.listener, w.loop, listen_somewhere(&w.target), on_listener, &w);
	io_watch(&w.listener, IO_READ);
	w.target.addrs[1] = w.target.addrs[0];
	w.target.addrs[0] = dead.addrs[0];
	w.target.naddrs = 2;
	timer_init(&w.deadline, w.loop, on_deadline, &w);
	timer_arm(&w.deadline, 10000);
	w.clients = clients_new(w.loop, &w.target, &ops, 5000);
	w.client = client_new(w.clients, "t", &w);
	loop_run(w.loop);
	expect(&w, "joined \n", NULL);
	cr_expect_eq(w.target.preferred, 1u);
	clients_free(&w.clients);
	timer_free(&w.deadline);
	close(w.listener.fd);
	io_free(&w.listener);
	close(w.peer.fd);
	io_free(&w.peer);
	loop_free(&w.loop);
	buf_free(&w.in);
	buf_free(&frames);
}
