/* A session's way from polling to a WebSocket (socketio.md 5). The session's
 * outbox, ping and marks have no part in it: only who carries them changes. */
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "worker/engineio/session_impl.h"
#include "worker/transport/transport.h"

/* Lives while a session moves: few do at a time. */
struct upgrade {
	struct eio_session *session;
	struct transport *candidate;	/* NULL: the session's now, or gone */
	struct transport *old;		/* to be left */
	struct deadline deadline;	/* upgrade_timeout */
	bool answer;			/* "3probe" is due */
	bool probed;			/* polls are not to wait any more */
	bool failed;			/* the candidate is to be closed */
	uint8_t why;
};

bool eio_session_upgrade(struct eio_session *s, struct transport *t)
{
	struct upgrade *u;

	if (s->state != SESS_OPEN || !s->polling || s->upgrade != NULL)
		return false;
	u = mem_zalloc(sizeof(*u));
	u->session = s;
	u->candidate = t;
	deadline_init(&u->deadline);
	deadline_arm(&s->ss->upgrades, &u->deadline);
	s->upgrade = u;
	return true;
}

static void end(struct eio_session *s)
{
	deadline_drop(&s->upgrade->deadline);
	free(s->upgrade);
	s->upgrade = NULL;
}

static void fail(struct upgrade *u, enum close_reason why)
{
	if (u->failed)
		return;
	u->failed = true;
	u->why = (uint8_t)why;
	session_mark_dirty(u->session);
}

void upgrade_on_overdue(struct deadline *d, void *arg)
{
	(void)arg;
	fail(CONTAINER_OF(d, struct upgrade, deadline), CLOSE_PROTOCOL);
}

static bool is_candidate(const struct eio_session *s, const struct transport *t)
{
	return s->upgrade != NULL && s->upgrade->candidate == t;
}

void upgrade_refuse(struct eio_session *s, struct transport *t,
		    enum close_reason why)
{
	if (is_candidate(s, t))
		fail(s->upgrade, why);
}

/* At once, for what follows in the same read is the session's already. */
static void move(struct eio_session *s)
{
	struct upgrade *u = s->upgrade;

	u->old = s->transport;
	session_set_transport(s, u->candidate);
	u->candidate = NULL;
	deadline_drop(&u->deadline);
	stats_inc(STAT_upgrades);
	log_debug("session %u: %s -> %s", s->serial, u->old->ops->name,
		  s->transport->ops->name);
	session_mark_dirty(s);
}

static bool is(struct slice frame, const char *text)
{
	return frame.n == strlen(text) && memcmp(frame.p, text, frame.n) == 0;
}

void upgrade_frame(struct eio_session *s, struct transport *t,
		   struct slice frame, bool binary)
{
	struct upgrade *u = s->upgrade;

	if (!is_candidate(s, t) || u->failed)
		return;
	if (!binary && is(frame, "5")) {
		move(s);
	} else if (!binary && is(frame, "2probe")) {
		u->answer = true;
		u->probed = true;
		session_mark_dirty(s);
	} else {
		fail(u, CLOSE_PARSE);
	}
}

void upgrade_gone(struct eio_session *s, struct transport *t)
{
	struct upgrade *u = s->upgrade;

	if (u == NULL)
		return;
	if (u->old == t)
		u->old = NULL;
	else if (u->candidate == t)
		end(s);
}

bool upgrade_frees_poll(const struct eio_session *s)
{
	const struct transport *t = s->transport;

	return s->upgrade != NULL && s->upgrade->probed &&
	       outbox_size(&s->outbox) == 0 && t->ops->waiting != NULL && t->ops->waiting(t);
}

/* The candidate's stream is empty: it takes six bytes, or it is dead and says
 * so itself. */
static void answer(struct transport *t)
{
	struct outbox out = { 0 };

	outbox_put(&out, SLICE("3probe"), false);
	(void)t->ops->flush(t, &out);
	outbox_free(&out);
}

static void close_candidate(struct upgrade *u, enum close_reason why)
{
	struct outbox nothing = { 0 };
	struct transport *t = u->candidate;

	u->candidate = NULL;
	t->ops->close(t, &nothing, why);
}

void upgrade_step(struct eio_session *s)
{
	struct upgrade *u = s->upgrade;

	if (u->failed) {
		log_debug("session %u: stays on %s reason=\"%s\"", s->serial,
			  s->transport->ops->name, close_reason_name(u->why));
		close_candidate(u, u->why);
		end(s);
		return;
	}
	if (u->answer) {
		u->answer = false;
		answer(u->candidate != NULL ? u->candidate : s->transport);
	}
	if (u->candidate == NULL) {
		if (u->old != NULL)
			u->old->ops->left(u->old);
		end(s);
	}
}

void upgrade_abandon(struct eio_session *s)
{
	struct upgrade *u = s->upgrade;

	if (u->candidate != NULL)
		close_candidate(u, s->why);
	if (u->old != NULL)
		u->old->ops->left(u->old);
	end(s);
}
