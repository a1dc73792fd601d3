#include "worker/chat/emit.h"

#include "common/base/clock.h"
#include "worker/chat/catch_up.h"

struct place place_of(const struct message *m)
{
	return (struct place){
		cursor_stream_id(slice_of(m->sender_id), slice_of(m->match_id),
				 slice_of(m->src)),
		m->pos,
	};
}

struct place place_of_envelope(const struct envelope *e)
{
	return (struct place){
		cursor_stream_id(e->sender_id, e->match_id, e->src), e->pos,
	};
}

int64_t emit_since_us(const struct device *d)
{
	int64_t since = (int64_t)d->since_ms * 1000;

	return since <= cluster_now_us() ? since : 0;
}

/* Before it connected it was not sent anything; what was stored by then it was
 * given from the store. */
int64_t emit_floor_settled(const struct device *d)
{
	int64_t whole = router_good_us(d->chat->router);
	int64_t since = emit_since_us(d);

	if (whole < since)
		whole = since;
	return whole > EMIT_SETTLED_US ? whole - EMIT_SETTLED_US : 0;
}

int64_t emit_floor(const struct device *d)
{
	return d->catch_up != NULL ? catch_up_floor(d) : emit_floor_settled(d);
}

/* The offset goes in before the frame's last bracket. */
static bool send_with_offset(struct device *d, struct slice frame)
{
	struct buf *b = &d->chat->offset;
	struct slice pieces[2] = { { frame.p, frame.n - 1 } };

	buf_clear(b);
	buf_add(b, ",\"", 2);
	seen_offset(d->seen, emit_floor(d), b);
	buf_add(b, "\"]", 2);
	pieces[1] = buf_slice(b);
	return sio_send_pieces(d->socket, pieces, ARRAY_SIZE(pieces));
}

bool emit_event(struct device *d, struct slice frame)
{
	return d->accepted && d->socket != NULL && send_with_offset(d, frame);
}

bool emit_sent(struct device *d, struct slice frame, const struct place *at)
{
	if (d->socket == NULL)
		return false;
	if (!catch_up_sent(d, at))
		seen_note(&d->seen, at, emit_floor(d));
	return send_with_offset(d, frame);
}

/* Within a stream everything is sent in order, so its last pos says it. Of one
 * that is not known (any more) an unconfirmed message may still be repeated. */
bool emit_is_repeat(const struct device *d, const struct emission *e)
{
	int64_t last = seen_last(d->seen, e->at.stream);

	if (last != 0)
		return e->at.pos <= last;
	return e->tracked && device_pending_has(d, e->id);
}

bool emit_now(struct device *d, const struct emission *e)
{
	seen_note(&d->seen, &e->at, emit_floor(d));
	if (!send_with_offset(d, e->frame))
		return false;
	/* In explicit mode no pong is asked for: it would prove nothing (M2). */
	if (e->tracked)
		device_pending_add(d, d->explicit_mode ? 0 : sio_mark(d->socket),
				   e->id, clock_mono_us());
	return true;
}

enum emitted emit_message(struct device *d, const struct emission *e)
{
	if (d->socket == NULL)
		return EMIT_GONE;
	if (catch_up_hold(d, e))
		return EMIT_HELD;
	if (emit_is_repeat(d, e))
		return EMIT_REPEAT;
	return emit_now(d, e) ? EMIT_WRITTEN : EMIT_GONE;
}
