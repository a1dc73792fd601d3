#include "worker/transport/ws.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libwebsockets.h>
#include <uv.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/ipc/stats.h"
#include "common/loop/deadlines.h"
#include "common/protocol/ws_frame.h"
#include "worker/engineio/outbox.h"
#include "worker/engineio/session.h"
#include "worker/transport/partial.h"
#include "worker/transport/transport.h"
#include "worker/transport/ws_deflate.h"

/* Each connection holds a buffer of this size; a longer frame comes in chunks.
 * It is also what one read takes. (With what libwebsockets puts around it, just
 * as much as malloc has for it.) */
#define RX_CHUNK 244
/* One write; libwebsockets would copy what is beyond its packet size. */
#define TX_CHUNK 65536
/* A client may take this long to answer our close frame. */
#define CLOSE_MS 5000
#define RSV1 0x40
/* Debian's libwebsockets walks its whole table of descriptors at each close, to
 * assert something, and the table is as long as the limit of descriptors was
 * when the context was made: a third of a millisecond with the usual 524,288. (Beyond
 * 10 million it assumes 2,560, and takes no connection above.) So there are
 * several contexts, for low descriptors and higher ones: number i has those
 * below CONTEXT_FDS << 2 * i. The kernel gives out the lowest. */
#define CONTEXT_FDS 2048
#define CONTEXTS 6

struct ws {
	struct loop *loop;
	struct eio_sessions *sessions;
	size_t max_payload;
	struct partials partials;	/* of messages */
	size_t count;
	uv_loop_t uv;
	struct io uv_ready;
	struct lws_context *contexts[CONTEXTS];	/* by descriptor; NULL: none yet */
	const struct ws_upgrade *adopting;	/* ESTABLISHED is awaited now */
	struct ws_deflate *deflate;	/* NULL: not to be negotiated */
	struct buf packed;
	struct buf unpacked;
	struct deadlines closing;
	struct deadlines dead;	/* at once, but outside any callback */
	struct buf scratch;	/* LWS_PRE bytes, then frames being composed */
};

/* Memory of libwebsockets, one per connection, zeroed. */
struct ws_conn {
	struct transport transport;
	struct ws *ws;
	struct lws *wsi;		/* NULL: not established */
	struct eio_session *session;	/* NULL: let go */
	struct buf *message;		/* comes in chunks; NULL: none does */
	struct deadline deadline;	/* closing or dead */
	bool sent_close;
	bool failed;			/* a write failed */
	bool deflate;			/* negotiated */
	bool packed;			/* the message that is coming in is */
};

static const lws_retry_bo_t no_lws_timers;

static struct slice close_frame(unsigned code, char frame[4])
{
	frame[0] = (char)(0x80 | WS_CLOSE);
	frame[1] = code != 0 ? 2 : 0;
	frame[2] = (char)(code >> 8);
	frame[3] = (char)code;
	return (struct slice){ frame, code != 0 ? 4 : 2 };
}

static void begin_write(struct ws *w)
{
	buf_clear(&w->scratch);
	buf_reserve(&w->scratch, LWS_PRE);
	w->scratch.len = LWS_PRE;
}

/* What is composed in scratch. 0 or -EPIPE. */
static int write_scratch(struct ws_conn *c)
{
	struct buf *b = &c->ws->scratch;

	if (lws_write(c->wsi, (unsigned char *)b->p + LWS_PRE, b->len - LWS_PRE,
		      LWS_WRITE_RAW) >= 0)
		return 0;
	/* libwebsockets does not close by itself then. */
	c->failed = true;
	deadline_arm(&c->ws->dead, &c->deadline);
	return -EPIPE;
}

static void add_frame(struct ws_conn *c, struct slice packet, bool binary)
{
	enum ws_opcode op = binary ? WS_BINARY : WS_TEXT;
	struct ws *w = c->ws;
	size_t at = w->scratch.len;
	bool packed = false;

	if (c->deflate && packet.n >= WS_DEFLATE_MIN) {
		ws_deflate_pack(w->deflate, packet, &w->packed);
		packed = w->packed.len < packet.n;
	}
	if (packed)
		packet = buf_slice(&w->packed);
	ws_frame_head(&w->scratch, op, packet.n);
	if (packed)
		w->scratch.p[at] |= RSV1;
	buf_add(&w->scratch, packet.p, packet.n);
}

static void compose(struct ws_conn *c, struct outbox *o)
{
	struct ws *w = c->ws;
	struct slice packet;
	bool binary;

	begin_write(w);
	while (outbox_peek(o, &packet, &binary)) {
		if (w->scratch.len != LWS_PRE &&
		    w->scratch.len + WS_HEAD_MAX + packet.n > TX_CHUNK)
			break;
		add_frame(c, packet, binary);
		outbox_pop(o);
	}
}

