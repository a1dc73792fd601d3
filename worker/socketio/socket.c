#include "worker/socketio/socket.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/protocol/json_out.h"
#include "worker/socketio/assembly.h"
#include "worker/socketio/json_text.h"

struct sio_nsp {
	struct list node;
	struct slice name;	/* owned */
	struct sio_ops ops;
};

struct sio_server {
	uint32_t instance;
	struct list namespaces;
	struct buf out;		/* a frame being composed */
};

/* One Engine.IO session. */
struct sio_conn {
	struct sio_server *sv;
	struct eio_session *session;
	struct list sockets;
	struct sio_assembly *assembly;	/* attachments are awaited */
};

struct sio_socket {
	struct list node;
	struct sio_conn *conn;
	struct sio_nsp *nsp;
	void *up;
	bool accepted;
	char id[SESSION_ID_LEN + 1];
};

struct sio_server *sio_server_new(uint32_t instance)
{
	struct sio_server *sv = mem_zalloc(sizeof(*sv));

	sv->instance = instance;
	list_init(&sv->namespaces);
	return sv;
}

void sio_server_free(struct sio_server **svp)
{
	struct sio_server *sv = *svp;
	struct list *n;

	if (sv == NULL)
		return;
	while ((n = list_shift(&sv->namespaces)) != NULL) {
		struct sio_nsp *nsp = LIST_ENTRY(n, struct sio_nsp, node);

		free((char *)nsp->name.p);
		free(nsp);
	}
	buf_free(&sv->out);
	free(sv);
	*svp = NULL;
}

void sio_server_namespace(struct sio_server *sv, const char *name,
			  const struct sio_ops *ops)
{
	struct sio_nsp *nsp = mem_zalloc(sizeof(*nsp));

	nsp->name.p = mem_strdup(name);
	nsp->name.n = strlen(name);
	nsp->ops = *ops;
	list_append(&sv->namespaces, &nsp->node);
}

static struct sio_nsp *find_nsp(struct sio_server *sv, struct slice name)
{
	struct list *pos, *tmp;

	LIST_FOREACH_SAFE(pos, tmp, &sv->namespaces) {
		struct sio_nsp *nsp = LIST_ENTRY(pos, struct sio_nsp, node);

		if (nsp->name.n == name.n &&
		    memcmp(nsp->name.p, name.p, name.n) == 0)
			return nsp;
	}
	return NULL;
}

static struct sio_socket *find_socket(struct sio_conn *c,
				      const struct sio_nsp *nsp)
{
	struct list *pos, *tmp;

	LIST_FOREACH_SAFE(pos, tmp, &c->sockets) {
		struct sio_socket *k = LIST_ENTRY(pos, struct sio_socket, node);

		if (k->nsp == nsp)
			return k;
	}
	return NULL;
}

static void free_socket(struct sio_socket *k)
{
	list_remove(&k->node);
	free(k);
}

static void protocol_error(struct sio_conn *c, const char *what)
{
	log_debug("protocol error: %s", what);
	eio_session_close(c->session, CLOSE_PROTOCOL);
}

/* Starts a frame in the server's one buffer. */
static struct buf *begin(struct sio_server *sv, enum sio_type type,
			 struct slice nsp, int64_t ack)
{
	buf_clear(&sv->out);
	sio_head_write(&sv->out, type, nsp, ack);
	return &sv->out;
}

static void send_error(struct sio_conn *c, struct slice nsp, const char *text)
{
	struct buf *b = begin(c->sv, SIO_CONNECT_ERROR, nsp, SIO_NO_ACK);

	buf_adds(b, "{\"message\":");
	json_out_cstr(b, text);
	buf_addc(b, '}');
	eio_session_send(c->session, buf_slice(b), false);
}

static bool too_large(const struct sio_nsp *nsp, const struct sio_packet *p)
{
	return nsp->ops.event_max != 0 && p->json.n > nsp->ops.event_max;
}

static void got_connect(struct sio_conn *c, const struct sio_packet *p)
{
	struct sio_nsp *nsp = find_nsp(c->sv, p->nsp);
	struct sio_socket *k;
	json_t *auth;

	if (nsp == NULL) {
		send_error(c, p->nsp, "Invalid namespace");
		return;
	}
	if (find_socket(c, nsp) != NULL) {
		protocol_error(c, "second CONNECT");
		return;
	}
	if (too_large(nsp, p)) {
		protocol_error(c, "CONNECT payload's size");
		return;
	}
	auth = p->json.n != 0 ? json_text_load(p->json) : json_object();
	if (!json_is_object(auth)) {
		protocol_error(c, "CONNECT payload");
		json_decref(auth);
		return;
	}
	k = mem_zalloc(sizeof(*k));
	k->conn = c;
	k->nsp = nsp;
	session_id_make(c->sv->instance, k->id);
	list_append(&c->sockets, &k->node);
	nsp->ops.connect(nsp->ops.arg, k, auth);	/* k may be gone now */
	json_decref(auth);
}

static void got_disconnect(struct sio_socket *k)
{
	k->nsp->ops.disconnected(k->up, k, CLOSE_CLIENT);
	free_socket(k);
}

