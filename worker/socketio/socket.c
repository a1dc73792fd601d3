#include "worker/socketio/impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
	free(k->asks);
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
			 unsigned attachments, struct slice nsp, int64_t ack)
{
	buf_clear(&sv->out);
	sio_head_write(&sv->out, type, attachments, nsp, ack);
	return &sv->out;
}

void sio_send_error(struct sio_conn *c, struct slice nsp, const char *text,
		    const char *data)
{
	struct buf *b = begin(c->sv, SIO_CONNECT_ERROR, 0, nsp, SIO_NO_ACK);

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

int sio_restore(struct sio_socket *k, const char *sid)
{
	struct slice text = slice_of(sid);
	uint32_t instance;

	if (session_id_instance(text, &instance) != 0)
		return -EINVAL;
	memcpy(k->id, sid, sizeof(k->id));
	return 0;
}

void sio_accept(struct sio_socket *k, const char *pid)
{
	struct sio_conn *c = k->conn;
	struct buf *b;

	if (k->accepted)
		return;
	k->accepted = true;
	b = begin(c->sv, SIO_CONNECT, 0, k->nsp->name, SIO_NO_ACK);
	buf_adds(b, "{\"sid\":");
	json_out_cstr(b, k->id);
	if (pid != NULL) {
		buf_adds(b, ",\"pid\":");
		json_out_cstr(b, pid);
	}
	buf_addc(b, '}');
	eio_session_send(c->session, buf_slice(b), false);
	if (c->assembly == NULL)	/* its deadline is the same one */
		eio_session_joined(c->session);
}

void sio_refuse(struct sio_socket *k, const char *message)
{
	sio_refuse_data(k, message, NULL);
}

void sio_refuse_data(struct sio_socket *k, const char *message,
		     const char *json)
{
	struct sio_conn *c = k->conn;

	sio_send_error(c, k->nsp->name, message, json);
	sio_socket_free(k);
	if (++c->refused == SIO_REFUSALS_MAX)
		sio_protocol_error(c, "CONNECT refused again and again");
}

bool sio_send(struct sio_socket *k, struct slice frame)
{
	return eio_session_send(k->conn->session, frame, false);
}

bool sio_send_pieces(struct sio_socket *k, const struct slice *pieces, size_t n)
{
	return eio_session_send_pieces(k->conn->session, pieces, n);
}

/* All of it in one go: only what is put in meanwhile could come between. */
bool sio_send_binary(struct sio_socket *k, struct slice frame,
		     const struct slice *attachments, unsigned n)
{
	struct eio_session *s = k->conn->session;

	if (!eio_session_send(s, frame, false))
		return false;
	for (unsigned i = 0; i < n; i++)
		eio_session_send(s, attachments[i], true);
	return true;
}

int64_t sio_ask(struct sio_socket *k)
{
	if (k->asks == NULL)
		k->asks = mem_zalloc(sizeof(*k->asks));
	return sio_asks_add(k->asks);
}

void sio_ack(struct sio_socket *k, int64_t ack, struct slice json)
{
	sio_ack_binary(k, ack, json, NULL, 0);
}

void sio_ack_binary(struct sio_socket *k, int64_t ack, struct slice json,
		    const struct slice *attachments, unsigned n)
{
	struct buf *b;

	if (ack == SIO_NO_ACK)
		return;
	b = begin(k->conn->sv, n == 0 ? SIO_ACK : SIO_BINARY_ACK, n,
		  k->nsp->name, ack);
	buf_addc(b, '[');
	buf_add(b, json.p, json.n);
	buf_addc(b, ']');
	sio_send_binary(k, buf_slice(b), attachments, n);
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
		struct buf *b;

		if (!each->accepted)
			continue;
		b = begin(c->sv, SIO_DISCONNECT, 0, each->nsp->name, SIO_NO_ACK);
		eio_session_send(c->session, buf_slice(b), false);
	}
	eio_session_close(c->session, why);
}
