#include "worker/engineio/session_impl.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/siphash.h"
#include "common/ipc/stats.h"
#include "common/protocol/eio_packet.h"
#include "common/protocol/eio_payload.h"
#include "worker/transport/transport.h"

#define BARRIER_MS 20	/* design M2 */

static const char *const reason_names[CLOSE__COUNT] = {
	[CLOSE_CLIENT] = "client",
	[CLOSE_PING_TIMEOUT] = "ping_timeout",
	[CLOSE_PARSE] = "parse",
	[CLOSE_PROTOCOL] = "protocol",
	[CLOSE_TOO_LARGE] = "too_large",
	[CLOSE_AUTH] = "auth",
	[CLOSE_OUTBOX] = "outbox",
	[CLOSE_SERVER] = "server",
};

static const enum stat_id reason_stats[CLOSE__COUNT] = {
	[CLOSE_CLIENT] = STAT_closed_client,
	[CLOSE_PING_TIMEOUT] = STAT_closed_ping_timeout,
	[CLOSE_PARSE] = STAT_closed_parse,
	[CLOSE_PROTOCOL] = STAT_closed_protocol,
	[CLOSE_TOO_LARGE] = STAT_closed_too_large,
	[CLOSE_AUTH] = STAT_closed_auth,
	[CLOSE_OUTBOX] = STAT_closed_outbox,
	[CLOSE_SERVER] = STAT_closed_server,
};

static const char *const state_names[SESS__COUNT] = {
	"opening", "open", "closing",
};

#define TO(state) (1u << (state))
static const unsigned next_ok[SESS__COUNT] = {
	[SESS_OPENING] = TO(SESS_OPEN) | TO(SESS_CLOSING),
	[SESS_OPEN] = TO(SESS_CLOSING),
	[SESS_CLOSING] = 0,
};

const char *close_reason_name(enum close_reason r)
{
	return reason_names[r];
}

static void set_state(struct eio_session *s, enum session_state to)
{
	if (!(next_ok[s->state] & TO(to)))
		log_fatal("session %u: illegal change %s -> %s", s->serial,
			  state_names[s->state], state_names[to]);
	log_debug("session %u: %s -> %s%s%s", s->serial, state_names[s->state],
		  state_names[to], to == SESS_CLOSING ? " reason=" : "",
		  to == SESS_CLOSING ? reason_names[s->why] : "");
	s->state = to;
}

void session_mark_dirty(struct eio_session *s)
{
	if (s->state == SESS_CLOSING || s->work.next != &s->work)
		return;
	list_append(&s->ss->dirty, &s->work);
	loop_defer(s->ss->loop, &s->ss->flush);
}

static void count_polling(struct eio_session *s, bool on)
{
	stats_add(STAT_sessions_polling, (int64_t)on - (int64_t)s->polling);
	s->polling = on;
}

void session_set_transport(struct eio_session *s, struct transport *t)
{
	s->transport = t;
	count_polling(s, t->ops->upgradable);
}

static void put_pieces(struct eio_session *s, const struct slice *pieces,
		       size_t n, bool binary)
{
	size_t before = outbox_size(&s->outbox);

	outbox_put_pieces(&s->outbox, pieces, n, binary);
	stats_add(STAT_outbox_bytes,
		  (int64_t)outbox_size(&s->outbox) - (int64_t)before);
	session_mark_dirty(s);
}

static void put(struct eio_session *s, struct slice packet, bool binary)
{
	put_pieces(s, &packet, 1, binary);
}

/* The pong will confirm all that is in the outbox now. */
static void put_ping(struct eio_session *s)
{
	put(s, SLICE("2"), false);
	s->pinging = true;
	s->mark_pinged = s->mark_last;
	deadline_arm(&s->ss->timeouts, &s->heartbeat);
}

static bool barrier_wanted(const struct eio_session *s)
{
	return !s->pinging && s->mark_last != s->mark_confirmed &&
	       !deadline_armed(&s->barrier);
}

static void write_out(struct eio_session *s)
{
	size_t before = outbox_size(&s->outbox);

	if (before == 0 || s->transport == NULL)
		return;
	/* A dead stream reports its end by itself. */
	(void)s->transport->ops->flush(s->transport, &s->outbox);
	stats_add(STAT_outbox_bytes,
		  (int64_t)outbox_size(&s->outbox) - (int64_t)before);
}

