#include "tests/conformance/peers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

struct event {
	struct list node;
	uint64_t number;
	unsigned n;
	struct buf parts[1 + SIO_ATTACHMENTS_MAX];	/* the frame first */
};

static void send_event(struct sio_socket *k, const struct event *e)
{
	struct slice attachments[SIO_ATTACHMENTS_MAX];

	for (unsigned i = 0; i < e->n; i++)
		attachments[i] = buf_slice(&e->parts[1 + i]);
	sio_send_binary(k, buf_slice(&e->parts[0]), attachments, e->n);
}

static void forget_first(struct peer *p)
{
	struct event *e = LIST_ENTRY(list_shift(&p->events), struct event, node);

	for (unsigned i = 0; i <= e->n; i++)
		buf_free(&e->parts[i]);
	free(e);
	p->nevents--;
}

static void remember(struct peer *p, struct slice frame,
		     const struct slice *attachments, unsigned n)
{
	struct event *e = mem_zalloc(sizeof(*e));

	e->number = p->last;
	e->n = n;
	buf_add(&e->parts[0], frame.p, frame.n);
	for (unsigned i = 0; i < n; i++)
		buf_add(&e->parts[1 + i], attachments[i].p, attachments[i].n);
	list_append(&p->events, &e->node);
	if (++p->nevents > PEER_EVENTS_MAX)
		forget_first(p);
}

static void peer_free(struct peer *p)
{
	while (p->nevents > 0)
		forget_first(p);
	timer_free(&p->greeting);
	json_decref(p->auth);
	list_remove(&p->node);
	free(p);
}

void peers_init(struct peers *ps, uint32_t instance, bool recovery)
{
	*ps = (struct peers){ .instance = instance, .recovery = recovery };
	list_init(&ps->list);
}

void peers_free(struct peers *ps)
{
	struct list *n;

	while ((n = list_first(&ps->list)) != NULL)
		peer_free(LIST_ENTRY(n, struct peer, node));
}

static struct peer *find(struct peers *ps, const char *pid, const char *nsp)
{
	struct list *pos, *tmp;

	LIST_FOREACH_SAFE(pos, tmp, &ps->list) {
		struct peer *p = LIST_ENTRY(pos, struct peer, node);

		if (strcmp(p->pid, pid) == 0 && strcmp(p->nsp, nsp) == 0)
			return p;
	}
	return NULL;
}

/* The number that an offset names; false when what followed is not all here. */
static bool read_offset(const struct peer *p, const char *offset,
			uint64_t *number_out)
{
	char again[32];

	*number_out = offset[0] == 'o' ? strtoull(offset + 1, NULL, 10) : 0;
	snprintf(again, sizeof(again), "o%" PRIu64, *number_out);
	return strcmp(again, offset) == 0 && *number_out <= p->last &&
	       *number_out + p->nevents >= p->last;
}

static struct peer *new_peer(struct peers *ps, struct sio_socket *k)
{
	struct peer *p = mem_zalloc(sizeof(*p));

	list_init(&p->events);
	session_id_make(ps->instance, p->pid);
	snprintf(p->nsp, sizeof(p->nsp), "%s", sio_socket_namespace(k));
	strcpy(p->sid, sio_socket_id(k));
	list_append(&ps->list, &p->node);
	return p;
}

/* It may be here still, when we have not noticed yet that it went. */
static void come_back(struct peers *ps, struct peer *p, struct sio_socket *k,
		      uint64_t number)
{
	struct list *pos, *tmp;

	if (p->socket != NULL)
		sio_socket_attach(p->socket, NULL);
	else
		ps->away--;
	if (sio_restore(k, p->sid) != 0)
		abort();
	LIST_FOREACH_SAFE(pos, tmp, &p->events) {
		struct event *e = LIST_ENTRY(pos, struct event, node);

		if (e->number > number)
			send_event(k, e);
	}
}

struct peer *peer_enter(struct peers *ps, struct sio_socket *k,
			const struct sio_connect *from)
{
	struct peer *p = NULL;
	uint64_t number;

	if (ps->recovery && from->pid != NULL)
		p = find(ps, from->pid, sio_socket_namespace(k));
	if (p != NULL && read_offset(p, from->offset, &number))
		come_back(ps, p, k, number);
	else
		p = new_peer(ps, k);
	p->socket = k;
	sio_socket_attach(k, p);
	return p;
}

void peer_leave(struct peers *ps, struct peer *p)
{
	struct list *pos, *tmp;

	if (!ps->recovery) {
		peer_free(p);
		return;
	}
	p->socket = NULL;
	list_remove(&p->node);
	list_append(&ps->list, &p->node);
	if (++ps->away <= PEERS_AWAY_MAX)
		return;
	LIST_FOREACH_SAFE(pos, tmp, &ps->list) {
		struct peer *old = LIST_ENTRY(pos, struct peer, node);

		if (old->socket == NULL) {
			ps->away--;
			peer_free(old);
			return;
		}
	}
}

void peer_send(const struct peers *ps, struct peer *p, struct buf *frame,
	       const struct slice *attachments, unsigned n)
{
	size_t without = frame->len;

	if (ps->recovery)
		buf_printf(frame, ",\"o%" PRIu64 "\"", ++p->last);
	buf_addc(frame, ']');
	if (ps->recovery)
		remember(p, buf_slice(frame), attachments, n);
	if (p->socket != NULL)
		sio_send_binary(p->socket, buf_slice(frame), attachments, n);
	frame->len = without;
}