static int ws_flush(struct transport *t, struct outbox *o)
{
	struct ws_conn *c = CONTAINER_OF(t, struct ws_conn, transport);

	if (c->failed)
		return -EPIPE;
	while (outbox_size(o) != 0) {
		if (lws_partial_buffered(c->wsi)) {
			lws_callback_on_writable(c->wsi);
			return 0;
		}
		compose(c, o);
		if (write_scratch(c) != 0)
			return -EPIPE;
	}
	return 0;
}

static void drop_message(struct ws_conn *c)
{
	if (c->message == NULL)
		return;
	(void)partials_move(&c->ws->partials, c->message->len, 0);
	buf_free(c->message);
	free(c->message);
	c->message = NULL;
}

/* Own close frames: libwebsockets would always send a code, and use one of its
 * slow timers to wait for the answer. */
static void ws_close(struct transport *t, struct outbox *rest,
		     enum close_reason why)
{
	struct ws_conn *c = CONTAINER_OF(t, struct ws_conn, transport);
	struct slice frame;
	char bytes[4];

	c->session = NULL;
	drop_message(c);
	if (ws_flush(t, rest) != 0)
		return;
	begin_write(c->ws);
	frame = close_frame(why == CLOSE_TOO_LARGE ? 1009 : 0, bytes);
	buf_add(&c->ws->scratch, frame.p, frame.n);
	if (write_scratch(c) != 0)
		return;
	c->sent_close = true;
	deadline_arm(&c->ws->closing, &c->deadline);
}

static const struct transport_ops ws_ops = {
	.name = "websocket",
	.flush = ws_flush,
	.close = ws_close,
};

static void let_go(struct ws_conn *c, enum close_reason why)
{
	struct eio_session *s = c->session;

	c->session = NULL;
	drop_message(c);
	if (s != NULL)
		eio_session_transport_gone(s, &c->transport, why);
}

static bool takes_deflate(const struct ws *w, const struct ws_upgrade *u)
{
	return w->deflate != NULL && ws_deflate_offered(u->extensions);
}

/* libwebsockets has written its 101. */
static int on_established(struct ws_conn *c, struct lws *wsi, struct ws *w)
{
	struct outbox nothing = { 0 };
	struct eio_session *s;

	if (w->adopting == NULL)
		return -1;
	s = w->adopting->session;
	c->deflate = takes_deflate(w, w->adopting);
	w->adopting = NULL;
	c->transport.ops = &ws_ops;
	c->ws = w;
	c->wsi = wsi;
	deadline_init(&c->deadline);
	w->count++;
	stats_inc(STAT_connections);
	if (s == NULL)
		c->session = eio_session_open(w->sessions, &c->transport);
	else if (eio_session_upgrade(s, &c->transport))
		c->session = s;
	else
		ws_close(&c->transport, &nothing, CLOSE_PROTOCOL);
	return 0;
}

static void on_message(struct ws_conn *c, struct slice message, bool binary)
{
	struct eio_session *s = c->session;
	struct ws *w = c->ws;
	int rc = 0;

	if (c->packed) {
		rc = ws_deflate_unpack(w->deflate, message, w->max_payload,
				       &w->unpacked);
		message = buf_slice(&w->unpacked);
	}
	if (rc == 0 && w->deflate != NULL && !binary && !utf8_valid(message))
		rc = -EBADMSG;
	if (rc == 0)
		eio_session_frame(s, &c->transport, message, binary);
	else
		eio_session_refuse(s, &c->transport, rc == -EMSGSIZE
				   ? CLOSE_TOO_LARGE : CLOSE_PARSE);
}

static void on_receive(struct ws_conn *c, struct slice chunk)
{
	bool binary = lws_frame_is_binary(c->wsi) != 0;
	size_t max = c->ws->max_payload;
	size_t so_far = c->message != NULL ? c->message->len : 0;

	if (c->session == NULL)
		return;
	if (lws_is_first_fragment(c->wsi))
		c->packed = (lws_get_reserved_bits(c->wsi) & RSV1) != 0;
	if (c->packed)
		max = ws_deflate_bound(max);
	if (so_far + chunk.n + lws_remaining_packet_payload(c->wsi) > max) {
		/* The rest is read and dropped, so that the client gets to see
		 * the close frame. */
		drop_message(c);
		eio_session_refuse(c->session, &c->transport, CLOSE_TOO_LARGE);
		return;
	}
	if (so_far == 0 && lws_is_final_fragment(c->wsi)) {
		on_message(c, chunk, binary);
		return;
	}
	if (c->message == NULL)
		c->message = mem_zalloc(sizeof(*c->message));
	buf_add(c->message, chunk.p, chunk.n);
	if (!partials_move(&c->ws->partials, so_far, c->message->len)) {
		drop_message(c);
		eio_session_refuse(c->session, &c->transport, CLOSE_TOO_LARGE);
		return;
	}
	if (!lws_is_final_fragment(c->wsi))
		return;
	on_message(c, buf_slice(c->message), binary);
	drop_message(c);
}

