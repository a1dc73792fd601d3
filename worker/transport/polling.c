#include "worker/transport/polling.h"

#include <errno.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/protocol/eio_payload.h"
#include "worker/engineio/outbox.h"
#include "worker/engineio/session.h"
#include "worker/transport/conn.h"
#include "worker/transport/farewell.h"
#include "worker/transport/transport.h"

/* Memory for bodies being made is kept up to this. */
#define SCRATCH_MAX 65536
/* Of one POST. All are dealt with in one turn, in which nobody else is: more
 * than any client means to send, and the time is still some milliseconds. */
#define PACKETS_MAX 16384

struct pollings {
	struct eio_sessions *sessions;
	struct farewells *farewells;
	struct list all;
	struct buf payload;	/* an answer's body */
	struct buf binary;	/* a message, decoded */
};

struct polling {
	struct transport transport;
	struct list node;
	struct pollings *ps;
	struct eio_session *session;	/* NULL: let go */
	struct conn *get;		/* waits, or is being answered */
	struct conn *post;		/* its body is being read */
	bool answering;			/* get: of no more use */
};

static const struct transport_ops polling_ops;

static void polling_free(struct polling *p)
{
	list_remove(&p->node);
	free(p);
}

static void trim(struct buf *b)
{
	if (b->cap > SCRATCH_MAX)
		buf_free(b);
}

static void answer(struct conn *c, struct slice payload)
{
	struct response r = {
		.status = 200,
		.type = "text/plain; charset=UTF-8",
		.fields = "Cache-Control: no-store\r\n",
		.body = payload,
	};

	conn_answer(c, &r);
}

/* All that waits, as one payload. Borrowed. */
static struct buf *collect(struct pollings *ps, struct outbox *o)
{
	struct slice packet;
	bool binary;

	buf_clear(&ps->payload);
	buf_reserve(&ps->payload, outbox_size(o));
	while (outbox_peek(o, &packet, &binary)) {
		eio_payload_add(&ps->payload, packet, binary);
		outbox_pop(o);
	}
	return &ps->payload;
}

/* The waiting GET's last answer; an answer that is on its way goes on. */
static void release_get(struct polling *p, struct slice payload)
{
	struct conn *c = p->get;

	p->get = NULL;
	if (c == NULL)
		return;
	conn_detach(c);
	if (!p->answering)
		answer(c, payload);
}

static void cut_post(struct polling *p)
{
	struct conn *c = p->post;

	p->post = NULL;
	if (c != NULL)
		conn_cut(c);
}

/* --- what the session asks for --- */

static int polling_flush(struct transport *t, struct outbox *o)
{
	struct polling *p = CONTAINER_OF(t, struct polling, transport);

	if (p->get == NULL || p->answering)
		return 0;
	p->answering = true;
	answer(p->get, buf_slice(collect(p->ps, o)));
	trim(&p->ps->payload);
	return 0;
}

static bool polling_waiting(const struct transport *t)
{
	const struct polling *p = CONTAINER_OF(t, struct polling, transport);

	return p->get != NULL && !p->answering;
}

/* A client that cannot know of the end yet is told so at its next GET. What
 * broke off is not worth telling. */
static bool is_worth_telling(enum close_reason why)
{
	return why == CLOSE_AUTH || why == CLOSE_SERVER || why == CLOSE_PROTOCOL;
}

/* rest: for the GET that waits, or else for the next one; the end itself for the
 * one after it. */
static void say_farewell(struct polling *p, struct slice rest)
{
	bool waits = polling_waiting(&p->transport);

	farewell_keep(p->ps->farewells, eio_session_sid(p->session),
		      waits ? (struct slice){ 0 } : rest);
	release_get(p, rest);
}

static void polling_close(struct transport *t, struct outbox *rest,
			  enum close_reason why)
{
	struct polling *p = CONTAINER_OF(t, struct polling, transport);
	struct pollings *ps = p->ps;
	bool told = is_worth_telling(why);
	struct slice payload = buf_slice(collect(ps, rest));

