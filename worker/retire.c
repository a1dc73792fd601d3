#include "worker/retire.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/conf/conf.h"
#include "common/loop/loop.h"
#include "worker/chat/chat.h"
#include "worker/directory.h"
#include "worker/engineio/session.h"
#include "worker/presence.h"
#include "worker/transport/listener.h"

/* A stop takes no longer, whatever the master would grant. */
#define STOP_MAX_MS 5000
#define STOP_POLL_MS 10
#define DRAIN_POLL_MS 50
/* Sessions that wait for an answer, when their time is over. */
#define LAST_ANSWERS_MS 2500
/* Connections that were told to go: a little longer than they are given. */
#define DISMISSED_MS 2500
/* The last step, if they take long. All three together: less than the master
 * grants by stop_timeout's default. */
#define TELL_BACKENDS_MS 2500
#define NEVER INT64_MAX

enum state { SERVING, DRAINING, ANSWERING, CLOSING, LEAVING };

/* All times: monotonic ms. */
struct retire {
	struct retire_parts p;
	struct timer timer;
	enum state state;

	/* draining */
	int64_t part_ms;	/* the grace is over */
	int64_t parted_ms;	/* and now all have been closed; 0: not begun */
	int64_t spread_ms;
	size_t parting;		/* sessions at its beginning */
	int64_t empty_ms;	/* no session since; NEVER: there are some */
	bool dismissed;		/* idle connections were told to go */
	bool shut;		/* and none comes by hand-over any more */

	/* stopping */
	bool drained;
	int64_t step_ms;	/* the current step ends then */
	int64_t end_ms;		/* and stopping as a whole then */
	unsigned leaving;	/* flushes under way */
};

/* --- stopping --- */

static void on_left(struct retire *r)
{
	if (--r->leaving == 0)
		timer_arm(&r->timer, 0);
}

static void on_retired(void *arg)
{
	on_left(arg);
}

static void on_flushed(void *arg, int err)
{
	if (err != 0)
		log_warn("last_seen of the last second was not written");
	on_left(arg);
}

static void leave(struct retire *r, int64_t now)
{
	r->state = LEAVING;
	r->leaving = 2;
	presence_retire(r->p.chat->presence, on_retired, r);
	directory_flush(r->p.chat->directory, on_flushed, r);
	timer_arm(&r->timer, r->end_ms - now);
}

/* Whom the last sweep of ours found offline nobody else will tell of. */
static void left(struct retire *r, int64_t now)
{
	if (r->leaving == 0 && r->drained && chat_busy(r->p.chat) &&
	    now < r->end_ms) {
		timer_arm(&r->timer, STOP_POLL_MS);
		return;
	}
	if (r->leaving > 0)
		log_warn("stopping without having told the backends");
	loop_stop(r->p.loop);
}

/* Answers under way go out; then connections close; when they have (their ends
 * reach presence and the directory) both write what is left. Each step ends
 * early when there is nothing left to do, and late at its deadline. Clients are
 * not sent DISCONNECT: a stock client comes back by itself only when the
 * transport just closes. */
static void stop_step(struct retire *r, int64_t now)
{
	switch (r->state) {
	case SERVING:
	case DRAINING:
		return;
	case ANSWERING:
		if (r->p.chat->ops > 0 && now < r->step_ms) {
			timer_arm(&r->timer, STOP_POLL_MS);
			return;
		}
		r->state = CLOSING;
		eio_sessions_close_all(r->p.sessions, CLOSE_SERVER);
		timer_arm(&r->timer, 0);	/* behind this turn's reaping */
		return;
	case CLOSING:
		leave(r, now);
		return;
	case LEAVING:
		left(r, now);
	}
}

void retire_stop(struct retire *r, int64_t within_ms)
{
	int64_t now = clock_mono_ms();

	if (r->state > DRAINING)
		return;
	listener_stop(r->p.listener);
	r->p.chat->stopping = true;
	r->state = ANSWERING;
	if (within_ms > STOP_MAX_MS)
		within_ms = STOP_MAX_MS;
	r->step_ms = now + within_ms / 2;
	r->end_ms = now + within_ms;
	timer_arm(&r->timer, 0);
}