static void on_closed(struct ws_conn *c)
{
	if (c->wsi == NULL)
		return;
	let_go(c, CLOSE_CLIENT);
	deadline_drop(&c->deadline);
	c->wsi = NULL;
	c->ws->count--;
	stats_dec(STAT_connections);
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason,
		    void *user, void *in, size_t len)
{
	struct ws_conn *c = user;

	switch (reason) {
	case LWS_CALLBACK_ESTABLISHED:
		return on_established(c, wsi,
				      lws_context_user(lws_get_context(wsi)));
	case LWS_CALLBACK_RECEIVE:
		on_receive(c, (struct slice){ in, len });
		return 0;
	case LWS_CALLBACK_SERVER_WRITEABLE:
		if (c->session != NULL)
			eio_session_writable(c->session, &c->transport);
		return 0;
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		/* An answer to ours ends it; else libwebsockets echoes it. */
		if (c->sent_close)
			return -1;
		let_go(c, CLOSE_CLIENT);
		return 0;
	case LWS_CALLBACK_WS_SERVER_DROP_PROTOCOL:
		/* It closes: for a broken frame, which it has prepared a code
		 * for, or because the stream ended. */
		if (c != NULL && c->wsi != NULL)
			let_go(c, lws_get_close_length(wsi) > 0 ? CLOSE_PARSE
								: CLOSE_CLIENT);
		return 0;
	case LWS_CALLBACK_CLOSED:
		on_closed(c);
		return 0;
	case LWS_CALLBACK_HTTP:		/* cannot be: upgrades only */
		return -1;
	default:
		return 0;
	}
}

static const struct lws_protocols protocols[] = {
	{
		.name = "pairwire",
		.callback = callback,
		.per_session_data_size = sizeof(struct ws_conn),
		.rx_buffer_size = RX_CHUNK,
		.tx_packet_size = TX_CHUNK,
	},
	{ 0 }
};

/* libwebsockets' own permessage-deflate would keep zlib's windows for each
 * connection, and version 4.1 has an assertion that five bytes of a client make
 * fail. So it has an extension that only lets RSV1 pass: we get and give the
 * bytes as they are on the wire, and the rest is ws_deflate.h. */
static const struct lws_ext_options deflate_options[] = {
	{ "server_no_context_takeover", EXTARG_NONE },
	{ "client_no_context_takeover", EXTARG_NONE },
	{ 0 }
};

static int deflate_extension(struct lws_context *context,
			     const struct lws_extension *ext, struct lws *wsi,
			     enum lws_extension_callback_reasons reason,
			     void *user, void *in, size_t len)
{
	(void)context, (void)ext, (void)wsi, (void)user, (void)len;
	if (reason == LWS_EXT_CB_CONSTRUCT)
		*(const struct lws_ext_options **)in = deflate_options;
	return 0;
}

static const struct lws_extension extensions[] = {
	{ WS_DEFLATE_NAME, deflate_extension, WS_DEFLATE_ANSWER },
	{ 0 }
};

/* Closes now, or as soon as the loop turns. To a client that does not read
 * libwebsockets would go on trying to write, and the kernel after it, which
 * keeps what it holds for minutes: so the stream is shut, and then reset. */
static void on_kill(struct deadline *d, void *arg)
{
	struct ws_conn *c = CONTAINER_OF(d, struct ws_conn, deadline);
	int fd = lws_get_socket_fd(c->wsi);
	struct linger reset = { .l_onoff = 1 };

	(void)arg;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	shutdown(fd, SHUT_RDWR);
	lws_set_timeout(c->wsi, PENDING_TIMEOUT_KILLED_BY_PARENT,
			LWS_TO_KILL_SYNC);
}

/* What clients can provoke is debug; adoption speaks at the error level. */
static void log_lws(int level, const char *line)
{
	int n = (int)strcspn(line, "\n");

	if (strstr(line, "calling service") != NULL)
		return;
	if (level == LLL_ERR)
		log_warn("libwebsockets: %.*s", n, line);
	else
		log_debug("libwebsockets: %.*s", n, line);
}

static void uv_run_once(void *arg)
{
	struct ws *w = arg;

	uv_run(&w->uv, UV_RUN_NOWAIT);
}

static int uv_timeout(void *arg)
{
	struct ws *w = arg;

	return uv_backend_timeout(&w->uv);
}

/* Only wakes the loop: libuv runs before it blocks. */
static void on_uv_ready(void *arg, int what)
{
	(void)arg;
	(void)what;
}

