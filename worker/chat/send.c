/* message:send, from the event to the store. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "common/store/message_store.h"
#include "worker/chat/chat.h"
#include "worker/chat/emit.h"
#include "worker/chat/frames.h"
#include "worker/chat/route.h"
#include "worker/directory.h"

/* One message:send under way. In its stream's waiting list until the store has
 * it. */
struct send {
	struct list node;
	struct chat *c;
	struct device *device;	/* referenced */
	struct stream *stream;
	struct message *m;	/* owned; ids and texts inside */
	int64_t ack;
	int64_t started_us;
	size_t bytes;		/* counted against the device */
};

static const struct field_error clash = {
	ERR_INVALID_PAYLOAD, "tempId was used before with other content", 0
};
static const struct field_error refused = {
	ERR_MESSAGE_SEND_FAILED, "the message could not be stored", 0
};

static const struct field_error too_fast = {
	ERR_RATE_LIMITED, "you are sending too fast", 0
};

static void run_stream(struct chat *c, struct stream *st);

static void send_free(struct send *s)
{
	s->c->ops--;
	device_event_end(s->device, s->bytes);
	device_unref(s->device);
	free(s->m);
	free(s);
}

static void send_refuse(struct send *s, const struct field_error *e)
{
	if (e->code != ERR_INVALID_MATCH)
		stats_inc(STAT_messages_failed);
	chat_refuse(s->device, s->ack, e, s->m->temp_id);
	send_free(s);
}

static void refuse_waiting(struct stream *st, const struct field_error *e)
{
	struct list *n;

	while ((n = list_shift(&st->waiting)) != NULL)
		send_refuse(LIST_ENTRY(n, struct send, node), e);
}

/* m: the stored one. One that an earlier try stored leaves no place: what other
 * devices sent before it may still be on its way here. */
static void answer_sent(struct send *s, const struct message *m, bool first)
{
	struct buf *b = &s->c->scratch;
	struct place at;

	if (s->device->socket == NULL)
		return;
	buf_clear(b);
	frame_message_sent(b, m->id, s->m->temp_id, m->sent_at_ms);
	if (first) {
		at = place_of(m);
		emit_sent(s->device, buf_slice(b), &at);
	} else {
		emit_event(s->device, buf_slice(b));
	}
	if (s->ack == SIO_NO_ACK)
		return;
	buf_clear(b);
	ack_message_sent(b, m->id, s->m->temp_id, m->sent_at_ms);
	sio_ack(s->device->socket, s->ack, buf_slice(b));
}

static void stored(struct send *s)
{
	int64_t us = clock_mono_us() - s->started_us;

	stats_inc(STAT_messages_accepted);
	stats_observe(STAT_store_us, us);
	flight_record(FLIGHT_STORED, s->m->id, (uint32_t)us);
	answer_sent(s, s->m, true);
	if (s->stream->doubt) {	/* what may be there is before this one */
		route_look(s->c, s->m->recipient_id);
		route_look(s->c, s->m->sender_id);
	}
	s->stream->doubt = false;
	route_message(s->c, s->m, s->device);
	directory_message_at(s->c->directory, s->m->match_id, s->m->sent_at_ms);
}

/* Its outcome was unknown, to this worker before it began a new src, or to
 * another. Of the same src it is on its way, or will be overdue. */
static bool nobody_may_know(const struct send *s, const struct message *first)
{
	return first->delivered_at_ms == 0 && first->owe != 0 &&
	       (first->owe < cluster_now_us() ||
		strcmp(first->src, s->m->src) != 0);
}

static void on_stored(void *arg, enum store_result r, const struct message *first)
{
	struct send *s = arg;

	s->stream->inflight--;
	switch (r) {
	case STORE_OK:
		stored(s);
		break;
	case STORE_DUPLICATE:
		/* Whoever inserted it routes it; here only the answer. */
		stats_inc(STAT_messages_duplicate);
		flight_record(FLIGHT_DEDUPLICATED, first->id, 0);
		answer_sent(s, first, false);
		if (nobody_may_know(s, first))
			route_found(s->c, first, s->device);
		break;
	case STORE_CLASH:
		send_refuse(s, &clash);
		return;
	case STORE_REFUSED:
		send_refuse(s, &refused);
		return;
	case STORE_UNAVAILABLE:
		src_cut(&s->c->src, s->m->src);	/* it may be there */
		s->stream->doubt = true;
		send_refuse(s, &error_unavailable);
		return;
	}
	send_free(s);
}

static void hand_to_store(struct send *s, const char *recipient_id)
{
	struct chat *c = s->c;
	struct message *m = s->m;
	struct message whole = *m;

	list_remove(&s->node);
	s->stream->inflight++;
	whole.recipient_id = recipient_id;
	whole.sent_at_ms = stream_next_ms(s->stream, cluster_now_ms());
	whole.pos = cluster_pos_at(whole.sent_at_ms);
	whole.owe = whole.pos + c->conf.delivery_timeout_ms * 1000;
	whole.chg = whole.pos;
	whole.src = src_now(&c->src);
	s->m = message_dup(&whole);
	free(m);
	flight_record(FLIGHT_ACCEPTED, s->m->id, 0);
	message_store_insert(c->store, s->m, on_stored, s);
}