/* The barrier is put in here rather than in eio_session_mark(), so that it
 * stands behind everything of the turn, in the same write. */
static void on_flush(void *arg)
{
	struct eio_sessions *ss = arg;
	struct list *n;

	while ((n = list_shift(&ss->dirty)) != NULL) {
		struct eio_session *s = LIST_ENTRY(n, struct eio_session, work);

		if (s->upgrade != NULL)
			upgrade_step(s);
		if (barrier_wanted(s)) {
			put_ping(s);
			deadline_arm(&ss->barriers, &s->barrier);
		}
		if (upgrade_frees_poll(s))
			put(s, SLICE("6"), false);
		list_remove(&s->work);	/* put() has queued it again */
		write_out(s);
		/* Only now: a burst that the stream takes is no slow client. */
		if (outbox_size(&s->outbox) > ss->conf.outbox_limit)
			eio_session_close(s, CLOSE_OUTBOX);
	}
}

static void on_reap(void *arg)
{
	struct eio_sessions *ss = arg;
	struct list *n;

	while ((n = list_shift(&ss->closing)) != NULL) {
		struct eio_session *s = LIST_ENTRY(n, struct eio_session, work);
		struct transport *t = s->transport;

		if (s->upgrade != NULL)
			upgrade_abandon(s);
		stats_add(STAT_outbox_bytes, -(int64_t)outbox_size(&s->outbox));
		s->transport = NULL;
		if (t != NULL)
			t->ops->close(t, &s->outbox, s->why);
		ss->ops.closed(s->up, s->why);
		outbox_free(&s->outbox);
		free(s);
	}
}

static void on_interval(struct deadline *d, void *arg)
{
	struct eio_session *s = CONTAINER_OF(d, struct eio_session, heartbeat);
	int64_t due_us = d->due_us;

	(void)arg;
	put_ping(s);
	deadline_arm_since(&s->ss->timeouts, d, due_us);
}

static void on_pong_missing(struct deadline *d, void *arg)
{
	(void)arg;
	eio_session_close(CONTAINER_OF(d, struct eio_session, heartbeat),
			  CLOSE_PING_TIMEOUT);
}

static void on_not_joined(struct deadline *d, void *arg)
{
	(void)arg;
	eio_session_close(CONTAINER_OF(d, struct eio_session, joining),
			  CLOSE_PROTOCOL);
}

static void on_barrier_allowed(struct deadline *d, void *arg)
{
	struct eio_session *s = CONTAINER_OF(d, struct eio_session, barrier);

	(void)arg;
	if (barrier_wanted(s))
		session_mark_dirty(s);
}

static bool sid_equal(const struct map_node *node, const void *key)
{
	const struct eio_session *s = CONTAINER_OF(node, struct eio_session,
						   node);

	return memcmp(s->sid, key, SESSION_ID_LEN) == 0;
}

struct eio_sessions *eio_sessions_new(struct loop *l, const struct eio_conf *c,
				      const struct eio_ops *ops)
{
	struct eio_sessions *ss = mem_zalloc(sizeof(*ss));

	ss->loop = l;
	ss->conf = *c;
	ss->ops = *ops;
	map_init(&ss->by_sid, sid_equal);
	list_init(&ss->dirty);
	list_init(&ss->closing);
	task_init(&ss->flush, LOOP_WRITE, on_flush, ss);
	task_init(&ss->reap, LOOP_REAP, on_reap, ss);
	deadlines_init(&ss->intervals, l, c->ping_interval_ms, on_interval, ss);
	deadlines_init(&ss->timeouts, l, c->ping_timeout_ms, on_pong_missing, ss);
	deadlines_init(&ss->joins, l, c->connect_timeout_ms, on_not_joined, ss);
	deadlines_init(&ss->barriers, l, BARRIER_MS, on_barrier_allowed, ss);
	deadlines_init(&ss->upgrades, l, c->upgrade_timeout_ms,
		       upgrade_on_overdue, ss);
	return ss;
}

