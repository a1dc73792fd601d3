/* The protocol layers with nothing of chat: behaves as the server that the
 * public Socket.IO v5 test suite expects. Namespaces "/" and "/custom"; on
 * CONNECT the event "auth" with its payload; "message" comes back as
 * "message-back", "message-with-ack" as its acknowledgement.
 *
 *	echo [--port N] [--ping-interval MS] [--ping-timeout MS]
 *	     [--connect-timeout MS] [--max-payload BYTES] [--outbox-limit BYTES]
 *	     [--connections-max N] [--permessage-deflate] [--debug]
 *
 * Listens on both loopback addresses; --port 0 takes a free one. Writes
 * "listening on port N" when it does. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "worker/socketio/socket.h"
#include "worker/transport/listener.h"
#include "worker/transport/ws.h"

struct echo {
	struct loop *loop;
	struct eio_sessions *sessions;
	struct listener *listener;
	struct buf out;
};

static struct echo echo;

/* "4<type>[<n>-][<nsp>,][<ack>]" */
static struct buf *begin(struct sio_socket *k, enum sio_type type, unsigned n,
			 int64_t ack)
{
	const char *nsp = sio_socket_namespace(k);

	buf_clear(&echo.out);
	if (n == 0) {
		sio_head_write(&echo.out, type, 0,
			       (struct slice){ nsp, strlen(nsp) }, ack);
		return &echo.out;
	}
	buf_printf(&echo.out, "4%d%u-", (int)type, n);
	if (strcmp(nsp, "/") != 0)
		buf_printf(&echo.out, "%s,", nsp);
	if (ack != SIO_NO_ACK)
		buf_printf(&echo.out, "%lld", (long long)ack);
	return &echo.out;
}

/* One socket. "auth" leaves a moment behind the answer to CONNECT: the suite's
 * own client loses the second of two frames that come in one segment. */
struct peer {
	struct sio_socket *socket;
	struct timer greeting;
	char *auth;
};

static void greet(void *arg)
{
	struct peer *p = arg;
	struct buf *b = begin(p->socket, SIO_EVENT, 0, SIO_NO_ACK);

	buf_adds(b, "[\"auth\",");
	buf_adds(b, p->auth);
	buf_addc(b, ']');
	sio_send(p->socket, buf_slice(b));
}

static void on_connect(void *arg, struct sio_socket *k,
		       const struct sio_connect *from)
{
	struct peer *p = mem_zalloc(sizeof(*p));

	(void)arg;
	p->socket = k;
	p->auth = json_dumps(from->auth, JSON_COMPACT);
	timer_init(&p->greeting, echo.loop, greet, p);
	timer_arm(&p->greeting, 5);
	sio_socket_attach(k, p);
	sio_accept(k, NULL);
}

static void send_back(struct sio_socket *k, const struct sio_event *e, bool ack)
{
	unsigned n = e->nattachments;
	enum sio_type type = ack ? (n != 0 ? SIO_BINARY_ACK : SIO_ACK)
				 : (n != 0 ? SIO_BINARY_EVENT : SIO_EVENT);
	struct buf *b = begin(k, type, n, ack ? e->ack : SIO_NO_ACK);
	char *args = json_dumps(e->args, JSON_COMPACT);

	if (ack) {
		buf_adds(b, args);
	} else {
		buf_adds(b, "[\"message-back\"");
		if (json_array_size(e->args) != 0)
			buf_addc(b, ',');
		buf_adds(b, args + 1);
	}
	sio_send(k, buf_slice(b));
	for (unsigned i = 0; i < n; i++)
		eio_session_send(sio_socket_session(k), e->attachments[i], true);
	free(args);
}

static void on_event(void *up, struct sio_socket *k, const struct sio_event *e)
{
	(void)up;
	if (strcmp(e->name, "message") == 0)
		send_back(k, e, false);
	else if (strcmp(e->name, "message-with-ack") == 0 && e->ack != SIO_NO_ACK)
		send_back(k, e, true);
}

static void on_confirmed(void *up, struct sio_socket *k, uint32_t mark)
{
	(void)up;
	(void)k;
	(void)mark;
}

static void on_disconnected(void *up, struct sio_socket *k, enum close_reason why)
{
	struct peer *p = up;

	timer_free(&p->greeting);
	free(p->auth);
	free(p);
	log_debug("disconnected sid=%s reason=%s", sio_socket_id(k),
		  close_reason_name(why));
}

static void on_term(void *arg)
{
	(void)arg;
	listener_drain(echo.listener);
	eio_sessions_close_all(echo.sessions, CLOSE_SERVER);
	loop_stop(echo.loop);
}

