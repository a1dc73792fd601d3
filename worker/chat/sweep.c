#include "worker/chat/sweep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/backend/backoff.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "common/queue/push_queue.h"
#include "common/store/message_store.h"
#include "worker/chat/push_due.h"
#include "worker/chat/route.h"
#include "worker/directory.h"

#define PAGE 200
/* And no more than this of content, of which there are copies on the way. */
#define PAGE_BYTES (16 << 20)
#define INTERVAL_MIN_MS 100
#define INTERVAL_MAX_MS 1000
/* An answer this late tells of a backend that stood still: confirmations stood
 * in the same queue, and go first. */
#define SLOW_MS 1000
/* The backoff's 5 s are 15 here: what is late already can wait that long. */
#define BACKOFF_FACTOR 3

struct sweep {
	struct chat *c;
	struct timer timer;	/* armed: nothing is under way */
	struct backoff backoff;
	int64_t interval_ms;
	int64_t quiet_until_ms;	/* monotonic; not before */
	int64_t asked_ms;	/* when the look under way began */
	bool distrusted;	/* the last answer came too late */
	bool waiting;		/* logged: pushes cannot be queued */
	/* Of the page under way: */
	unsigned limit;		/* how many were asked for */
	bool full;		/* there may be more */
	unsigned rows;		/* not done yet */
	unsigned good;
	int put_off;		/* why some were, or 0 */
	int err;		/* why some stay at the head, or 0 */
};

/* A row under way. */
struct row {
	struct sweep *s;
	struct message *m;	/* owned */
	int put_off;		/* why it could not be handled */
};

static const char *why(int err)
{
	switch (err) {
	case -ENOSPC:
		return "the push queue is full";
	case -EAGAIN:
		return "matches are not known, or the store has too much to do";
	case -EREMOTEIO:
		return "the push queue or the store refused";
	default:
		return strerror(-err);
	}
}

static void note_state(struct sweep *s, int err)
{
	if (s->waiting == (err != 0))
		return;
	s->waiting = err != 0;
	if (err != 0)
		log_warn("pushes that are due have to wait: %s", why(err));
	else
		log_info("pushes that are due go out again");
}

static void look_in(struct sweep *s, int64_t ms)
{
	int64_t quiet_ms = s->quiet_until_ms - clock_mono_ms();

	timer_arm(&s->timer, ms > quiet_ms ? ms : quiet_ms);
}

/* Other workers may be some seconds behind in finding the backend again, then
 * devices have the usual time. */
static void settle(struct sweep *s)
{
	int64_t timeout_ms = s->c->conf.delivery_timeout_ms;
	int64_t late_ms = 2 * timeout_ms;

	s->quiet_until_ms = clock_mono_ms() + timeout_ms +
			    (late_ms < BACKOFF_MAX_MS ? late_ms : BACKOFF_MAX_MS);
}

static void fail(struct sweep *s, int err)
{
	if (err != -ENOTCONN)	/* which is logged by its connection */
		note_state(s, err);
	look_in(s, s->interval_ms + BACKOFF_FACTOR * backoff_next(&s->backoff));
}

/* A full page is followed by the next after as long as it took itself: half of
 * the time is left for others, however many there are. */
static void page_done(struct sweep *s)
{
	int64_t took_ms = clock_mono_ms() - s->asked_ms;

	if (s->c->down)
		return;
	if (s->err != 0 || (s->put_off != 0 && s->good == 0)) {
		fail(s, s->err != 0 ? s->err : s->put_off);
		return;
	}
	note_state(s, 0);
	backoff_init(&s->backoff);
	look_in(s, s->full && took_ms < s->interval_ms ? took_ms :
							 s->interval_ms);
}

/* err 0: it is not due any more. */
static void row_done(struct row *r, int err)
{
	struct sweep *s = r->s;

	if (err != 0)
		s->err = err;
	else if (r->put_off != 0)
		s->put_off = r->put_off;
	else
		s->good++;
	free(r->m);
	free(r);
	if (--s->rows == 0)
		page_done(s);
}

static void on_put_off(void *arg, int err)
{
	row_done(arg, err);
}

/* So that it is no more at the head of what is due, before all others. */
static void put_off(struct row *r, int why_not)
{
	struct chat *c = r->s->c;

	r->put_off = why_not;
	message_store_set_owe(c->store, r->m->id,
			      cluster_now_us() +
				      c->conf.delivery_timeout_ms * 1000,
			      on_put_off, r);
}