struct lookup {
	struct chat *c;
	struct stream *st;
	bool async;		/* the callback came after the call returned */
	bool done;
};

static struct lookup *lookup_new(struct chat *c, struct stream *st)
{
	struct lookup *l = mem_zalloc(sizeof(*l));

	l->c = c;
	l->st = st;
	st->busy = true;
	return l;
}

static void on_last(void *arg, int err, int64_t sent_at_ms)
{
	struct lookup *l = arg;
	struct stream *st = l->st;
	struct chat *c = l->c;

	free(l);
	st->busy = false;
	if (err != 0) {
		refuse_waiting(st, &error_unavailable);
		return;
	}
	st->last_known = true;
	if (st->last_ms < sent_at_ms)
		st->last_ms = sent_at_ms;
	run_stream(c, st);
}

/* The head of the stream's queue, with its match known. */
static void send_head(struct chat *c, struct stream *st, int err,
		      const struct match *m)
{
	struct list *n = list_first(&st->waiting);
	struct send *s = LIST_ENTRY(n, struct send, node);
	const char *me = stream_sender(st);
	const char *other = NULL;

	if (err == 0 && m != NULL && m->live) {
		if (strcmp(m->user_a, me) == 0)
			other = m->user_b;
		else if (strcmp(m->user_b, me) == 0)
			other = m->user_a;
	}
	if (other != NULL && st->last_known) {
		hand_to_store(s, other);
		return;
	}
	if (other != NULL && !c->down) {
		/* After the match, so that a stranger's sends cost no query. */
		message_store_last_sent(c->store, me, stream_match(st), on_last,
					lookup_new(c, st));
		return;
	}
	list_remove(&s->node);
	send_refuse(s, err != 0 ? &error_unavailable : &error_no_match);
}

static void on_match(void *arg, int err, const struct match *m)
{
	struct lookup *l = arg;

	l->st->busy = false;
	send_head(l->c, l->st, err, m);
	l->done = true;
	if (!l->async)
		return;		/* run_stream is still on the stack */
	run_stream(l->c, l->st);
	free(l);
}

/* Hands the stream's sends to the store in order, stopping at the first that
 * must wait for a look-up. */
static void run_stream(struct chat *c, struct stream *st)
{
	if (c->down)
		refuse_waiting(st, &error_unavailable);
	while (!st->busy && !list_empty(&st->waiting)) {
		struct lookup *l = lookup_new(c, st);

		directory_match(c->directory, stream_match(st), on_match, l);
		if (!l->done) {
			l->async = true;
			return;
		}
		free(l);
	}
}

/* Whether the user may send now: after the fields, so that an app with a mistake
 * in them is told of that. A resend counts like any other. */
static bool within_rate(struct device *d, struct field_error *err)
{
	unsigned wait_ms = send_rate_take(&d->chat->send_rates, d->user->id,
					  clock_mono_us());

	if (wait_ms == 0)
		return true;
	stats_inc(STAT_limited_messages);
	*err = too_fast;
	err->retry_ms = wait_ms;
	return false;
}

void ev_send(struct device *d, json_t *payload, int64_t ack)
{
	struct chat *c = d->chat;
	struct field_error err;
	struct send_fields f;
	struct buf temp_id = { 0 };
	struct message m;
	struct send *s;

	if (!fields_temp_id(payload, &temp_id, &err) ||
	    !fields_send(payload, c->conf.content_max, &f, &err) ||
	    !within_rate(d, &err)) {
		chat_refuse(d, ack, &err,
			    temp_id.len > 0 ? buf_str(&temp_id) : NULL);
		buf_free(&temp_id);
		return;
	}
	m = (struct message){
		.match_id = f.match_id,
		.sender_id = d->user->id,
		.recipient_id = "",	/* known with the match */
		.content = f.content,
		.type = f.type,
		.media_url = f.media_url,
		.temp_id = temp_id.len > 0 ? buf_str(&temp_id) : NULL,
		.src = c->conf.src,
	};
	if (!device_event_begin(d, sizeof(*s) + sizeof(m) + f.content.n)) {
		chat_refuse(d, ack, &error_too_many, m.temp_id);
		buf_free(&temp_id);
		return;
	}
	message_id_make(m.sender_id, m.match_id, m.temp_id, m.id);
	s = mem_zalloc(sizeof(*s));
	s->c = c;
	s->device = device_ref(d);
	s->m = message_dup(&m);
	s->ack = ack;
	s->bytes = sizeof(*s) + sizeof(m) + f.content.n;
	s->started_us = clock_mono_us();
	s->stream = stream_get(&c->streams, m.sender_id, m.match_id);
	stream_stay(s->stream, d->user->generation);
	list_init(&s->node);
	list_append(&s->stream->waiting, &s->node);
	c->ops++;
	buf_free(&temp_id);
	run_stream(c, s->stream);
}
