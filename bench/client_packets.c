#include "bench/client_internal.h"

#include <errno.h>
#include <stdlib.h>

#include <jansson.h>

#include "bench/upgrade.h"
#include "common/protocol/eio_packet.h"
#include "common/protocol/json_out.h"
#include "common/protocol/sio_packet.h"

#define FRAME_MAX (4u << 20)

static void send_connect(struct client *c)
{
	struct buf b = { 0 };

	sio_head_write(&b, SIO_CONNECT, 0, SLICE("/"), SIO_NO_ACK);
	buf_adds(&b, "{\"token\":");
	json_out_cstr(&b, c->handshake->token);
	buf_addc(&b, '}');
	client_send_frame(c, WS_TEXT, buf_slice(&b));
	buf_free(&b);
}

/* The server's intervals are the same for all its clients. */
static void on_open(struct client *c, struct slice data)
{
	json_t *open = json_loadb(data.p, data.n, 0, NULL);
	json_int_t interval = 0, timeout = 0;
	struct clients *cs = c->cs;

	if (json_unpack(open, "{s:I,s:I}", "pingInterval", &interval,
			"pingTimeout", &timeout) != 0 ||
	    interval < 1 || timeout < 1 || interval > INT32_MAX ||
	    timeout > INT32_MAX) {
		client_finish(c, CLIENT_PROTOCOL, "the server's open packet is malformed");
	} else if (!cs->pings_known) {
		deadlines_init(&cs->pings, cs->loop, interval + timeout,
			       client_on_deadline, cs);
		cs->pings_known = true;
	}
	json_decref(open);
	if (c->state == OPENING)
		send_connect(c);
}

static void on_connect_error(struct client *c, struct slice json)
{
	json_t *v = json_loadb(json.p, json.n, JSON_DECODE_ANY, NULL);
	const char *message = json_string_value(json_object_get(v, "message"));

	if (message == NULL)
		message = json_string_value(v);
	client_finish(c, CLIENT_REFUSED, "%s",
	       message != NULL ? message : "connect_error without a message");
	json_decref(v);
}

static void on_joined(struct client *c)
{
	c->state = JOINED;
	free(c->handshake);
	c->handshake = NULL;
	deadline_drop(&c->deadline);
	deadline_arm(&c->cs->pings, &c->deadline);
	c->cs->ops->joined(c, c->arg);
}

static void on_sio(struct client *c, struct slice data)
{
	const struct client_ops *ops = c->cs->ops;
	struct sio_packet p;

	if (sio_packet_parse(data, &p) != 0) {
		client_finish(c, CLIENT_PROTOCOL, "the server sent a malformed packet");
		return;
	}
	if (p.nsp.n != 1)	/* another namespace than ours */
		return;
	switch (p.type) {
	case SIO_CONNECT:
		if (c->state == OPENING && c->cs->pings_known)
			on_joined(c);
		break;
	case SIO_CONNECT_ERROR:
		on_connect_error(c, p.json);
		break;
	case SIO_DISCONNECT:
		client_finish(c, CLIENT_KICKED, "the server disconnected the user");
		break;
	case SIO_EVENT:
		if (c->state == JOINED)
			ops->event(c, c->arg, p.json, p.ack);
		break;
	case SIO_ACK:
		if (c->state == JOINED && ops->ack != NULL && p.ack >= 0)
			ops->ack(c, c->arg, p.json, p.ack);
		break;
	case SIO_BINARY_EVENT:
	case SIO_BINARY_ACK:
		break;
	}
}

static void on_text(struct client *c, struct slice text)
{
	struct eio_packet p;

	if (eio_packet_parse(text, &p) != 0) {
		client_finish(c, CLIENT_PROTOCOL, "the server sent a malformed packet");
		return;
	}
	switch (p.type) {
	case EIO_OPEN:
		on_open(c, p.data);
		break;
	case EIO_PING:
		client_send_frame(c, WS_TEXT, SLICE("3"));
		if (c->state == JOINED)
			deadline_arm(&c->cs->pings, &c->deadline);
		break;
	case EIO_MESSAGE:
		on_sio(c, p.data);
		break;
	case EIO_CLOSE:		/* ignored on a WebSocket, as by the stock client */
	case EIO_PONG:
	case EIO_UPGRADE:
	case EIO_NOOP:
		break;
	}
}

/* --- frames --- */

static void on_close_frame(struct client *c, struct slice payload)
{
	unsigned code = 0;

	if (payload.n >= 2)
		code = (unsigned)(unsigned char)payload.p[0] << 8 |
		       (unsigned char)payload.p[1];
	client_send_frame(c, WS_CLOSE, payload);
	if (code != 0)
		client_finish(c, CLIENT_CLOSED, "the server closed the connection (%u)",
		       code);
	else
		client_finish(c, CLIENT_CLOSED, "the server closed the connection");
}

static void on_frame(struct client *c, const struct ws_frame *f)
{
	switch (f->op) {
	case WS_CLOSE:
		on_close_frame(c, f->payload);
		return;
	case WS_PING:
		client_send_frame(c, WS_PONG, f->payload);
		return;
	case WS_PONG:
		return;
	case WS_BINARY:		/* attachments: nothing here uses them */
		if (!f->final)
			client_finish(c, CLIENT_PROTOCOL, "a fragmented binary message");
		return;
	case WS_TEXT:
		if (f->final) {
			on_text(c, f->payload);
			return;
		}
		break;
	case WS_CONTINUATION:
		break;
	}
	if ((f->op == WS_CONTINUATION) != (c->parts.len > 0) ||
	    c->parts.len + f->payload.n > FRAME_MAX) {
		client_finish(c, CLIENT_PROTOCOL, "the server sent frames out of order");
		return;
	}
	buf_add(&c->parts, f->payload.p, f->payload.n);
	if (f->final) {
		on_text(c, buf_slice(&c->parts));
		buf_free(&c->parts);
	}
}

static long take_upgrade(struct client *c, struct slice in)
{
	char err[256];
	long used = upgrade_answer(in, c->handshake->accept, err);

	if (used < 0)
		client_finish(c, CLIENT_NOT_UPGRADED, "%s", err);
	else if (used > 0)
		c->state = OPENING;
	return used;
}

static long take_frame(struct client *c, struct slice in)
{
	struct ws_frame f;
	long used = ws_frame_parse(in, FRAME_MAX, &f);

	if (used < 0)
		client_finish(c, CLIENT_PROTOCOL, used == -EMSGSIZE
			? "the server sent a frame that is too long"
			: "the server sent a malformed frame");
	else if (used > 0)
		on_frame(c, &f);
	return used;
}

size_t client_take(struct client *c, struct slice in)
{
	size_t at = 0;

	while (at < in.n && c->state < LEAVING) {
		struct slice rest = { in.p + at, in.n - at };
		long used = c->state == UPGRADING ? take_upgrade(c, rest)
						  : take_frame(c, rest);

		if (used <= 0)
			break;
		at += (size_t)used;
	}
	return at;
}