static int listen_on(int family, unsigned port)
{
	struct sockaddr_in6 six = {
		.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT,
		.sin6_port = htons((uint16_t)port),
	};
	struct sockaddr_in four = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port),
	};
	bool v6 = family == AF_INET6;
	const void *addr = v6 ? (const void *)&six : &four;
	int one = 1;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (v6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, addr, v6 ? sizeof(six) : sizeof(four)) == -1 ||
	    listen(fd, 1024) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

static unsigned start_listening(unsigned port)
{
	struct sockaddr_in bound;
	socklen_t n = sizeof(bound);
	int four = listen_on(AF_INET, port), six;

	if (four == -1)
		log_fatal("listening on 127.0.0.1:%u: %s", port, strerror(errno));
	getsockname(four, (struct sockaddr *)&bound, &n);
	port = ntohs(bound.sin_port);
	listener_add(echo.listener, 0, four);
	six = listen_on(AF_INET6, port);
	if (six != -1)
		listener_add(echo.listener, 1, six);
	return port;
}

struct options {
	unsigned port;
	unsigned connections_max;
	bool deflate;
	struct eio_conf eio;
	bool debug;
};

static struct options parse(int argc, char **argv)
{
	static const struct option names[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "ping-interval", required_argument, NULL, 'i' },
		{ "ping-timeout", required_argument, NULL, 't' },
		{ "connect-timeout", required_argument, NULL, 'c' },
		{ "max-payload", required_argument, NULL, 'm' },
		{ "outbox-limit", required_argument, NULL, 'o' },
		{ "connections-max", required_argument, NULL, 'n' },
		{ "permessage-deflate", no_argument, NULL, 'z' },
		{ "debug", no_argument, NULL, 'd' },
		{ 0 }
	};
	struct options o = {
		.port = 3000,
		.eio = {
			.instance = 1, .ping_interval_ms = 300,
			.ping_timeout_ms = 200, .connect_timeout_ms = 1000,
			.upgrade_timeout_ms = 10000,
			.max_payload = 1000000, .outbox_limit = 4 << 20,
		},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		unsigned v = optarg != NULL ? (unsigned)strtoul(optarg, NULL, 10)
					    : 0;

		switch (c) {
		case 'p': o.port = v; break;
		case 'i': o.eio.ping_interval_ms = v; break;
		case 't': o.eio.ping_timeout_ms = v; break;
		case 'c': o.eio.connect_timeout_ms = v; break;
		case 'm': o.eio.max_payload = v; break;
		case 'o': o.eio.outbox_limit = v; break;
		case 'n': o.connections_max = v; break;
		case 'z': o.deflate = true; break;
		case 'd': o.debug = true; break;
		default: exit(2);
		}
	}
	return o;
}

int main(int argc, char **argv)
{
	struct options o = parse(argc, argv);
	struct sio_ops ops = {
		.connect = on_connect,
		.event = on_event,
		.confirmed = on_confirmed,
		.disconnected = on_disconnected,
		.attachments = true,
	};
	struct sio_server *sio = sio_server_new(o.eio.instance);
	struct eio_ops up = sio_server_eio_ops(sio);
	struct ws_conf ws_conf = {
		.max_payload = o.eio.max_payload, .deflate = o.deflate,
	};
	struct listener_conf listener_conf = {
		.head_timeout_ms = 5000,
		.body_timeout_ms = 5000,
		.keepalive_timeout_ms = 5000,
		.max_payload = o.eio.max_payload,
		.connections_max = o.connections_max,
	};
	struct ws *ws;

	log_init("echo", o.debug ? LOG_LVL_DEBUG : LOG_LVL_INFO);
	echo.loop = loop_new();
	sio_server_namespace(sio, "/", &ops);
	sio_server_namespace(sio, "/custom", &ops);
	echo.sessions = eio_sessions_new(echo.loop, &o.eio, &up);
	ws = ws_new(echo.loop, echo.sessions, &ws_conf);
	echo.listener = listener_new(echo.loop, echo.sessions, ws,
				     &listener_conf);
	loop_signal(echo.loop, SIGTERM, on_term, NULL);
	loop_signal(echo.loop, SIGINT, on_term, NULL);
	printf("listening on port %u\n", start_listening(o.port));
	fflush(stdout);
	loop_run(echo.loop);
	listener_free(&echo.listener);
	eio_sessions_free(&echo.sessions);
	ws_free(&ws);
	sio_server_free(&sio);
	loop_free(&echo.loop);
	buf_free(&echo.out);
	return 0;
}
