#include "worker/directory/row_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "common/backend/pg.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/base/siphash.h"
#include "common/loop/loop.h"
#include "worker/directory/listen.h"
#include "worker/directory/refusal.h"

#define REVALIDATE_MS 2000
/* A connection lost may be back at once: loads wait this long for it. */
#define GIVE_UP_MS 1000
#define LOAD_MAX 500	/* ids in one statement */
#define DIRTY_MAX 5	/* loads of one row that keeps changing meanwhile */

enum row_state {
	ROW_IDLE,	/* on a recency list */
	ROW_WANTED,	/* on c->wanted */
	ROW_LOADING,	/* on its load's list */
};

struct waiter {
	struct waiter *next;
	row_cb *cb;
	void *arg;
};

struct row {
	struct map_node node;
	struct list place;	/* where it is depends on the state */
	struct waiter *waiters, **tail;
	struct load *load;
	char **cols;		/* of known rows; NULL: no such row */
	char **loaded;		/* cols that a load brought */
	int64_t checked_ms;	/* monotonic: was true then */
	uint32_t epoch;		/* proof->serial it is covered by; 0: none */
	uint8_t state;
	uint8_t tries;		/* connections lost under its load */
	uint8_t dirty_loads;
	bool known;
	bool dirty;		/* changed while loading */
	bool alone;		/* the server refused a group it was in */
	char id[];
};

struct load {
	struct row_cache *c;
	struct list rows;
	size_t n;
	int64_t sent_ms;
	uint32_t epoch;
};

struct recency {
	struct list rows;	/* oldest use first */
	size_t n;
};

struct row_cache {
	struct row_cache_conf conf;
	struct map map;
	/* Ids that do not exist can be made up by clients: they have a share of
	 * their own and do not push real rows out. */
	struct recency real, missing;
	struct list wanted;
	struct task dispatch;
	struct timer give_up;
	bool gave_up;
	bool closed;
	bool refused;	/* the server refuses our statement: logged */
};

static bool row_equal(const struct map_node *node, const void *key)
{
	return strcmp(CONTAINER_OF(node, struct row, node)->id, key) == 0;
}

static struct row *row_find(const struct row_cache *c, const char *id)
{
	struct map_node *n = map_find(&c->map, hash_str(id), id);

	return n != NULL ? CONTAINER_OF(n, struct row, node) : NULL;
}

static struct row *row_new(struct row_cache *c, const char *id)
{
	size_t len = strlen(id);
	struct row *r = mem_zalloc(sizeof(*r) + len + 1);

	memcpy(r->id, id, len);
	r->tail = &r->waiters;
	list_init(&r->place);
	map_insert(&c->map, &r->node, hash_bytes(id, len));
	return r;
}

static struct recency *recency_of(struct row_cache *c, const struct row *r)
{
	return r->cols != NULL ? &c->real : &c->missing;
}

static void row_to_recency(struct row_cache *c, struct row *r)
{
	struct recency *q = recency_of(c, r);

	r->state = ROW_IDLE;
	list_append(&q->rows, &r->place);
	q->n++;
}

static void row_touch(struct row_cache *c, struct row *r)
{
	list_remove(&r->place);
	list_append(&recency_of(c, r)->rows, &r->place);
}

/* Off the list it is on. */
static void row_take(struct row_cache *c, struct row *r)
{
	if (r->state == ROW_IDLE && !list_empty(&r->place))
		recency_of(c, r)->n--;
	list_remove(&r->place);
}

static void row_free(struct row_cache *c, struct row *r)
{
	row_take(c, r);
	map_remove(&c->map, &r->node);
	free(r->cols);
	free(r->loaded);
	free(r);
}

static void evict(struct row_cache *c)
{
	while (c->real.n + c->missing.n > c->conf.max) {
		struct recency *q = &c->real;

		if (c->missing.n > c->conf.max / 4 || c->real.n == 0)
			q = &c->missing;
		row_free(c, LIST_ENTRY(list_first(&q->rows), struct row, place));
	}
}

static bool row_covered(const struct row_cache *c, const struct row *r)
{
	return r->epoch != 0 && r->epoch == c->conf.proof->serial;
}

static int64_t row_age_ms(const struct row_cache *c, const struct row *r)
{
	int64_t at = r->checked_ms;

	if (row_covered(c, r) && c->conf.proof->proven_ms > at)
		at = c->conf.proof->proven_ms;
	return clock_mono_ms() - at;
}

static bool row_usable(const struct row_cache *c, const struct row *r)
{
	if (!r->known || c->closed)
		return false;
	if (row_covered(c, r) && c->conf.proof->proven)
		return true;
	if (!pg_up(c->conf.pg))
		return row_age_ms(c, r) <= c->conf.stale_max_ms;
	/* Read before this LISTEN began: what was cached then is dropped. */
	if (c->conf.proof->proven)
		return false;
	return row_age_ms(c, r) <= REVALIDATE_MS;
}