/* The event's name, borrowed from `value` or written to number; NULL when it
 * can be none. */
static const char *event_name(const json_t *value, char *number, size_t n)
{
	const char *name = json_string_value(value);

	if (name != NULL) {
		if (strlen(name) != json_string_length(value))
			return "";
		return sio_event_reserved(name) ? NULL : name;
	}
	if (json_is_integer(value))
		snprintf(number, n, "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
	else if (json_is_real(value))
		snprintf(number, n, "%.17g", json_real_value(value));
	else
		return NULL;
	return number;
}

/* name: the value in the place of the event's name. */
static void deliver_event(struct sio_conn *c, struct sio_socket *k,
			  const json_t *name, struct sio_event *e)
{
	char number[32];

	e->name = event_name(name, number, sizeof(number));
	if (e->name == NULL)
		protocol_error(c, "event name");
	else
		k->nsp->ops.event(k->up, k, e);
}

/* Costs no more than its name. */
static void deliver_too_large(struct sio_conn *c, struct sio_socket *k,
			      struct slice text, struct sio_event *e)
{
	json_t *name = json_text_first(text, SIO_NAME_MAX);

	e->too_large = true;
	deliver_event(c, k, name, e);
	json_decref(name);
}

/* The whole text of an event. e: all but its name and arguments. */
static void deliver_text(struct sio_conn *c, struct sio_socket *k,
			 struct slice text, struct sio_event *e)
{
	json_t *args = json_text_load(text);
	json_t *name = json_incref(json_array_get(args, 0));

	if (!json_is_array(args) ||
	    (e->binary && !sio_placeholders_ok(args, e->nattachments))) {
		protocol_error(c, "event payload");
	} else {
		json_array_remove(args, 0);
		e->args = args;
		deliver_event(c, k, name, e);
	}
	json_decref(name);
	json_decref(args);
}

static void got_event(struct sio_conn *c, struct sio_socket *k,
		      const struct sio_packet *p)
{
	struct sio_event e = { .ack = p->ack };

	if (p->json.n == 0)	/* tolerated, and nothing to deliver */
		return;
	if (too_large(k->nsp, p))
		deliver_too_large(c, k, p->json, &e);
	else
		deliver_text(c, k, p->json, &e);
}

/* We ask for no acknowledgements: checked, then dropped. */
static void got_ack(struct sio_conn *c, const struct sio_nsp *nsp,
		    const struct sio_packet *p)
{
	json_t *args;

	if (p->json.n == 0 || too_large(nsp, p))
		return;
	args = json_text_load(p->json);
	if (!json_is_array(args))
		protocol_error(c, "acknowledgement payload");
	json_decref(args);
}

/* What is not kept is checked now, as far as it can be: a new reference to the
 * name's place, or NULL. */
static json_t *check_binary(const struct sio_packet *p)
{
	json_t *args = json_text_load(p->json);
	json_t *name = json_array_get(args, 0);
	bool ok = json_is_array(args) &&
		  sio_placeholders_ok(args, p->attachments);
	char number[32];

	if (p->type == SIO_BINARY_ACK)
		name = json_null();
	else
		ok = ok && event_name(name, number, sizeof(number)) != NULL;
	name = ok ? json_incref(name) : NULL;
	json_decref(args);
	return name;
}

static void got_binary_head(struct sio_conn *c, struct sio_nsp *nsp,
			    const struct sio_packet *p)
{
	bool large = too_large(nsp, p);
	bool keep = nsp->ops.attachments && p->type == SIO_BINARY_EVENT &&
		    !large;
	json_t *name = NULL;

	if (large)
		name = json_text_first(p->json, SIO_NAME_MAX);
	else if (!keep)
		name = check_binary(p);
	if (keep ? p->json.n == 0 : name == NULL) {
		protocol_error(c, "binary payload");
		return;
	}
	c->assembly = sio_assembly_new(p, nsp, name, keep);
	c->assembly->too_large = large;
	eio_session_await(c->session);
}

static void deliver_assembly(struct sio_conn *c, struct sio_socket *k,
			     const struct sio_assembly *a)
{
	struct slice attachments[SIO_ATTACHMENTS_MAX];
	struct sio_event e = {
		.ack = a->ack, .binary = true, .too_large = a->too_large,
	};

	if (a->keep) {
		sio_assembly_slices(a, attachments);
		e.attachments = attachments;
		e.nattachments = a->count;
		deliver_text(c, k, buf_slice(&a->text), &e);
	} else {
		deliver_event(c, k, a->name, &e);
	}
}

static void got_attachment(struct sio_conn *c, struct slice data)
{
	struct sio_assembly *a = c->assembly;
	struct sio_socket *k;

	if (a == NULL) {
		protocol_error(c, "unexpected attachment");
		return;
	}
	if (!sio_assembly_add(a, data))
		return;
	c->assembly = NULL;
	eio_session_joined(c->session);
	k = find_socket(c, a->nsp);
	if (a->type == SIO_BINARY_EVENT && k != NULL)
		deliver_assembly(c, k, a);
	sio_assembly_free(&a);
}

static void got_text(struct sio_conn *c, struct slice text)
{
	struct sio_packet p;
	struct sio_socket *k = NULL;
	struct sio_nsp *nsp;

	if (sio_packet_parse(text, &p) != 0) {
		protocol_error(c, "packet");
		return;
	}
	if (p.type == SIO_CONNECT) {
		got_connect(c, &p);
		return;
	}
	nsp = find_nsp(c->sv, p.nsp);
	if (nsp != NULL)
		k = find_socket(c, nsp);
	/* DISCONNECT may overtake our answer to CONNECT, nothing else may. */
	if (k == NULL || (!k->accepted && p.type != SIO_DISCONNECT)) {
		protocol_error(c, "packet for a namespace not connected");
		return;
	}
	switch (p.type) {
	case SIO_DISCONNECT:
		got_disconnect(k);
		break;
	case SIO_EVENT:
		got_event(c, k, &p);
		break;
	case SIO_ACK:
		got_ack(c, nsp, &p);
		break;
	case SIO_BINARY_EVENT:
	case SIO_BINARY_ACK:
		got_binary_head(c, nsp, &p);
		break;
	case SIO_CONNECT:
	case SIO_CONNECT_ERROR:
		protocol_error(c, "CONNECT_ERROR from a client");
		break;
	}
}

static void *on_opened(void *arg, struct eio_session *s)
{
	struct sio_conn *c = mem_zalloc(sizeof(*c));

	c->sv = arg;
	c->session = s;
	list_init(&c->sockets);
	return c;
}

static void on_message(void *up, struct slice data, bool binary)
{
	struct sio_conn *c = up;

	if (binary)
		got_attachment(c, data);
	else if (c->assembly != NULL)
		protocol_error(c, "text where an attachment was due");
	else
		got_text(c, data);
}

static void on_confirmed(void *up, uint32_t mark)
{
	struct sio_conn *c = up;
	struct list *pos, *tmp;

	LIST_FOREACH_SAFE(pos, tmp, &c->sockets) {
		struct sio_socket *k = LIST_ENTRY(pos, struct sio_socket, node);

		if (k->accepted)
			k->nsp->ops.confirmed(k->up, k, mark);
	}
}

static void on_closed(void *up, enum close_reason why)
{
	struct sio_conn *c = up;
	struct list *n;

	while ((n = list_first(&c->sockets)) != NULL) {
		struct sio_socket *k = LIST_ENTRY(n, struct sio_socket, node);

		k->nsp->ops.disconnected(k->up, k, why);
		free_socket(k);
	}
	sio_assembly_free(&c->assembly);
	free(c);
}

struct eio_ops sio_server_eio_ops(struct sio_server *sv)
{
	return (struct eio_ops){
		.opened = on_opened,
		.message = on_message,
		.confirmed = on_confirmed,
		.closed = on_closed,
		.arg = sv,
	};
}

void sio_socket_attach(struct sio_socket *k, void *up)
{
	k->up = up;
}

const char *sio_socket_id(const struct sio_socket *k)
{
	return k->id;
}

struct eio_session *sio_socket_session(const struct sio_socket *k)
{
	return k->conn->session;
}

const char *sio_socket_namespace(const struct sio_socket *k)
{
	return k->nsp->name.p;
}

void sio_accept(struct sio_socket *k)
{
	struct buf *b = begin(k->conn->sv, SIO_CONNECT, k->nsp->name, SIO_NO_ACK);

	if (k->accepted)
		return;
	k->accepted = true;
	buf_adds(b, "{\"sid\":");
	json_out_cstr(b, k->id);
	buf_addc(b, '}');
	eio_session_send(k->conn->session, buf_slice(b), false);
	if (k->conn->assembly == NULL)	/* its deadline is the same one */
		eio_session_joined(k->conn->session);
}

void sio_refuse(struct sio_socket *k, const char *message)
{
	send_error(k->conn, k->nsp->name, message);
	free_socket(k);
}

bool sio_send(struct sio_socket *k, struct slice frame)
{
	return eio_session_send(k->conn->session, frame, false);
}

void sio_ack(struct sio_socket *k, int64_t ack, struct slice json)
{
	struct buf *b;

	if (ack == SIO_NO_ACK)
		return;
	b = begin(k->conn->sv, SIO_ACK, k->nsp->name, ack);
	buf_addc(b, '[');
	buf_add(b, json.p, json.n);
	buf_addc(b, ']');
	eio_session_send(k->conn->session, buf_slice(b), false);
}

uint32_t sio_mark(struct sio_socket *k)
{
	return eio_session_mark(k->conn->session);
}

void sio_disconnect(struct sio_socket *k, enum close_reason why)
{
	struct sio_conn *c = k->conn;
	struct list *pos, *tmp;

	LIST_FOREACH_SAFE(pos, tmp, &c->sockets) {
		struct sio_socket *each = LIST_ENTRY(pos, struct sio_socket, node);

		if (each->accepted)
			eio_session_send(c->session,
					 buf_slice(begin(c->sv, SIO_DISCONNECT,
							 each->nsp->name,
							 SIO_NO_ACK)),
					 false);
	}
	eio_session_close(c->session, why);
}
