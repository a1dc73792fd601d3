#include "worker/directory/coalescer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "common/backend/pg.h"
#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/base/siphash.h"
#include "common/loop/loop.h"
#include "worker/directory/refusal.h"

#define BATCH_MAX 500
/* A row that is locked by someone else is skipped and tried again; one that
 * does not exist looks the same. */
#define TRIES_MAX 3

struct entry {
	struct map_node node;
	struct list place;	/* c->pending or its batch */
	int64_t ms;
	uint8_t tries;
	bool done;
	char id[];
};

struct batch {
	struct coalescer *c;
	struct map map;
	struct list entries;
	size_t n;
};

struct coalescer {
	struct coalescer_conf conf;
	struct map map;		/* the pending ones */
	struct list pending;
	struct timer timer;
	size_t under_way;
	int err;
	bool full;		/* logged */
	bool refused;		/* logged */
};

static bool entry_equal(const struct map_node *node, const void *key)
{
	return strcmp(CONTAINER_OF(node, struct entry, node)->id, key) == 0;
}

static struct entry *entry_find(const struct map *m, const char *id)
{
	struct map_node *n = map_find(m, hash_str(id), id);

	return n != NULL ? CONTAINER_OF(n, struct entry, node) : NULL;
}

static bool note_full(struct coalescer *c)
{
	bool full = c->map.count >= c->conf.max;

	if (full && !c->full)
		log_warn("directory: too many %s wait for PostgreSQL; new ones are dropped",
			 c->conf.what);
	if (full)
		c->full = true;
	else if (c->map.count < c->conf.max / 2)
		c->full = false;
	return full;
}

static void entry_enqueue(struct coalescer *c, struct entry *e)
{
	map_insert(&c->map, &e->node, hash_str(e->id));
	list_append(&c->pending, &e->place);
	if (!timer_armed(&c->timer))
		timer_arm(&c->timer, c->conf.flush_ms);
}

void coalescer_set(struct coalescer *c, const char *id, int64_t ms)
{
	struct entry *e = entry_find(&c->map, id);
	size_t len;

	if (e != NULL) {
		if (ms > e->ms)
			e->ms = ms;
		return;
	}
	if (note_full(c))
		return;
	len = strlen(id);
	e = mem_zalloc(sizeof(*e) + len + 1);
	memcpy(e->id, id, len);
	e->ms = ms;
	entry_enqueue(c, e);
}

/* e belongs to no list or map any more. */
static void entry_retry(struct coalescer *c, struct entry *e)
{
	struct entry *newer = entry_find(&c->map, e->id);

	if (newer != NULL) {
		if (e->ms > newer->ms)
			newer->ms = e->ms;
		free(e);
		return;
	}
	if (note_full(c)) {
		free(e);
		return;
	}
	entry_enqueue(c, e);
}

static void note_refusal(struct coalescer *c, bool refused, const PGresult *res)
{
	if (refused && !c->refused)
		log_err("PostgreSQL refuses to write %s: %s", c->conf.what,
			refusal_text(res));
	c->refused = refused;
}

static void send_batch(struct coalescer *c, struct list *from, size_t max);

static void batch_written(struct batch *b, const PGresult *res)
{
	struct list *n;

	for (int i = 0; i < PQntuples(res); i++) {
		struct entry *e = entry_find(&b->map, PQgetvalue(res, i, 0));

		if (e != NULL)
			e->done = true;
	}
	while ((n = list_shift(&b->entries)) != NULL) {
		struct entry *e = LIST_ENTRY(n, struct entry, place);

		if (e->done || ++e->tries >= TRIES_MAX)
			free(e);
		else
			entry_retry(b->c, e);
	}
}