static void row_want(struct row_cache *c, struct row *r)
{
	if (r->state != ROW_IDLE)
		return;
	row_take(c, r);
	r->state = ROW_WANTED;
	list_append(&c->wanted, &r->place);
	loop_defer(c->conf.loop, &c->dispatch);
}

/* Another try of a row taken off its load. */
static void row_want_again(struct row_cache *c, struct row *r)
{
	r->state = ROW_WANTED;
	list_append(&c->wanted, &r->place);
	loop_defer(c->conf.loop, &c->dispatch);
}

/* r is on no list, and keeps its value (or goes) unless a waiter asks again. */
static void row_settle(struct row_cache *c, struct row *r, int err)
{
	struct waiter *w = r->waiters;

	r->waiters = NULL;
	r->tail = &r->waiters;
	r->tries = 0;
	r->dirty_loads = 0;
	r->alone = false;
	if (err == -EAGAIN && r->known && row_age_ms(c, r) <= c->conf.stale_max_ms)
		err = 0;
	row_to_recency(c, r);
	while (w != NULL) {
		struct waiter *next = w->next;

		w->cb(w->arg, err, r->id,
		      err == 0 ? (const char *const *)r->cols : NULL);
		free(w);
		w = next;
	}
	if (!r->known && r->state == ROW_IDLE)
		row_free(c, r);
}

static void row_arrived(struct row_cache *c, struct row *r,
			const struct load *load)
{
	bool dirty = r->dirty;

	r->dirty = false;
	if (dirty && !c->closed && ++r->dirty_loads < DIRTY_MAX) {
		free(r->loaded);
		r->loaded = NULL;
		row_want_again(c, r);
		return;
	}
	free(r->cols);
	r->cols = r->loaded;
	r->loaded = NULL;
	r->known = true;
	r->checked_ms = load->sent_ms;
	/* Read under a LISTEN that has held since; else it is just 2 s good. */
	r->epoch = load->epoch == c->conf.proof->epoch ? load->epoch : 0;
	row_settle(c, r, 0);
	if (dirty && r->state == ROW_IDLE)
		row_free(c, r);
}

static void row_failed(struct row_cache *c, struct row *r,
		       const struct load *load, int err, bool bad)
{
	r->dirty = false;
	if (bad && load->n > 1 && !c->closed) {
		r->alone = true;
		row_want_again(c, r);
	} else if (bad) {
		row_arrived(c, r, load);	/* cannot exist */
	} else if (!c->closed && (err == -ENOTCONN || err == -ECONNRESET) &&
		   (!r->known || row_age_ms(c, r) > c->conf.stale_max_ms) &&
		   r->tries++ == 0) {
		row_want_again(c, r);
	} else {
		row_settle(c, r, err == -ECANCELED ? err : -EAGAIN);
	}
}

static char **copy_cols(const PGresult *res, int tuple, unsigned ncols)
{
	size_t size = ncols * sizeof(char *);
	char **cols, *p;

	for (unsigned i = 0; i < ncols; i++)
		size += (size_t)PQgetlength(res, tuple, (int)i + 1) + 1;
	cols = mem_alloc(size);
	p = (char *)(cols + ncols);
	for (unsigned i = 0; i < ncols; i++) {
		size_t n = (size_t)PQgetlength(res, tuple, (int)i + 1) + 1;

		cols[i] = NULL;
		if (PQgetisnull(res, tuple, (int)i + 1))
			continue;
		memcpy(p, PQgetvalue(res, tuple, (int)i + 1), n);
		cols[i] = p;
		p += n;
	}
	return cols;
}

static void take_tuples(struct load *load, const PGresult *res)
{
	struct row_cache *c = load->c;

	for (int i = 0; i < PQntuples(res); i++) {
		struct row *r = row_find(c, PQgetvalue(res, i, 0));

		if (r == NULL || r->load != load || r->loaded != NULL)
			continue;
		r->loaded = copy_cols(res, i, c->conf.ncols);
	}
}

static void note_refusal(struct row_cache *c, int err, const PGresult *res)
{
	bool refused = err == -EREMOTEIO;

	if (refused && !c->refused)
		log_err("PostgreSQL refuses to read %s: %s", c->conf.what,
			refusal_text(res));
	else if (err == 0 && c->refused)
		log_info("PostgreSQL lets us read %s again", c->conf.what);
	if (refused || err == 0)
		c->refused = refused;
}

static void on_loaded(void *arg, int err, const PGresult *res)
{
	struct load *load = arg;
	struct row_cache *c = load->c;
	bool bad = refused_value(err, res);
	struct list *n;

	if (!bad)
		note_refusal(c, err, res);
	if (err == 0)
		take_tuples(load, res);
	while ((n = list_shift(&load->rows)) != NULL) {
		struct row *r = LIST_ENTRY(n, struct row, place);

		r->load = NULL;
		if (err == 0)
			row_arrived(c, r, load);
		else
			row_failed(c, r, load, err, bad);
	}
	free(load);
	evict(c);
}

