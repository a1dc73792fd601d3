#include "worker/socketio/impl.h"

#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/protocol/json_out.h"

struct sio_socket *sio_socket_new(struct sio_conn *c, struct sio_nsp *nsp)
{
	struct sio_socket *k = mem_zalloc(sizeof(*k));

	k->conn = c;
	k->nsp = nsp;
	session_id_make(c->sv->instance, k->id);
	list_append(&c->sockets, &k->node);
	return k;
}

void sio_socket_free(struct sio_socket *k)
{
	list_remove(&k->node);
	free(k);
}

struct sio_socket *sio_socket_find(struct sio_conn *c,
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

void sio_protocol_error(struct sio_conn *c, const char *what)
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

void sio_send_error(struct sio_conn *c, struct slice nsp, const char *text,
		    const char *data)
{
	struct buf *b = begin(c->sv, SIO_CONNECT_ERROR, nsp, SIO_NO_ACK);

	buf_adds(b, "{\"message\":");
	json_out_cstr(b, text);
	if (data != NULL)
		buf_printf(b, ",\"data\":%s", data);
	buf_addc(b, '}');
	eio_session_send(c->session, buf_slice(b), false);
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
	sio_refuse_data(k, message, NULL);
}

void sio_refuse_data(struct sio_socket *k, const char *message,
		     const char *json)
{
	sio_send_error(k->conn, k->nsp->name, message, json);
	sio_socket_free(k);
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
