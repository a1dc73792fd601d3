#include "worker/chat/route.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "worker/chat/catch_up.h"
#include "worker/chat/emit.h"
#include "worker/chat/frames.h"
#include "worker/chat/unrouted.h"

/* Devices know what they were sent for at least that long (emit_floor()). */
#define KNOWN_FOR_US (60 * 1000000LL)

/* A message at the router: its recipient's envelope and its sender's. */
struct routing {
	struct chat *c;
	unsigned unanswered;
	int err;		/* of either */
	bool local;		/* the recipient's devices here have it, or will */
	void (*done)(void *arg, int err);	/* NULL: it did not wait */
	void *arg;
	char id[MESSAGE_ID_LEN + 1];
};

static void answered(struct routing *q, int err)
{
	if (err != 0 && q->err == 0) {
		q->err = err;
		if (q->done == NULL)
			unrouted_add(q->c, q->id);
	}
	if (--q->unanswered > 0)
		return;
	if (q->done != NULL)
		q->done(q->arg, q->err);
	free(q);
}

static void on_recipient(void *arg, int err, const struct route_result *r)
{
	struct routing *q = arg;
	/* Who came while it waited got it from the store. */
	bool here = q->local || (q->done != NULL && r->present);

	if (err == 0) {
		flight_record(FLIGHT_ROUTED, q->id, r->receivers);
		/* Within his grace he gets the full timeout: a network flip is
		 * no push. So does everyone while users are registered again.
		 * Without an answer the message stays owing (M4). */
		if (!here && r->receivers == 0 && !r->leaving &&
		    !unrouted_unsettled(q->c))
			chat_push_due(q->c, q->id);
	}
	answered(q, err);
}

static void on_sender(void *arg, int err, const struct route_result *r)
{
	(void)r;
	answered(arg, err);
}

static struct envelope envelope_of(const struct message *m,
				   enum envelope_kind kind, const char *user_id,
				   struct slice frame)
{
	return (struct envelope){
		.kind = kind,
		.user_id = slice_of(user_id),
		.event = frame,
		.id = { m->id, MESSAGE_ID_LEN },
		.match_id = slice_of(m->match_id),
		.sender_id = slice_of(m->sender_id),
		.src = slice_of(m->src),
		.sent_at_ms = m->sent_at_ms,
		.pos = m->pos,
	};
}

static struct slice frame_of(struct chat *c, const struct message *m, bool own)
{
	buf_clear(&c->scratch);
	frame_message_new(&c->scratch, m, own);
	return buf_slice(&c->scratch);
}

static struct routing *routing_new(struct chat *c, const struct message *m)
{
	struct routing *q = mem_zalloc(sizeof(*q));

	q->c = c;
	memcpy(q->id, m->id, sizeof(q->id));
	return q;
}

static void to_recipient(struct routing *q, const struct message *m,
			 struct slice frame)
{
	struct envelope e = envelope_of(m, ENV_MESSAGE, m->recipient_id, frame);

	q->unanswered++;
	router_send(q->c->router, &e,
		    m->read_at_ms == 0 ? ROUTE_UNREAD : ROUTE_PLAIN,
		    on_recipient, q);
}

static void to_sender(struct routing *q, const struct message *m,
		      struct slice frame)
{
	struct envelope e = envelope_of(m, ENV_OWN_COPY, m->sender_id, frame);

	q->unanswered++;
	router_send(q->c->router, &e, ROUTE_PLAIN, on_sender, q);
}

void route_message(struct chat *c, const struct message *m,
		   const struct device *asker)
{
	struct slice recipient = slice_of(m->recipient_id);
	struct slice sender = slice_of(m->sender_id);
	struct emission out = { .id = m->id, .at = place_of(m), .tracked = true };
	struct routing *q = NULL;
	unsigned local;

	if (unrouted_waiting(c, m->src))
		unrouted_add(c, m->id);
	else
		q = routing_new(c, m);
	out.frame = frame_of(c, m, false);
	local = chat_local_message(c, recipient, &out, NULL);
	if (q != NULL) {
		q->local = local > 0;
		to_recipient(q, m, out.frame);
	}
	out.tracked = false;
	out.frame = frame_of(c, m, true);
	chat_local_message(c, sender, &out, asker);
	if (q != NULL)
		to_sender(q, m, out.frame);
}

static void look(struct chat *c, const struct envelope *e, enum router_extra x)
{
	catch_up_user(c, e->user_id);
	router_send(c->router, e, x, NULL, NULL);
}

void route_look(struct chat *c, const char *user_id)
{
	struct envelope e = { .kind = ENV_CATCH_UP,
			      .user_id = slice_of(user_id) };

	look(c, &e, ROUTE_PLAIN);
}

void route_found(struct chat *c, const struct message *m, struct device *asker)
{
	struct envelope e = envelope_of(m, ENV_CATCH_UP, m->recipient_id,
					(struct slice){ NULL, 0 });
	struct place at = place_of(m);

	/* Perhaps it was never counted; twice counts once. */
	look(c, &e, m->read_at_ms == 0 ? ROUTE_UNREAD : ROUTE_PLAIN);
	route_look(c, m->sender_id);
	if (asker != NULL)	/* he was answered */
		catch_up_sent(asker, &at);
}

/* What is delivered already goes only to devices that are sure to know whether
 * they have it. */
void route_again(struct chat *c, const struct message *m,
		 void (*done)(void *arg, int err), void *arg)
{
	struct routing *q = routing_new(c, m);

	q->done = done;
	q->arg = arg;
	if (m->delivered_at_ms == 0 || m->pos > cluster_now_us() - KNOWN_FOR_US)
		to_recipient(q, m, frame_of(c, m, false));
	to_sender(q, m, frame_of(c, m, true));
}