void eio_sessions_free(struct eio_sessions **ssp)
{
	struct eio_sessions *ss = *ssp;

	if (ss == NULL)
		return;
	eio_sessions_close_all(ss, CLOSE_SERVER);
	on_reap(ss);
	task_cancel(&ss->flush);
	task_cancel(&ss->reap);
	deadlines_free(&ss->intervals);
	deadlines_free(&ss->timeouts);
	deadlines_free(&ss->joins);
	deadlines_free(&ss->barriers);
	deadlines_free(&ss->upgrades);
	map_free(&ss->by_sid);
	buf_free(&ss->scratch);
	free(ss);
	*ssp = NULL;
}

void eio_sessions_set_conf(struct eio_sessions *ss, const struct eio_conf *c)
{
	ss->conf.connect_timeout_ms = c->connect_timeout_ms;
	ss->conf.upgrade_timeout_ms = c->upgrade_timeout_ms;
	ss->conf.outbox_limit = c->outbox_limit;
	deadlines_set_length(&ss->joins, c->connect_timeout_ms);
	deadlines_set_length(&ss->upgrades, c->upgrade_timeout_ms);
}

size_t eio_sessions_count(const struct eio_sessions *ss)
{
	return ss->by_sid.count;
}

struct eio_session *eio_sessions_find(struct eio_sessions *ss, struct slice sid)
{
	struct map_node *n;

	if (sid.n != SESSION_ID_LEN)
		return NULL;
	/* A client's next request finds a session that is overdue gone. */
	deadlines_run(&ss->timeouts);
	n = map_find(&ss->by_sid, hash_bytes(sid.p, sid.n), sid.p);
	return n != NULL ? CONTAINER_OF(n, struct eio_session, node) : NULL;
}

static void close_one(struct map_node *node, void *arg)
{
	const enum close_reason *why = arg;

	eio_session_close(CONTAINER_OF(node, struct eio_session, node), *why);
}

void eio_sessions_close_all(struct eio_sessions *ss, enum close_reason why)
{
	map_each(&ss->by_sid, close_one, &why);
}

/* Of those in the queue; gives how many. */
static size_t close_queued(struct eio_sessions *ss, struct deadlines *q,
			   size_t n, enum close_reason why)
{
	struct list *pos, *tmp;
	size_t closed = 0;

	LIST_FOREACH_SAFE(pos, tmp, &q->queue) {
		struct eio_session *s = CONTAINER_OF(
			LIST_ENTRY(pos, struct deadline, node),
			struct eio_session, heartbeat);

		if (closed == n)
			break;
		if (ss->ops.busy != NULL && ss->ops.busy(s->up))
			continue;
		eio_session_close(s, why);
		closed++;
	}
	return closed;
}

/* Each open session's heartbeat is in one of the two queues. */
void eio_sessions_close_some(struct eio_sessions *ss, size_t n,
			     enum close_reason why)
{
	n -= close_queued(ss, &ss->intervals, n, why);
	close_queued(ss, &ss->timeouts, n, why);
}

struct eio_session *eio_session_open(struct eio_sessions *ss, struct transport *t)
{
	struct eio_session *s = mem_zalloc(sizeof(*s));
	struct buf open = { 0 };

	s->ss = ss;
	s->serial = ++ss->serial;
	list_init(&s->work);
	deadline_init(&s->heartbeat);
	deadline_init(&s->joining);
	deadline_init(&s->barrier);
	session_id_make(ss->conf.instance, s->sid);
	map_insert(&ss->by_sid, &s->node, hash_bytes(s->sid, SESSION_ID_LEN));
	stats_inc(STAT_sessions);
	session_set_transport(s, t);
	deadline_arm(&ss->intervals, &s->heartbeat);
	deadline_arm(&ss->joins, &s->joining);
	set_state(s, SESS_OPEN);
	eio_open_write(&open, s->sid, t->ops->upgradable,
		       ss->conf.ping_interval_ms, ss->conf.ping_timeout_ms,
		       ss->conf.max_payload);
	put(s, buf_slice(&open), false);
	buf_free(&open);
	s->up = ss->ops.opened(ss->ops.arg, s);
	return s;
}

static void got_pong(struct eio_session *s)
{
	if (!s->pinging)
		return;
	s->pinging = false;
	deadline_arm(&s->ss->intervals, &s->heartbeat);
	if (s->mark_confirmed != s->mark_pinged) {
		s->mark_confirmed = s->mark_pinged;
		s->ss->ops.confirmed(s->up, s->mark_confirmed);
	}
	if (barrier_wanted(s))
		session_mark_dirty(s);
}

