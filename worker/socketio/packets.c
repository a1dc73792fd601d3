#include "worker/socketio/impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "worker/socketio/json_text.h"

static bool too_large(const struct sio_nsp *nsp, const struct sio_packet *p)
{
	return nsp->ops.event_max != 0 && p->json.n > nsp->ops.event_max;
}

/* A string of a CONNECT's object, that something of ours may be in. */
static const char *remembered(const json_t *auth, const char *key, size_t max)
{
	const json_t *j = json_object_get(auth, key);
	const char *text = json_string_value(j);

	return text != NULL && json_string_length(j) <= max &&
	       strlen(text) == json_string_length(j) ? text : NULL;
}

static void connect_socket(struct sio_conn *c, struct sio_nsp *nsp,
			   json_t *auth)
{
	struct sio_socket *k = sio_socket_new(c, nsp);
	struct sio_connect from = {
		.auth = auth,
		.pid = remembered(auth, "pid", SIO_PID_MAX),
		.offset = remembered(auth, "offset", SIO_OFFSET_MAX),
	};

	if (from.pid == NULL || from.offset == NULL)
		from.pid = from.offset = NULL;
	nsp->ops.connect(nsp->ops.arg, k, &from);	/* k may be gone now */
}

static bool too_many(struct sio_conn *c)
{
	uint32_t second = (uint32_t)(clock_mono_ms() / 1000);

	if (second != c->second)
		c->connects = 0;
	c->second = second;
	return ++c->connects > SIO_CONNECTS_MAX;
}

static void got_connect(struct sio_conn *c, const struct sio_packet *p)
{
	struct sio_nsp *nsp = sio_nsp_find(c->sv, p->nsp);
	json_t *auth;

	if (nsp == NULL) {
		sio_send_error(c, p->nsp, "Invalid namespace", NULL);
		return;
	}
	if (sio_socket_find(c, nsp) != NULL) {
		sio_protocol_error(c, "second CONNECT");
		return;
	}
	if (too_large(nsp, p)) {
		sio_protocol_error(c, "CONNECT payload's size");
		return;
	}
	if (too_many(c)) {
		sio_protocol_error(c, "CONNECT again and again");
		return;
	}
	auth = p->json.n != 0 ? json_text_load(p->json) : json_object();
	if (json_is_object(auth))
		connect_socket(c, nsp, auth);
	else
		sio_protocol_error(c, "CONNECT payload");
	json_decref(auth);
}

static void got_disconnect(struct sio_socket *k)
{
	k->nsp->ops.disconnected(k->up, k, CLOSE_CLIENT);
	sio_socket_free(k);
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
		sio_protocol_error(c, "event name");
	else
		k->nsp->ops.event(k->up, k, e);
}

/* One that nobody waits for (any more) is dropped. */
static void deliver_ack(struct sio_socket *k, const struct sio_event *e)
{
	if (sio_asks_take(k->asks, e->ack))
		k->nsp->ops.acked(k->up, k, e);
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

/* The whole text of an event or acknowledgement. e: all but what is in it. */
static void deliver_text(struct sio_conn *c, struct sio_socket *k, bool ack,
			 struct slice text, struct sio_event *e)
{
	json_t *args = json_text_load(text);
	json_t *name = NULL;

	if (!json_is_array(args) ||
	    (e->binary && !sio_placeholders_ok(args, e->nattachments))) {
		sio_protocol_error(c, "payload");
	} else if (ack) {
		e->args = args;
		deliver_ack(k, e);
	} else {
		name = json_incref(json_array_get(args, 0));
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
		deliver_text(c, k, false, p->json, &e);
}

static void got_ack(struct sio_conn *c, struct sio_socket *k,
		    const struct sio_packet *p)
{
	struct sio_event e = {
		.ack = p->ack, .too_large = too_large(k->nsp, p),
	};

	if (e.too_large)
		deliver_ack(k, &e);
	else
		deliver_text(c, k, true,
			     p->json.n != 0 ? p->json : SLICE("[]"), &e);
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
	bool keep = nsp->ops.attachments && !large;
	json_t *name = NULL;

	if (large)
		name = json_text_first(p->json, SIO_NAME_MAX);
	else if (!keep)
		name = check_binary(p);
	if (keep ? p->json.n == 0 : name == NULL) {
		sio_protocol_error(c, "binary payload");
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
	bool ack = a->type == SIO_BINARY_ACK;
	struct sio_event e = {
		.ack = a->ack, .binary = true, .too_large = a->too_large,
	};

	if (a->keep) {
		sio_assembly_slices(a, attachments);
		e.attachments = attachments;
		e.nattachments = a->count;
		deliver_text(c, k, ack, buf_slice(&a->text), &e);
	} else if (ack) {
		deliver_ack(k, &e);
	} else {
		deliver_event(c, k, a->name, &e);
	}
}

void sio_got_attachment(struct sio_conn *c, struct slice data)
{
	struct sio_assembly *a = c->assembly;
	struct sio_socket *k;

	if (a == NULL) {
		sio_protocol_error(c, "unexpected attachment");
		return;
	}
	if (!sio_assembly_add(a, data))
		return;
	c->assembly = NULL;
	eio_session_joined(c->session);
	k = sio_socket_find(c, a->nsp);
	if (k != NULL)
		deliver_assembly(c, k, a);
	sio_assembly_free(&a);
}

void sio_got_text(struct sio_conn *c, struct slice text)
{
	struct sio_packet p;
	struct sio_socket *k = NULL;
	struct sio_nsp *nsp;

	if (sio_packet_parse(text, &p) != 0) {
		sio_protocol_error(c, "packet");
		return;
	}
	if (p.type == SIO_CONNECT) {
		got_connect(c, &p);
		return;
	}
	nsp = sio_nsp_find(c->sv, p.nsp);
	if (nsp != NULL)
		k = sio_socket_find(c, nsp);
	/* DISCONNECT may overtake our answer to CONNECT, nothing else may. */
	if (k == NULL || (!k->accepted && p.type != SIO_DISCONNECT)) {
		sio_protocol_error(c, "packet for a namespace not connected");
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
		got_ack(c, k, &p);
		break;
	case SIO_BINARY_EVENT:
	case SIO_BINARY_ACK:
		got_binary_head(c, nsp, &p);
		break;
	case SIO_CONNECT:
	case SIO_CONNECT_ERROR:
		sio_protocol_error(c, "CONNECT_ERROR from a client");
		break;
	}
}