/* --- draining --- */

static void begin_parting(struct retire *r, int64_t now, size_t sessions)
{
	r->parting = sessions;
	r->spread_ms = r->p.conf->drain_spread;
	r->parted_ms = now + r->spread_ms;
	log_info("the grace is over: closing sessions=%zu over_ms=%lld",
		 sessions, (long long)r->spread_ms);
}

/* So many stay until `now` that as many go in each moment; those who leave by
 * themselves meanwhile are counted with them. */
static void part(struct retire *r, int64_t now, size_t sessions)
{
	int64_t left_ms;
	size_t stay;

	if (r->parted_ms == 0)
		begin_parting(r, now, sessions);
	left_ms = r->parted_ms - now;
	if (left_ms <= -LAST_ANSWERS_MS) {
		eio_sessions_close_all(r->p.sessions, CLOSE_SERVER);
		return;
	}
	stay = left_ms <= 0 ? 0 : (size_t)((double)r->parting *
					    (double)left_ms /
					    (double)r->spread_ms + 0.5);
	if (sessions > stay)
		eio_sessions_close_some(r->p.sessions, sessions - stay,
					CLOSE_SERVER);
}

/* Without a session: true when there is nothing to wait for any more. */
static bool deserted(struct retire *r, int64_t now)
{
	int64_t patience_ms = r->p.conf->keepalive_timeout;

	if (r->empty_ms == NEVER)
		r->empty_ms = now;
	if (listener_empty(r->p.listener) && !chat_busy(r->p.chat) &&
	    listener_farewells(r->p.listener) == 0)
		return true;
	if (now < r->empty_ms + patience_ms)
		return false;
	if (!r->dismissed)
		listener_dismiss(r->p.listener);
	r->dismissed = true;
	return now >= r->empty_ms + patience_ms + DISMISSED_MS;
}

static void drain_step(struct retire *r, int64_t now)
{
	size_t sessions = eio_sessions_count(r->p.sessions);

	timer_arm(&r->timer, DRAIN_POLL_MS);
	if (sessions > 0) {
		r->empty_ms = NEVER;
		r->dismissed = false;
		if (now >= r->part_ms)
			part(r, now, sessions);
		return;
	}
	if (!deserted(r, now))
		return;
	/* What was on its way to us is taken, and answered; then once more. */
	if (!r->shut) {
		listener_shut(r->p.listener);
		r->shut = true;
		return;
	}
	log_info("drained");
	r->drained = true;
	retire_stop(r, TELL_BACKENDS_MS);
}

void retire_drain(struct retire *r, uint32_t grace_ms)
{
	int64_t part_ms = clock_mono_ms() + grace_ms;

	if (r->state > DRAINING || part_ms >= r->part_ms)
		return;
	log_info("draining grace_ms=%u sessions=%zu", grace_ms,
		 eio_sessions_count(r->p.sessions));
	r->part_ms = part_ms;
	r->state = DRAINING;
	listener_drain(r->p.listener);
	timer_arm(&r->timer, 0);
}

static void on_timer(void *arg)
{
	struct retire *r = arg;
	int64_t now = clock_mono_ms();

	if (r->state == DRAINING)
		drain_step(r, now);
	else
		stop_step(r, now);
}

struct retire *retire_new(const struct retire_parts *p)
{
	struct retire *r = mem_zalloc(sizeof(*r));

	r->p = *p;
	r->part_ms = NEVER;
	r->empty_ms = NEVER;
	timer_init(&r->timer, p->loop, on_timer, r);
	return r;
}

void retire_free(struct retire **rp)
{
	struct retire *r = *rp;

	if (r == NULL)
		return;
	timer_free(&r->timer);
	free(r);
	*rp = NULL;
}
