/* Namespaces "/" and "/custom", alike. To a client that connects: the event
 * "auth" with what it said. Of a client:
 *
 *	message           comes back as "message-back"
 *	message-with-ack  comes back as its acknowledgement
 *	message-to-all    comes back to everybody in the namespace of this
 *	                  process; with recovery also to those that are away
 *	ask               comes back as "question", which asks for an
 *	                  acknowledgement; that comes back as "answer"
 *
 * all of them with their arguments and attachments. */
#include "tests/conformance/echo.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "tests/conformance/peers.h"

static struct loop *loop;
static struct peers peers;
static struct buf out;

/* An event without its closing bracket. e: whose arguments it has. */
static struct buf *event_begin(const char *nsp, const char *name,
			       const struct sio_event *e, int64_t ack)
{
	char *args = json_dumps(e->args, JSON_COMPACT);

	buf_clear(&out);
	sio_head_write(&out, e->nattachments != 0 ? SIO_BINARY_EVENT : SIO_EVENT,
		       e->nattachments, (struct slice){ nsp, strlen(nsp) }, ack);
	buf_printf(&out, "[\"%s\"", name);
	if (json_array_size(e->args) != 0) {
		buf_addc(&out, ',');
		buf_add(&out, args + 1, strlen(args) - 2);
	}
	free(args);
	return &out;
}

static void emit(struct peer *p, const char *name, const struct sio_event *e)
{
	peer_send(&peers, p, event_begin(p->nsp, name, e, SIO_NO_ACK),
		  e->attachments, e->nattachments);
}

static void emit_to_all(const char *nsp, const char *name,
			const struct sio_event *e)
{
	struct list *pos, *tmp;

	LIST_FOREACH_SAFE(pos, tmp, &peers.list) {
		struct peer *p = LIST_ENTRY(pos, struct peer, node);

		if (strcmp(p->nsp, nsp) == 0)
			emit(p, name, e);
	}
}

static void ask(struct sio_socket *k, const struct sio_event *e)
{
	struct buf *b = event_begin(sio_socket_namespace(k), "question", e,
				    sio_ask(k));

	buf_addc(b, ']');
	sio_send_binary(k, buf_slice(b), e->attachments, e->nattachments);
}

static void acknowledge(struct sio_socket *k, const struct sio_event *e)
{
	char *args = json_dumps(e->args, JSON_COMPACT);

	sio_ack_binary(k, e->ack, (struct slice){ args + 1, strlen(args) - 2 },
		       e->attachments, e->nattachments);
	free(args);
}

/* A moment behind the answer to CONNECT: the Socket.IO suite's own client, up to
 * March 2025, lost the second of two frames that come in one segment. */
#define GREETING_MS 5

static void greet(void *arg)
{
	struct peer *p = arg;
	struct sio_event e = { .args = json_pack("[O]", p->auth) };

	if (p->socket != NULL)
		emit(p, "auth", &e);
	json_decref(e.args);
}

static void on_connect(void *arg, struct sio_socket *k,
		       const struct sio_connect *from)
{
	struct peer *p = peer_enter(&peers, k, from);

	(void)arg;
	sio_accept(k, peers.recovery ? p->pid : NULL);
	json_decref(p->auth);
	p->auth = json_incref(from->auth);
	if (p->greeting.ev == NULL)
		timer_init(&p->greeting, loop, greet, p);
	timer_arm(&p->greeting, GREETING_MS);
}

static void on_event(void *up, struct sio_socket *k, const struct sio_event *e)
{
	struct peer *p = up;

	if (p == NULL)		/* came back on another connection */
		return;
	if (strcmp(e->name, "message") == 0)
		emit(p, "message-back", e);
	else if (strcmp(e->name, "message-with-ack") == 0)
		acknowledge(k, e);
	else if (strcmp(e->name, "message-to-all") == 0)
		emit_to_all(p->nsp, "message-back", e);
	else if (strcmp(e->name, "ask") == 0)
		ask(k, e);
}

static void on_acked(void *up, struct sio_socket *k, const struct sio_event *e)
{
	(void)k;
	if (up != NULL)
		emit(up, "answer", e);
}

static void on_confirmed(void *up, struct sio_socket *k, uint32_t mark)
{
	(void)up;
	(void)k;
	(void)mark;
}

static void on_disconnected(void *up, struct sio_socket *k, enum close_reason why)
{
	log_debug("disconnected sid=%s reason=%s", sio_socket_id(k),
		  close_reason_name(why));
	if (up != NULL)
		peer_leave(&peers, up);
}

void socket_echo_start(struct loop *l, struct sio_server *sv, uint32_t instance,
		       bool recovery)
{
	const struct sio_ops ops = {
		.connect = on_connect,
		.event = on_event,
		.acked = on_acked,
		.confirmed = on_confirmed,
		.disconnected = on_disconnected,
		.attachments = true,
	};

	loop = l;
	peers_init(&peers, instance, recovery);
	sio_server_namespace(sv, "/", &ops);
	sio_server_namespace(sv, "/custom", &ops);
}

void socket_echo_stop(void)
{
	peers_free(&peers);
	buf_free(&out);
}
