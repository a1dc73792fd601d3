#include "worker/chat/catch_up.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "worker/chat/catch_up_impl.h"
#include "worker/chat/connect.h"

/* Devices with a query out: a mass reconnect does not storm the store. */
#define ASKING_MAX 64
#define HELD_MAX 256
#define UNSETTLED_MAX 400	/* and a page: the store gives 500 at a time */
#define UNSETTLED_BYTES_MAX (4 << 20)
#define BRIEF_US 100000
#define TICK_MS 1000
#define TRIM_SHARES 64		/* a minute for all users */

static void want(struct catch_up *u)
{
	struct catch_ups *cs = u->d->chat->catch_ups;

	list_append(&cs->ready, &u->node);
	loop_defer(cs->c->loop, &cs->pump);
}

/* --- one device's --- */

static struct catch_up *catch_up_new(struct device *d)
{
	struct catch_up *u = mem_zalloc(sizeof(*u));

	u->d = d;
	u->phase = CATCH_UP_MESSAGES;
	u->floor = emit_floor_settled(d);
	u->from_us = emit_since_us(d);
	list_init(&u->node);
	list_init(&u->held);
	deadline_init(&u->opening);
	d->catch_up = u;
	stats_inc(STAT_catching_up);
	return u;
}

static void drop_held(struct catch_up *u, bool all)
{
	struct list *pos, *tmp;

	LIST_FOREACH_SAFE(pos, tmp, &u->held) {
		struct held *h = LIST_ENTRY(pos, struct held, node);

		if (!all && h->id[0] == '\0')
			continue;
		list_remove(pos);
		u->held_bytes -= h->n;
		u->nheld--;
		u->nsent -= h->n == 0;
		u->nreceipts -= h->n != 0 && h->id[0] == '\0';
		free(h);
	}
}

void catch_up_drop(struct device *d)
{
	struct catch_up *u = d->catch_up;
	bool of_all;

	if (u == NULL)
		return;
	of_all = u->of_all;
	if (u->asking != NULL)
		u->asking->stale = true;
	list_remove(&u->node);
	deadline_drop(&u->opening);
	drop_held(u, true);
	free(u);
	d->catch_up = NULL;
	stats_dec(STAT_catching_up);
	if (of_all)
		catch_up_all_less(d->chat->catch_ups);
}

static void begin(struct catch_up *u, enum catch_up_phase phase)
{
	u->phase = phase;
	u->given = u->settled = (struct row_at){ 0 };
	u->unsettled = 0;
	u->unsettled_bytes = 0;
}

static void once_more(struct catch_up *u, bool receipts)
{
	u->again = true;
	u->receipts = u->receipts || receipts;
}

static void finish(struct catch_up *u)
{
	if (u->again) {
		begin(u, CATCH_UP_MESSAGES);
		u->again = u->brief = false;
		want(u);
		return;
	}
	catch_up_give_held(u);
	catch_up_drop(u->d);
}

static void next_phase(struct catch_up *u)
{
	if (u->phase == CATCH_UP_MESSAGES && u->receipts) {
		begin(u, CATCH_UP_RECEIPTS);
		want(u);
		return;
	}
	finish(u);
}

/* --- whoever comes back --- */

static void recovered(struct catch_up *u)
{
	deadline_drop(&u->opening);
	stats_inc(STAT_recovered);
	begin(u, CATCH_UP_MESSAGES);
	connect_accept(u->d, u->sid);
}

static void begin_anew(struct catch_up *u)
{
	u->from_us = cluster_now_us();
	u->brief = true;
	begin(u, CATCH_UP_MESSAGES);
	connect_accept(u->d, NULL);
}

/* The store cannot say, or it is too much. */
static void not_recovered(struct catch_up *u)
{
	deadline_drop(&u->opening);
	stats_inc(STAT_not_recovered);
	seen_free(&u->d->seen);
	u->floor = emit_floor_settled(u->d);
	u->receipts = u->again;
	begin_anew(u);
}

