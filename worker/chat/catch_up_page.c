/* Rows of the store as a device is sent them. Those of a match that has ended
 * are not (M4); a match is looked up in the cache, or asked for, in order. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/ipc/stats.h"
#include "worker/chat/catch_up_impl.h"
#include "worker/chat/frames.h"
#include "worker/directory.h"

static void write_event(struct catch_up *u, const struct buf *b)
{
	if (emit_event(u->d, buf_slice(b)))
		u->written += b->len;
}

/* --- messages --- */

static const struct held *find_held(const struct catch_up *u,
				    const struct place *at)
{
	struct list *pos, *tmp;

	LIST_FOREACH_SAFE(pos, tmp, &u->held) {
		const struct held *h = LIST_ENTRY(pos, struct held, node);

		if (h->at.stream == at->stream && h->at.pos == at->pos)
			return h;
	}
	return NULL;
}

/* What other devices had, or sent, before this one came is not for it - but all
 * that comes live is, and must not be skipped: what is behind it in its stream
 * would make it a repeat. So is what is behind one that it was given: two devices
 * may have proved the later one first, and before this one came. (pos may be ahead
 * of the time: it is that of sentAt, which a burst makes run.) */
static bool wanted(const struct catch_up *u, const struct message *m, bool own,
		   const struct held *live)
{
	if (u->from_us == 0 || live != NULL)
		return true;
	if (own)
		return (u->own || u->dropped) && m->pos > u->from_us;
	return m->delivered_at_ms == 0 ||
	       (m->delivered_at_ms + 1) * 1000 > u->from_us ||
	       seen_last(u->d->seen, place_of(m).stream) != 0;
}

/* It has the message: what its offset says it was sent it has read, and else
 * the next pong will show. */
static void has_it(struct device *d, const struct emission *e)
{
	if (e->tracked && !device_pending_has(d, e->id))
		device_pending_add(d, sio_mark(d->socket), e->id,
				   clock_mono_us());
}

static void give_message(struct catch_up *u, const struct message *m)
{
	struct device *d = u->d;
	struct buf *b = &d->chat->scratch;
	bool own = strcmp(m->sender_id, d->user->id) == 0;
	struct emission e = {
		.id = m->id,
		.at = place_of(m),
		.tracked = !own && m->delivered_at_ms == 0,
	};
	const struct held *live;

	/* As of a copy that comes live: his next must come after it (M0). */
	if (own)
		streams_raise(&d->chat->streams, slice_of(m->sender_id),
			      slice_of(m->match_id), m->sent_at_ms);
	live = find_held(u, &e.at);
	if (live != NULL && live->n == 0) {	/* it sent this itself */
		seen_note(&d->seen, &e.at, u->floor);
		return;
	}
	if (emit_is_repeat(d, &e)) {
		has_it(d, &e);
		return;
	}
	if (!wanted(u, m, own, live))
		return;
	buf_clear(b);
	frame_message_new(b, m, own);
	e.frame = buf_slice(b);
	if (!emit_now(d, &e))
		return;
	u->written += b->len;
	stats_inc(STAT_caught_up);
	if (!own) {
		stats_inc(STAT_messages_emitted);
		flight_record(FLIGHT_WRITTEN, m->id, 1);
	}
}

/* --- receipts --- */

static bool one_receipt(const struct message *a, const struct message *b)
{
	return a->chg == b->chg && a->read_at_ms == b->read_at_ms &&
	       strcmp(a->match_id, b->match_id) == 0;
}

/* Those that one event changed are one event again. Returns how many. */
static size_t give_receipts(struct catch_up *u, struct message *const *rows,
			    size_t n)
{
	struct buf *b = &u->d->chat->scratch;
	const struct message *first = rows[0];
	struct message together[CATCH_UP_PAGE];
	size_t same = 0;

	while (same < n && one_receipt(first, rows[same])) {
		together[same] = *rows[same];
		buf_clear(b);
		frame_message_delivered(b, rows[same]->id,
					rows[same]->delivered_at_ms);
		write_event(u, b);
		same++;
	}
	if (first->read_at_ms != 0) {
		buf_clear(b);
		frame_message_read(b, first->match_id, together, same,
				   first->read_at_ms, first->recipient_id);
		write_event(u, b);
	}
	return same;
}

/* --- a page --- */

/* rows[i], and for receipts those that belong to it. */
static void give(struct catch_up *u, struct asking *a)
{
	if (u->phase == CATCH_UP_RECEIPTS) {
		a->i += give_receipts(u, a->rows + a->i, a->n - a->i);
	} else {
		give_message(u, a->rows[a->i]);
		a->i++;
	}
}

static void note_given(struct catch_up *u, const struct asking *a)
{
	const struct message *last = a->rows[a->i - 1];
	bool receipts = u->phase == CATCH_UP_RECEIPTS;

	u->given.pos = receipts ? last->chg : last->pos;
	memcpy(u->given.id, last->id, sizeof(u->given.id));
	u->unsettled++;
	u->unsettled_bytes += last->content.n;
	/* Receipts that come later are sent at once, whatever is read here. */
	if (receipts || last->pos <= a->settled_us) {
		u->settled = u->given;
		u->unsettled = 0;
		u->unsettled_bytes = 0;
	}
}

static void on_match(void *arg, int err, const struct match *m)
{
	struct asking *a = arg;
	bool away = a->look == LOOK_AWAY;

	a->look = err == 0 ? LOOK_DONE : LOOK_FAILED;
	a->live = err == 0 && m != NULL && m->live;
	if (away)
		catch_up_page_run(a);
}

static void look_up(struct asking *a)
{
	struct chat *c = a->d->chat;

	a->look = LOOK_CALLING;
	directory_match(c->directory, a->rows[a->i]->match_id, on_match, a);
	if (a->look == LOOK_CALLING)
		a->look = LOOK_AWAY;
}

static void give_looked_up(struct catch_up *u, struct asking *a)
{
	if (a->live)
		give(u, a);
	else
		a->i++;
	note_given(u, a);
	a->look = LOOK_NONE;
}

void catch_up_page_run(struct asking *a)
{
	size_t enough = a->d->chat->conf.catch_up_bytes;

	while (!a->stale && a->look != LOOK_FAILED) {
		struct catch_up *u = a->d->catch_up;

		if (a->look == LOOK_DONE)
			give_looked_up(u, a);
		if (a->i == a->n || u->written >= enough) {
			catch_up_page_done(a, a->i < a->n || a->more);
			return;
		}
		look_up(a);
		if (a->look == LOOK_AWAY)
			return;
	}
	catch_up_page_failed(a);
}

void catch_up_give_held(struct catch_up *u)
{
	struct device *d = u->d;
	struct list *n;

	while ((n = list_shift(&u->held)) != NULL) {
		struct held *h = LIST_ENTRY(n, struct held, node);
		struct emission e = {
			{ h->frame, h->n }, h->id, h->at, h->tracked
		};

		if (h->n == 0)
			seen_note(&d->seen, &h->at, u->floor);
		else if (h->id[0] == '\0')
			emit_event(d, e.frame);
		else if (!emit_is_repeat(d, &e) && emit_now(d, &e) &&
			 h->tracked) {
			stats_inc(STAT_messages_emitted);
			flight_record(FLIGHT_WRITTEN, h->id, 1);
		}
		free(h);
	}
}