static void send_load(struct row_cache *c)
{
	struct load *load = mem_zalloc(sizeof(*load));
	struct buf ids = { 0 };
	const char *params[1];
	struct list *n;

	load->c = c;
	load->sent_ms = clock_mono_ms();
	load->epoch = c->conf.proof->epoch;
	list_init(&load->rows);
	while (load->n < LOAD_MAX && (n = list_first(&c->wanted)) != NULL) {
		struct row *r = LIST_ENTRY(n, struct row, place);

		if (r->alone && load->n > 0)
			break;
		list_remove(n);
		r->state = ROW_LOADING;
		r->load = load;
		list_append(&load->rows, n);
		load->n++;
		pg_array_add(&ids, r->id, strlen(r->id));
		if (r->alone)
			break;
	}
	pg_array_end(&ids);
	params[0] = ids.p;
	pg_query(c->conf.pg, c->conf.stmt, params, on_loaded, load);
	buf_free(&ids);
}

static void dispatch(void *arg)
{
	struct row_cache *c = arg;
	struct list failed, *n;

	if (pg_up(c->conf.pg)) {
		while (!list_empty(&c->wanted))
			send_load(c);
		return;
	}
	if (!c->gave_up)
		return;
	list_init(&failed);
	list_splice(&failed, &c->wanted);
	while ((n = list_shift(&failed)) != NULL)
		row_settle(c, LIST_ENTRY(n, struct row, place), -EAGAIN);
}

static void on_give_up(void *arg)
{
	struct row_cache *c = arg;

	c->gave_up = true;
	loop_defer(c->conf.loop, &c->dispatch);
}

bool row_cache_hit(struct row_cache *c, const char *id,
		   const char *const **cols_out)
{
	struct row *r = row_find(c, id);

	if (r == NULL || !row_usable(c, r))
		return false;
	if (r->state == ROW_IDLE)
		row_touch(c, r);
	*cols_out = (const char *const *)r->cols;
	return true;
}

void row_cache_get(struct row_cache *c, const char *id, row_cb *cb, void *arg)
{
	struct row *r = row_find(c, id);
	struct waiter *w;

	if (c->closed || (c->gave_up && !pg_up(c->conf.pg))) {
		cb(arg, c->closed ? -ECANCELED : -EAGAIN, id, NULL);
		return;
	}
	if (r == NULL)
		r = row_new(c, id);
	w = mem_zalloc(sizeof(*w));
	w->cb = cb;
	w->arg = arg;
	*r->tail = w;
	r->tail = &w->next;
	row_want(c, r);
}

static void row_forget(struct row_cache *c, struct row *r)
{
	if (r->state == ROW_IDLE) {
		row_free(c, r);
		return;
	}
	free(r->cols);
	r->cols = NULL;
	r->known = false;
	r->dirty = r->state == ROW_LOADING;
}

void row_cache_invalidate(struct row_cache *c, const char *id)
{
	struct row *r = row_find(c, id);

	if (r != NULL)
		row_forget(c, r);
}

static void forget_node(struct map_node *node, void *arg)
{
	row_forget(arg, CONTAINER_OF(node, struct row, node));
}

void row_cache_invalidate_all(struct row_cache *c)
{
	map_each(&c->map, forget_node, c);
}

void row_cache_pg_state(struct row_cache *c, bool up)
{
	if (up) {
		c->gave_up = false;
		timer_disarm(&c->give_up);
		loop_defer(c->conf.loop, &c->dispatch);
	} else if (!c->gave_up) {
		timer_arm(&c->give_up, GIVE_UP_MS);
	}
}

static void settle_age(struct map_node *node, void *arg)
{
	struct row *r = CONTAINER_OF(node, struct row, node);
	struct row_cache *c = arg;

	if (row_covered(c, r) && r->checked_ms < c->conf.proof->proven_ms)
		r->checked_ms = c->conf.proof->proven_ms;
	r->epoch = 0;
}

void row_cache_relisten(struct row_cache *c)
{
	map_each(&c->map, settle_age, c);
}

struct row_cache *row_cache_new(const struct row_cache_conf *conf)
{
	struct row_cache *c = mem_zalloc(sizeof(*c));

	c->conf = *conf;
	map_init(&c->map, row_equal);
	list_init(&c->real.rows);
	list_init(&c->missing.rows);
	list_init(&c->wanted);
	task_init(&c->dispatch, LOOP_WORK, dispatch, c);
	timer_init(&c->give_up, conf->loop, on_give_up, c);
	timer_arm(&c->give_up, GIVE_UP_MS);
	return c;
}

void row_cache_close(struct row_cache *c)
{
	struct list *n;

	c->closed = true;
	while ((n = list_shift(&c->wanted)) != NULL)
		row_settle(c, LIST_ENTRY(n, struct row, place), -ECANCELED);
}

static void free_node(struct map_node *node, void *arg)
{
	row_free(arg, CONTAINER_OF(node, struct row, node));
}

void row_cache_free(struct row_cache **cp)
{
	struct row_cache *c = *cp;

	if (c == NULL)
		return;
	task_cancel(&c->dispatch);
	timer_free(&c->give_up);
	map_each(&c->map, free_node, c);
	map_free(&c->map);
	free(c);
	*cp = NULL;
}