/* err says why the batch was not written. */
static void batch_failed(struct batch *b, int err, const PGresult *res)
{
	bool bad = refused_value(err, res);
	struct list *n;

	if (bad && b->n > 1) {
		while (!list_empty(&b->entries))
			send_batch(b->c, &b->entries, (b->n + 1) / 2);
		return;
	}
	while ((n = list_shift(&b->entries)) != NULL) {
		struct entry *e = LIST_ENTRY(n, struct entry, place);

		if (err == -ECANCELED || bad)
			free(e);
		else
			entry_retry(b->c, e);
	}
}

static void on_written(void *arg, int err, const PGresult *res)
{
	struct batch *b = arg;
	struct coalescer *c = b->c;

	if (err == 0) {
		note_refusal(c, false, NULL);
		batch_written(b, res);
	} else {
		if (err == -EREMOTEIO && !refused_value(err, res))
			note_refusal(c, true, res);
		c->err = err;
		batch_failed(b, err, res);
	}
	map_free(&b->map);
	free(b);
	if (--c->under_way == 0) {
		err = c->err;
		c->err = 0;
		c->conf.idle(c->conf.arg, err);
	}
}

static struct batch *batch_new(struct coalescer *c, struct list *from,
			       size_t max)
{
	struct batch *b = mem_zalloc(sizeof(*b));
	struct list *n;

	b->c = c;
	map_init(&b->map, entry_equal);
	list_init(&b->entries);
	while (b->n < max && (n = list_shift(from)) != NULL) {
		struct entry *e = LIST_ENTRY(n, struct entry, place);

		if (from == &c->pending)
			map_remove(&c->map, &e->node);
		map_insert(&b->map, &e->node, hash_str(e->id));
		list_append(&b->entries, n);
		b->n++;
	}
	return b;
}

static void send_batch(struct coalescer *c, struct list *from, size_t max)
{
	struct batch *b = batch_new(c, from, max);
	struct buf ids = { 0 }, times = { 0 };
	const char *params[3];
	struct list *pos, *tmp;

	LIST_FOREACH_SAFE(pos, tmp, &b->entries) {
		struct entry *e = LIST_ENTRY(pos, struct entry, place);

		pg_array_add(&ids, e->id, strlen(e->id));
		buf_printf(&times, "%c%lld", times.len == 0 ? '{' : ',',
			   (long long)e->ms);
	}
	pg_array_end(&ids);
	buf_addc(&times, '}');
	params[0] = ids.p;
	params[1] = buf_str(&times);
	params[2] = ids.p;
	c->under_way++;
	pg_query(c->conf.pg, c->conf.stmt, params, on_written, b);
	buf_free(&ids);
	buf_free(&times);
}

void coalescer_flush(struct coalescer *c)
{
	if (!pg_up(c->conf.pg))
		return;
	timer_disarm(&c->timer);
	while (!list_empty(&c->pending))
		send_batch(c, &c->pending, BATCH_MAX);
}

/* While statements are under way the next wait: a slow server gets fewer and
 * fuller ones. */
static void on_timer(void *arg)
{
	struct coalescer *c = arg;

	if (!coalescer_busy(c))
		coalescer_flush(c);
	if (!list_empty(&c->pending))
		timer_arm(&c->timer, c->conf.flush_ms);
}

bool coalescer_busy(const struct coalescer *c)
{
	return c->under_way > 0;
}

bool coalescer_pending(const struct coalescer *c)
{
	return !list_empty(&c->pending);
}

struct coalescer *coalescer_new(const struct coalescer_conf *conf)
{
	struct coalescer *c = mem_zalloc(sizeof(*c));

	c->conf = *conf;
	map_init(&c->map, entry_equal);
	list_init(&c->pending);
	timer_init(&c->timer, conf->loop, on_timer, c);
	return c;
}

void coalescer_free(struct coalescer **cp)
{
	struct coalescer *c = *cp;
	struct list *n;

	if (c == NULL)
		return;
	while ((n = list_shift(&c->pending)) != NULL)
		free(LIST_ENTRY(n, struct entry, place));
	timer_free(&c->timer);
	map_free(&c->map);
	free(c);
	*cp = NULL;
}