static void on_opening_overdue(struct deadline *dl, void *arg)
{
	struct catch_up *u = CONTAINER_OF(dl, struct catch_up, opening);

	(void)arg;
	if (u->asking != NULL) {
		u->asking->stale = true;
		u->asking = NULL;
		want(u);
	}
	not_recovered(u);
}

void catch_up_recover(struct device *d, const char *sid,
		      const struct cursor *from)
{
	struct catch_up *u;

	seen_restore(&d->seen, from);
	u = catch_up_new(d);
	u->phase = CATCH_UP_OPENING;
	u->floor = from->floor;
	u->from_us = 0;
	u->receipts = true;
	memcpy(u->sid, sid, sizeof(u->sid));
}

void catch_up_registered(struct device *d)
{
	struct catch_up *u = d->catch_up;

	if (u == NULL) {
		u = catch_up_new(d);
		begin_anew(u);
	} else if (!deadline_armed(&u->opening)) {
		deadline_arm(&d->chat->catch_ups->openings, &u->opening);
	} else {
		return;		/* told twice */
	}
	want(u);
}

/* --- asking the store --- */

/* The query has been answered, or its page given. */
static struct catch_up *asking_end(struct asking *a)
{
	struct device *d = a->d;
	struct catch_ups *cs = d->chat->catch_ups;
	struct catch_up *u = a->stale ? NULL : d->catch_up;

	if (u != NULL)
		u->asking = NULL;
	for (size_t i = 0; i < a->n; i++)
		free(a->rows[i]);
	free(a->rows);
	free(a);
	cs->asking--;
	loop_defer(cs->c->loop, &cs->pump);
	device_unref(d);
	return u;
}

static void park(struct catch_up *u)
{
	list_append(&u->d->chat->catch_ups->parked, &u->node);
}

void catch_up_page_failed(struct asking *a)
{
	struct catch_up *u = asking_end(a);

	if (u != NULL)
		park(u);
}

void catch_up_page_done(struct asking *a, bool more)
{
	struct catch_up *u = asking_end(a);

	if (u == NULL)
		return;
	if (!more) {
		next_phase(u);
	} else if (u->written > 0) {
		u->waiting = true;
		u->mark = sio_mark(u->d->socket);
	} else {
		want(u);
	}
}

void catch_up_confirmed(struct device *d, uint32_t mark)
{
	struct catch_up *u = d->catch_up;

	if (u == NULL || !u->waiting || (int32_t)(mark - u->mark) < 0)
		return;
	u->waiting = false;
	u->written = 0;
	want(u);
}

static void failed(struct asking *a, int err)
{
	struct catch_up *u = asking_end(a);

	if (u == NULL)
		return;
	log_debug("catch-up: err=%d", err);
	if (u->phase <= CATCH_UP_COUNTING)
		not_recovered(u);
	park(u);
}

static void on_counted(void *arg, int err, size_t n)
{
	struct asking *a = arg;
	struct catch_up *u;

	if (err != 0) {
		failed(a, err);
		return;
	}
	u = asking_end(a);
	if (u == NULL)
		return;
	if (n <= u->d->chat->conf.recovery_events)
		recovered(u);
	else
		not_recovered(u);
	want(u);
}

/* Most who connect have missed little or nothing lately, and nothing comes in that
 * instant: they cost one look at what is undelivered. Else another device may
 * confirm what was held here before it is looked at, or has confirmed what follows
 * one that a third is still to confirm; and a page that leaves it out has a gap. */
static bool brief_will_do(const struct catch_up *u, const struct asking *a,
			  const struct message *rows, size_t n)
{
	return !a->more && u->nheld == 0 &&
	       cluster_now_us() - u->from_us < BRIEF_US &&
	       (n == 0 || rows[n - 1].pos <= u->floor);
}