static struct lws_context *context_new(struct ws *w)
{
	void *foreign[] = { &w->uv };
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN,
		.protocols = protocols,
		.options = LWS_SERVER_OPTION_LIBUV |
			   LWS_SERVER_OPTION_UV_NO_SIGSEGV_SIGFPE_SPIN,
		.foreign_loops = foreign,
		.retry_and_idle_policy = &no_lws_timers,
		.max_http_header_pool = 16,
		.gid = (gid_t)-1,
		.uid = (uid_t)-1,
		.user = w,
	};
	struct lws_context *context;

	if (w->deflate != NULL)
		info.extensions = extensions;
	else	/* it cannot look into compressed text: on_message() */
		info.options |= LWS_SERVER_OPTION_VALIDATE_UTF8;
	context = lws_create_context(&info);
	if (context == NULL)
		log_fatal("libwebsockets does not start; is its libuv plugin "
			  "installed (Debian: libwebsockets-evlib-uv)?");
	return context;
}

/* The context for descriptor fd. */
static struct lws_context *context_for(struct ws *w, int fd)
{
	rlim_t fds = CONTEXT_FDS;
	struct rlimit limit, lower;
	unsigned i = 0;

	for (; i < CONTEXTS - 1 && (rlim_t)fd >= fds; i++)
		fds <<= 2;
	if (w->contexts[i] != NULL)
		return w->contexts[i];
	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		log_fatal("getrlimit: %s", strerror(errno));
	lower = limit;
	if (lower.rlim_cur > fds)
		lower.rlim_cur = fds;
	(void)setrlimit(RLIMIT_NOFILE, &lower);
	w->contexts[i] = context_new(w);
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	return w->contexts[i];
}

struct ws *ws_new(struct loop *l, struct eio_sessions *sessions,
		  const struct ws_conf *c)
{
	struct ws *w = mem_zalloc(sizeof(*w));
	struct loop_nested nested = { uv_run_once, uv_timeout, w };

	w->loop = l;
	w->sessions = sessions;
	w->max_payload = c->max_payload;
	partials_init(&w->partials, c->max_payload);
	if (c->deflate)
		w->deflate = ws_deflate_new();
	if (uv_loop_init(&w->uv) != 0)
		log_fatal("uv_loop_init failed");
	lws_set_log_level(LLL_ERR | LLL_WARN, log_lws);
	(void)context_for(w, 0);	/* whether it works at all */
	deadlines_init(&w->closing, l, CLOSE_MS, on_kill, w);
	deadlines_init(&w->dead, l, 0, on_kill, w);
	io_init(&w->uv_ready, l, uv_backend_fd(&w->uv), on_uv_ready, w);
	io_watch(&w->uv_ready, IO_READ);
	loop_nest(l, &nested);
	return w;
}

static void destroy_contexts(struct ws *w)
{
	for (unsigned i = 0; i < CONTEXTS; i++)
		if (w->contexts[i] != NULL)
			lws_context_destroy(w->contexts[i]);
}

void ws_free(struct ws **wp)
{
	struct loop_nested none = { 0 };
	struct ws *w = *wp;

	if (w == NULL)
		return;
	loop_nest(w->loop, &none);
	io_free(&w->uv_ready);
	/* On a foreign loop in two steps: the first starts to close libuv's
	 * handles, the second frees what they stood on. */
	destroy_contexts(w);
	for (int i = 0; i < 100 && uv_loop_alive(&w->uv); i++)
		uv_run(&w->uv, UV_RUN_NOWAIT);
	destroy_contexts(w);
	uv_loop_close(&w->uv);
	deadlines_free(&w->closing);
	deadlines_free(&w->dead);
	ws_deflate_free(&w->deflate);
	buf_free(&w->packed);
	buf_free(&w->unpacked);
	buf_free(&w->scratch);
	free(w);
	*wp = NULL;
}

size_t ws_count(const struct ws *w)
{
	return w->count;
}

/* libwebsockets gets a request of our own making, with nothing of the client's
 * but its key: no cookie, no header and no path of a client reaches it. */
void ws_adopt(struct ws *w, int fd, const struct ws_upgrade *u)
{
	struct buf head = { 0 };

	buf_adds(&head, "GET /socket.io/ HTTP/1.1\r\n"
			"Host: pairwire\r\n"
			"Upgrade: websocket\r\n"
			"Connection: Upgrade\r\n"
			"Sec-WebSocket-Version: 13\r\n"
			"Sec-WebSocket-Key: ");
	buf_add(&head, u->key.p, u->key.n);
	if (takes_deflate(w, u))
		buf_adds(&head, "\r\nSec-WebSocket-Extensions: "
				WS_DEFLATE_ANSWER);
	buf_adds(&head, "\r\n\r\n");
	buf_add(&head, u->early.p, u->early.n);
	w->adopting = u;
	lws_adopt_socket_readbuf(context_for(w, fd), fd, head.p, head.len);
	w->adopting = NULL;
	buf_free(&head);
}
