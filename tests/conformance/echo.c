/* The protocol layers with nothing of chat: behaves as the servers that the
 * public test suites of Engine.IO v4 and Socket.IO v5 expect.
 *
 * engine.io: every message, text or binary, comes back. Path /engine.io/.
 * socket.io: namespaces "/" and "/custom", see socket_echo.c. Path /socket.io/.
 * Listens on both loopback addresses and writes "listening on port N" then. */
#include "tests/conformance/echo.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/loop/loop.h"
#include "worker/socketio/socket.h"
#include "worker/transport/listener.h"
#include "worker/transport/ws.h"

struct echo {
	struct loop *loop;
	struct eio_sessions *sessions;
	struct listener *listener;
};

static void on_term(void *arg)
{
	struct echo *e = arg;

	listener_drain(e->listener);
	eio_sessions_close_all(e->sessions, CLOSE_SERVER);
	loop_stop(e->loop);
}

static struct listener_conf listener_conf(const struct echo_options *o,
					  const struct echo_worker *w)
{
	return (struct listener_conf){
		.path = o->engine ? "/engine.io/" : "/socket.io/",
		.head_timeout_ms = o->head_timeout_ms,
		.body_timeout_ms = 60000,
		.keepalive_timeout_ms = 60000,
		.max_payload = o->eio.max_payload,
		.connections_max = o->connections_max,
		.instance = w->instance,
		.run_dir = w->run_dir,
		.handover_fd = w->handover,
	};
}

static void run(struct echo *e, const struct echo_options *o,
		const struct echo_worker *w, const struct eio_ops *up)
{
	struct eio_conf eio = o->eio;
	struct ws_conf ws_conf = {
		.max_payload = eio.max_payload, .deflate = o->deflate,
	};
	struct listener_conf conf = listener_conf(o, w);
	struct ws *ws;

	eio.instance = w->instance;
	e->sessions = eio_sessions_new(e->loop, &eio, up);
	ws = ws_new(e->loop, e->sessions, &ws_conf);
	e->listener = listener_new(e->loop, e->sessions, ws, &conf);
	listener_add(e->listener, 0, w->four);
	if (w->six != -1)
		listener_add(e->listener, 1, w->six);
	loop_signal(e->loop, SIGTERM, on_term, e);
	loop_signal(e->loop, SIGINT, on_term, e);
	loop_run(e->loop);
	listener_free(&e->listener);
	eio_sessions_free(&e->sessions);
	ws_free(&ws);
}

void echo_serve(const struct echo_options *o, const struct echo_worker *w)
{
	struct sio_server *sio = sio_server_new(w->instance);
	struct eio_ops up = o->engine ? engine_echo_ops()
				      : sio_server_eio_ops(sio);
	struct echo echo = { .loop = loop_new() };

	log_init("echo", o->debug ? LOG_LVL_DEBUG : LOG_LVL_INFO);
	socket_echo_start(echo.loop, sio, w->instance, o->recovery);
	run(&echo, o, w, &up);
	sio_server_free(&sio);
	socket_echo_stop();
	loop_free(&echo.loop);
}

static const char help[] =
	"usage: echo [options]\n"
	"  --protocol NAME        socket.io or engine.io (socket.io)\n"
	"  --port N               on 127.0.0.1 and ::1; 0: a free one (3000)\n"
	"  --workers N            processes, which hand sessions over (1)\n"
	"  --ping-interval MS     (300)\n"
	"  --ping-timeout MS      (200)\n"
	"  --connect-timeout MS   until a namespace is joined (1000)\n"
	"  --upgrade-timeout MS   (10000)\n"
	"  --head-timeout MS      of a request (60000)\n"
	"  --max-payload BYTES    (1000000)\n"
	"  --outbox-limit BYTES   (4194304)\n"
	"  --connections-max N    of a worker\n"
	"  --permessage-deflate\n"
	"  --recovery             who comes back to the same worker gets what he\n"
	"                         missed\n"
	"  --debug\n";

static void usage(const char *what)
{
	fprintf(stderr, "echo: %s\n%s", what, help);
	exit(2);
}

static unsigned number(const char *text)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || v > 0x7fffffff)
		usage("not a number");
	return (unsigned)v;
}

static bool is_engine(const char *protocol)
{
	if (strcmp(protocol, "engine.io") != 0 &&
	    strcmp(protocol, "socket.io") != 0)
		usage("--protocol is engine.io or socket.io");
	return protocol[0] == 'e';
}

static const struct option names[] = {
	{ "protocol", required_argument, NULL, 'P' },
	{ "port", required_argument, NULL, 'p' },
	{ "workers", required_argument, NULL, 'w' },
	{ "ping-interval", required_argument, NULL, 'i' },
	{ "ping-timeout", required_argument, NULL, 't' },
	{ "connect-timeout", required_argument, NULL, 'c' },
	{ "upgrade-timeout", required_argument, NULL, 'u' },
	{ "head-timeout", required_argument, NULL, 'e' },
	{ "max-payload", required_argument, NULL, 'm' },
	{ "outbox-limit", required_argument, NULL, 'o' },
	{ "connections-max", required_argument, NULL, 'n' },
	{ "permessage-deflate", no_argument, NULL, 'z' },
	{ "recovery", no_argument, NULL, 'r' },
	{ "debug", no_argument, NULL, 'd' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 }
};

/* The suites' numbers, where they have any. */
static const struct echo_options defaults = {
	.port = 3000,
	.workers = 1,
	.head_timeout_ms = 60000,
	.eio = {
		.ping_interval_ms = 300, .ping_timeout_ms = 200,
		.connect_timeout_ms = 1000, .upgrade_timeout_ms = 10000,
		.max_payload = 1000000, .outbox_limit = 4 << 20,
	},
};

int main(int argc, char **argv)
{
	struct echo_options o = defaults;
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 'P': o.engine = is_engine(optarg); break;
		case 'p': o.port = number(optarg); break;
		case 'w': o.workers = number(optarg); break;
		case 'i': o.eio.ping_interval_ms = number(optarg); break;
		case 't': o.eio.ping_timeout_ms = number(optarg); break;
		case 'c': o.eio.connect_timeout_ms = number(optarg); break;
		case 'e': o.head_timeout_ms = number(optarg); break;
		case 'u': o.eio.upgrade_timeout_ms = number(optarg); break;
		case 'm': o.eio.max_payload = number(optarg); break;
		case 'o': o.eio.outbox_limit = number(optarg); break;
		case 'n': o.connections_max = number(optarg); break;
		case 'z': o.deflate = true; break;
		case 'r': o.recovery = true; break;
		case 'd': o.debug = true; break;
		case 'h': fputs(help, stdout); return 0;
		default: return 2;
		}
	}
	if (optind != argc || o.workers == 0)
		usage(optind != argc ? "no arguments but options"
				     : "at least one worker");
	return workers_run(&o);
}