static void on_rows(void *arg, int err, const struct message *rows, size_t n)
{
	struct asking *a = arg;
	struct catch_up *u = a->stale ? NULL : a->d->catch_up;

	if (u == NULL || err != 0) {
		failed(a, err);
		return;
	}
	a->more = store_rows_full(rows, n, a->limit, a->bytes);
	if (u->brief && !brief_will_do(u, a, rows, n)) {
		u->brief = false;
		asking_end(a);
		want(u);
		return;
	}
	if (u->phase == CATCH_UP_OPENING && a->more) {
		u->phase = CATCH_UP_COUNTING;
		asking_end(a);
		want(u);
		return;
	}
	if (u->phase == CATCH_UP_OPENING)
		recovered(u);
	if (n > 0)
		a->rows = mem_alloc(n * sizeof(a->rows[0]));
	for (a->n = 0; a->n < n; a->n++)
		a->rows[a->n] = message_dup(&rows[a->n]);
	catch_up_page_run(a);
}

/* A page begins behind what was given; but a row that was stored since may belong
 * before that (its pos is older than its commit, and a burst's rows run ahead of
 * the time), and its stream must not go on without it. So what is that new is
 * read again, in one look with what follows: within a look no stream has a hole,
 * and repeats are known. Who is sent hundreds a minute meanwhile goes on without.
 * Behind these comes as much as the device is given before its next pong. */
static void place_page(struct catch_up *u, struct asking *a,
		       struct store_missed *q)
{
	const struct chat *c = u->d->chat;

	if (u->unsettled > UNSETTLED_MAX ||
	    u->unsettled_bytes > UNSETTLED_BYTES_MAX) {
		u->settled = u->given;
		u->unsettled = 0;
		u->unsettled_bytes = 0;
	}
	q->after_pos = u->settled.pos;
	memcpy(q->after_id, u->settled.id, sizeof(q->after_id));
	q->limit = a->limit = CATCH_UP_PAGE + u->unsettled;
	q->bytes = a->bytes = chat_read_bytes(c, a->limit, c->conf.catch_up_bytes +
							   u->unsettled_bytes);
	u->unsettled = 0;	/* counted again */
	u->unsettled_bytes = 0;
	a->settled_us = cluster_now_us() - EMIT_SETTLED_US;
}

static void ask(struct catch_up *u)
{
	struct chat *c = u->d->chat;
	struct asking *a = mem_zalloc(sizeof(*a));
	struct store_missed q = {
		.user_id = u->d->user->id,
		.since = u->brief ? 0 : u->floor,
	};

	place_page(u, a, &q);
	a->d = device_ref(u->d);
	u->asking = a;
	c->catch_ups->asking++;
	if (u->phase == CATCH_UP_COUNTING)
		message_store_missed_count(c->store, q.user_id, q.since,
					   c->conf.recovery_events + 1,
					   on_counted, a);
	else if (u->phase == CATCH_UP_RECEIPTS)
		message_store_receipts(c->store, &q, on_rows, a);
	else
		message_store_missed(c->store, &q, on_rows, a);
}

/* Not before all routes are registered again: what is published until then may
 * come to nobody. */
static bool may_ask(const struct catch_ups *cs)
{
	return cs->asking < ASKING_MAX && cs->registering == 0 &&
	       !cs->c->down;
}

void catch_up_pump(struct catch_ups *cs)
{
	struct list *n;

	while (may_ask(cs) && (n = list_shift(&cs->ready)) != NULL) {
		struct catch_up *u = LIST_ENTRY(n, struct catch_up, node);

		/* Who is not accepted yet is told at once. */
		if (message_store_up(cs->c->store) ||
		    u->phase <= CATCH_UP_COUNTING)
			ask(u);
		else
			park(u);
	}
}

static void on_pump(void *arg)
{
	catch_up_pump(arg);
}

/* --- from outside --- */

void catch_up_start(struct device *d, bool receipts)
{
	struct catch_up *u = d->catch_up;

	if (d->user == NULL)
		return;
	if (u != NULL) {
		u->own = true;
		once_more(u, receipts);
		return;
	}
	u = catch_up_new(d);
	u->own = true;
	u->receipts = receipts;
	want(u);
}

void catch_up_user(struct chat *c, struct slice user_id)
{
	struct user *user = users_find(&c->users, user_id);
	struct list *pos, *tmp;

	if (user == NULL)
		return;
	LIST_FOREACH_SAFE(pos, tmp, &user->devices) {
		struct device *d = LIST_ENTRY(pos, struct device, node);

		/* One that is just connecting has it all before it. */
		if (d->accepted || d->catch_up != NULL)
			catch_up_start(d, false);
	}
}