	if (why == CLOSE_OUTBOX && p->get != NULL && p->answering)
		conn_cut(p->get);	/* what it does not read is not kept */
	else if (why == CLOSE_CLIENT)	/* it said goodbye itself */
		release_get(p, SLICE("6"));
	else if (told && (payload.n != 0 || !polling_waiting(t)))
		say_farewell(p, payload);
	else
		release_get(p, SLICE("1"));
	if (told && p->post != NULL)
		conn_detach(p->post);	/* it may end as it would have */
	else
		cut_post(p);
	trim(&ps->payload);
	polling_free(p);
}

static void polling_left(struct transport *t)
{
	struct polling *p = CONTAINER_OF(t, struct polling, transport);

	release_get(p, SLICE("1"));
	cut_post(p);
	polling_free(p);
}

static const struct transport_ops polling_ops = {
	.name = "polling",
	.upgradable = true,
	.flush = polling_flush,
	.waiting = polling_waiting,
	.close = polling_close,
	.left = polling_left,
};

/* --- what requests ask for --- */

static void end(struct polling *p, enum close_reason why)
{
	eio_session_transport_gone(p->session, &p->transport, why);
	release_get(p, SLICE("1"));
	cut_post(p);
	polling_free(p);
}

struct pollings *pollings_new(struct eio_sessions *sessions,
			      struct farewells *farewells)
{
	struct pollings *ps = mem_zalloc(sizeof(*ps));

	ps->sessions = sessions;
	ps->farewells = farewells;
	list_init(&ps->all);
	return ps;
}

void pollings_free(struct pollings **psp)
{
	struct pollings *ps = *psp;
	struct list *n;

	if (ps == NULL)
		return;
	while ((n = list_first(&ps->all)) != NULL)
		end(LIST_ENTRY(n, struct polling, node), CLOSE_SERVER);
	buf_free(&ps->payload);
	buf_free(&ps->binary);
	free(ps);
	*psp = NULL;
}

struct polling *polling_of(const struct eio_session *s)
{
	struct transport *t = eio_session_transport(s);

	if (t == NULL || t->ops != &polling_ops)
		return NULL;
	return CONTAINER_OF(t, struct polling, transport);
}

struct polling *polling_open(struct pollings *ps, struct conn *c)
{
	struct polling *p = mem_zalloc(sizeof(*p));

	p->transport.ops = &polling_ops;
	p->ps = ps;
	p->get = c;
	list_append(&ps->all, &p->node);
	p->session = eio_session_open(ps->sessions, &p->transport);
	return p;
}

bool polling_get(struct polling *p, struct conn *c)
{
	if (p->get != NULL) {
		end(p, CLOSE_PARSE);
		return false;
	}
	p->get = c;
	p->answering = false;
	eio_session_writable(p->session, &p->transport);
	return true;
}

bool polling_post(struct polling *p, struct conn *c)
{
	if (p->post != NULL) {
		end(p, CLOSE_PARSE);
		return false;
	}
	p->post = c;
	return true;
}

bool polling_polled(const struct polling *p)
{
	return p->get != NULL;
}

struct conn *polling_posting(const struct polling *p)
{
	return p->post;
}

bool polling_posted(struct polling *p, struct slice body)
{
	struct pollings *ps = p->ps;
	struct slice frame;
	size_t packets = 0;
	bool binary;
	int got;

	p->post = NULL;
	if (eio_session_transport(p->session) != &p->transport)
		return false;
	/* as on a WebSocket */
	got = utf8_valid(body) ? 1 : -EBADMSG;
	while (got > 0 && (got = eio_payload_next(&body, &ps->binary, &frame,
						  &binary)) > 0) {
		if (packets++ == PACKETS_MAX) {
			eio_session_close(p->session, CLOSE_TOO_LARGE);
			break;
		}
		eio_session_frame(p->session, &p->transport, frame, binary);
	}
	if (got < 0)
		eio_session_close(p->session, CLOSE_PARSE);
	trim(&ps->binary);
	return true;
}

void polling_post_refused(struct polling *p)
{
	p->post = NULL;
}

void polling_answered(struct polling *p)
{
	p->get = NULL;
}

void polling_lost(struct polling *p, struct conn *c, enum close_reason why)
{
	if (p->get == c)
		p->get = NULL;
	if (p->post == c)
		p->post = NULL;
	end(p, why);
}

void polling_misused(struct polling *p)
{
	end(p, CLOSE_PARSE);
}