static void on_dropped(void *arg, int err)
{
	if (err == 0)
		stats_inc(STAT_sweep_dropped);
	row_done(arg, err);
}

static void on_queued(void *arg, int err)
{
	struct row *r = arg;

	if (err == -EREMOTEIO && !r->s->c->down) {
		put_off(r, err);	/* this one perhaps, and no other */
		return;
	}
	if (err == 0)
		stats_inc(STAT_swept);
	row_done(r, err);
}

static void on_match(void *arg, int err, const struct match *m)
{
	struct row *r = arg;
	struct chat *c = r->s->c;

	if (c->down) {
		row_done(r, -ECANCELED);
	} else if (err != 0) {
		put_off(r, err);	/* others' matches may be known */
	} else if (m == NULL || !m->live) {
		message_store_set_owe(c->store, r->m->id, 0, on_dropped, r);
	} else {
		/* It may be that nobody ever told any device: a worker died,
		 * or Redis lost the envelope. */
		route_found(c, r->m, NULL);
		push_enqueue(c, r->m, r->s->asked_ms, on_queued, r);
	}
}

/* Not believed then, but once only: slow backends are no reason to stop. */
static bool is_late(struct sweep *s)
{
	if (clock_mono_ms() - s->asked_ms < SLOW_MS || s->distrusted)
		return false;
	s->distrusted = true;
	settle(s);
	look_in(s, 0);
	return true;
}

static void on_due(void *arg, int err, const struct message *rows, size_t n)
{
	struct sweep *s = arg;

	if (s->c->down)
		return;
	if (err != 0) {
		fail(s, err);
		return;
	}
	if (is_late(s))
		return;
	s->distrusted = false;
	s->full = n == s->limit;
	s->rows = (unsigned)n + 1;	/* not done before the last has begun */
	s->good = 0;
	s->put_off = s->err = 0;
	for (size_t i = 0; i < n; i++) {
		struct row *r = mem_alloc(sizeof(*r));

		*r = (struct row){ .s = s, .m = message_dup(&rows[i]) };
		directory_match(s->c->directory, rows[i].match_id, on_match, r);
	}
	if (--s->rows == 0)
		page_done(s);
}

static unsigned page_limit(const struct chat *c)
{
	size_t n = PAGE_BYTES / (c->conf.content_max + 1);

	return n < PAGE ? (unsigned)n : PAGE;
}

static void on_lead(void *arg, int err, bool yes)
{
	struct sweep *s = arg;

	if (s->c->down)
		return;
	if (err == 0 && !yes) {
		look_in(s, s->interval_ms);
		return;
	}
	if (err == 0 && is_late(s))
		return;
	s->limit = page_limit(s->c);
	message_store_due(s->c->store, cluster_now_us(), s->limit, on_due, s);
}

static void on_timer(void *arg)
{
	struct sweep *s = arg;
	struct chat *c = s->c;

	/* Without them nothing can be done, and their return wakes us. */
	if (!message_store_up(c->store) || !push_queue_up(c->push)) {
		look_in(s, INTERVAL_MAX_MS);
		return;
	}
	s->asked_ms = clock_mono_ms();
	presence_lead(c->presence, "sweep", (unsigned)(3 * s->interval_ms),
		      on_lead, s);
}

void sweep_wake(struct chat *c)
{
	struct sweep *s = c->sweep;

	backoff_init(&s->backoff);
	settle(s);
	if (timer_armed(&s->timer))
		look_in(s, 0);
}

void sweep_init(struct chat *c)
{
	struct sweep *s = mem_zalloc(sizeof(*s));
	int64_t ms = c->conf.delivery_timeout_ms / 4;

	s->c = c;
	s->interval_ms = ms < INTERVAL_MIN_MS ? INTERVAL_MIN_MS :
			 ms > INTERVAL_MAX_MS ? INTERVAL_MAX_MS : ms;
	backoff_init(&s->backoff);
	timer_init(&s->timer, c->loop, on_timer, s);
	settle(s);
	look_in(s, 0);
	c->sweep = s;
}

void sweep_free(struct chat *c)
{
	timer_free(&c->sweep->timer);
	free(c->sweep);
	c->sweep = NULL;
}