static void hold(struct catch_up *u, const struct held *what, struct slice frame)
{
	struct held *h = mem_alloc(sizeof(*h) + frame.n);

	*h = *what;
	h->n = frame.n;
	if (frame.n > 0)
		memcpy(h->frame, frame.p, frame.n);
	list_append(&u->held, &h->node);
	u->nheld++;
	u->held_bytes += frame.n;
}

bool catch_up_hold(struct device *d, const struct emission *e)
{
	struct catch_up *u = d->catch_up;
	struct held h = { .at = e->at, .tracked = e->tracked };

	if (u == NULL)
		return false;
	if (u->nheld - u->nsent - u->nreceipts >= HELD_MAX ||
	    u->held_bytes + e->frame.n > d->chat->conf.catch_up_bytes) {
		/* They are in the store, all of them. */
		drop_held(u, false);
		u->dropped = true;
		once_more(u, false);
	}
	memcpy(h.id, e->id, sizeof(h.id));
	hold(u, &h, e->frame);
	return true;
}

/* Beyond the bound it comes at once, maybe too early. */
bool catch_up_hold_receipt(struct device *d, struct slice frame)
{
	struct catch_up *u = d->catch_up;

	if (u == NULL || !d->accepted || u->nreceipts >= HELD_MAX ||
	    u->held_bytes + frame.n > d->chat->conf.catch_up_bytes / 2)
		return false;
	hold(u, &(struct held){ 0 }, frame);
	u->nreceipts++;
	return true;
}

/* Beyond the bound it is sent what it knows. */
bool catch_up_sent(struct device *d, const struct place *at)
{
	struct catch_up *u = d->catch_up;
	struct held h = { .at = *at };

	if (u == NULL)
		return false;
	if (u->nsent < HELD_MAX) {
		hold(u, &h, (struct slice){ NULL, 0 });
		u->nsent++;
	}
	return true;
}

int64_t catch_up_floor(const struct device *d)
{
	return d->catch_up->floor;
}

/* --- all of them --- */

static void trim_user(struct map_node *n, void *arg)
{
	struct user *user = CONTAINER_OF(n, struct user, node);
	struct list *pos, *tmp;

	(void)arg;
	LIST_FOREACH_SAFE(pos, tmp, &user->devices) {
		struct device *d = LIST_ENTRY(pos, struct device, node);

		if (d->seen != NULL)
			seen_trim(&d->seen, emit_floor(d));
	}
}

void catch_up_wake(struct chat *c)
{
	struct catch_ups *cs = c->catch_ups;

	list_splice(&cs->ready, &cs->parked);
	loop_defer(c->loop, &cs->pump);
}

static void on_tick(void *arg)
{
	struct catch_ups *cs = arg;

	if (!list_empty(&cs->parked) && message_store_up(cs->c->store))
		catch_up_wake(cs->c);
	map_each_share(&cs->c->users.map, cs->share, TRIM_SHARES, trim_user,
		       NULL);
	cs->share = (cs->share + 1) % TRIM_SHARES;
	timer_arm(&cs->tick, TICK_MS);
}

void catch_up_init(struct chat *c)
{
	struct catch_ups *cs = mem_zalloc(sizeof(*cs));

	cs->c = c;
	list_init(&cs->ready);
	list_init(&cs->parked);
	task_init(&cs->pump, LOOP_WORK, on_pump, cs);
	timer_init(&cs->tick, c->loop, on_tick, cs);
	timer_arm(&cs->tick, TICK_MS);
	deadlines_init(&cs->openings, c->loop, c->conf.opening_ms,
		       on_opening_overdue, NULL);
	c->catch_ups = cs;
}

void catch_up_set_conf(struct chat *c)
{
	deadlines_set_length(&c->catch_ups->openings, c->conf.opening_ms);
}

void catch_up_free(struct chat *c)
{
	struct catch_ups *cs = c->catch_ups;

	task_cancel(&cs->pump);
	timer_free(&cs->tick);
	deadlines_free(&cs->openings);
	free(cs);
	c->catch_ups = NULL;
}