/* A client without binary frames sends them like on polling. */
static bool from_base64(struct eio_sessions *ss, struct slice *frame)
{
	struct slice rest = *frame;
	bool binary;

	return eio_payload_next(&rest, &ss->scratch, frame, &binary) == 1 &&
	       binary && rest.n == 0;
}

void eio_session_frame(struct eio_session *s, struct transport *t,
		       struct slice frame, bool binary)
{
	struct eio_packet p;

	if (s->state != SESS_OPEN)
		return;
	if (t != s->transport) {
		upgrade_frame(s, t, frame, binary);
		return;
	}
	if (!binary && frame.n != 0 && frame.p[0] == 'b') {
		binary = true;
		if (!from_base64(s->ss, &frame)) {
			eio_session_close(s, CLOSE_PARSE);
			return;
		}
	}
	if (binary) {
		s->ss->ops.message(s->up, frame, true);
		return;
	}
	if (eio_packet_parse(frame, &p) != 0) {
		eio_session_close(s, CLOSE_PARSE);
		return;
	}
	switch (p.type) {
	case EIO_MESSAGE:
		s->ss->ops.message(s->up, p.data, p.binary);
		break;
	case EIO_PONG:
		got_pong(s);
		break;
	case EIO_PING:		/* in protocol 4 the server asks */
		eio_session_close(s, CLOSE_PARSE);
		break;
	case EIO_CLOSE:
		eio_session_close(s, CLOSE_CLIENT);
		break;
	case EIO_OPEN:
	case EIO_UPGRADE:
	case EIO_NOOP:
		break;
	}
}

void eio_session_writable(struct eio_session *s, struct transport *t)
{
	if (t == s->transport &&
	    (outbox_size(&s->outbox) != 0 || upgrade_frees_poll(s)))
		session_mark_dirty(s);
}

void eio_session_transport_gone(struct eio_session *s, struct transport *t,
				enum close_reason why)
{
	if (t != s->transport) {
		upgrade_gone(s, t);
		return;
	}
	s->transport = NULL;
	eio_session_close(s, why);
}

void eio_session_refuse(struct eio_session *s, struct transport *t,
			enum close_reason why)
{
	if (t == s->transport)
		eio_session_close(s, why);
	else
		upgrade_refuse(s, t, why);
}

struct transport *eio_session_transport(const struct eio_session *s)
{
	return s->transport;
}

const char *eio_session_sid(const struct eio_session *s)
{
	return s->sid;
}

const char *eio_session_transport_name(const struct eio_session *s)
{
	return s->transport != NULL ? s->transport->ops->name : "none";
}

bool eio_session_send(struct eio_session *s, struct slice packet, bool binary)
{
	if (s->state != SESS_OPEN)
		return false;
	put(s, packet, binary);
	return true;
}

bool eio_session_send_pieces(struct eio_session *s, const struct slice *pieces,
			     size_t n)
{
	if (s->state != SESS_OPEN)
		return false;
	put_pieces(s, pieces, n, false);
	return true;
}

uint32_t eio_session_mark(struct eio_session *s)
{
	s->mark_last++;
	if (barrier_wanted(s))
		session_mark_dirty(s);
	return s->mark_last;
}

void eio_session_close(struct eio_session *s, enum close_reason why)
{
	struct eio_sessions *ss = s->ss;

	if (s->state == SESS_CLOSING)
		return;
	s->why = (uint8_t)why;
	set_state(s, SESS_CLOSING);
	stats_inc(reason_stats[why]);
	stats_dec(STAT_sessions);
	count_polling(s, false);
	map_remove(&ss->by_sid, &s->node);
	deadline_drop(&s->heartbeat);
	deadline_drop(&s->joining);
	deadline_drop(&s->barrier);
	list_remove(&s->work);
	list_append(&ss->closing, &s->work);
	loop_defer(ss->loop, &ss->reap);
}

bool eio_session_closing(const struct eio_session *s)
{
	return s->state == SESS_CLOSING;
}

void eio_session_joined(struct eio_session *s)
{
	deadline_drop(&s->joining);
}

void eio_session_await(struct eio_session *s)
{
	if (s->state == SESS_OPEN)
		deadline_arm(&s->ss->joins, &s->joining);
}
