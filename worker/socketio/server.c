#include "worker/socketio/impl.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

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
	struct sio_nsp *nsp = sio_nsp_find(sv, slice_of(name));

	if (nsp != NULL) {
		nsp->ops = *ops;
		return;
	}
	nsp = mem_zalloc(sizeof(*nsp));
	nsp->name.p = mem_strdup(name);
	nsp->name.n = strlen(name);
	nsp->ops = *ops;
	list_append(&sv->namespaces, &nsp->node);
}

struct sio_nsp *sio_nsp_find(struct sio_server *sv, struct slice name)
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
		sio_got_attachment(c, data);
	else if (c->assembly != NULL)
		sio_protocol_error(c, "text where an attachment was due");
	else
		sio_got_text(c, data);
}

static void on_confirmed(void *up, uint32_t mark)
{
	struct sio_conn *c = up;
	struct list *pos, *tmp;

	LIST_FOREACH_SAFE(pos, tmp, &c->sockets) {
		struct sio_socket *k = LIST_ENTRY(pos, struct sio_socket, node);

		if (eio_session_closing(c->session))	/* a socket ended it */
			break;
		if (k->accepted)
			k->nsp->ops.confirmed(k->up, k, mark);
	}
}

static bool on_busy(void *up)
{
	struct sio_conn *c = up;
	struct list *pos, *tmp;

	LIST_FOREACH_SAFE(pos, tmp, &c->sockets) {
		struct sio_socket *k = LIST_ENTRY(pos, struct sio_socket, node);

		if (k->nsp->ops.busy != NULL && k->nsp->ops.busy(k->up, k))
			return true;
	}
	return false;
}

static void on_closed(void *up, enum close_reason why)
{
	struct sio_conn *c = up;
	struct list *n;

	while ((n = list_first(&c->sockets)) != NULL) {
		struct sio_socket *k = LIST_ENTRY(n, struct sio_socket, node);

		k->nsp->ops.disconnected(k->up, k, why);
		sio_socket_free(k);
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
		.busy = on_busy,
		.closed = on_closed,
		.arg = sv,
	};
}
