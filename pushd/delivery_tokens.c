/* Tokens that a provider called dead: deleted after a while, the guard still
 * willing. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/siphash.h"
#include "pushd/delivery_impl.h"
#include "pushd/devices.h"
#include "pushd/meters.h"

/* More than this many at a time are not remembered: what is still dead is found
 * so again. */
#define DOOMED_MAX 10000

struct doomed {
	struct deadline due;
	struct map_node by_id;
	struct line *line;
	bool spent;		/* its deletion is paid for: guard_spend() */
	struct device dev;	/* id, token, updated_at_ms */
	char bytes[];
};

static bool doomed_is(const struct map_node *n, const void *id)
{
	return strcmp(CONTAINER_OF(n, struct doomed, by_id)->dev.id, id) == 0;
}

static void tell(const struct line *l)
{
	if (l->guard.tripped)
		log_err("%s: calls too many tokens dead, none is deleted"
			" (wrong credentials, or another app's devices?)", l->name);
	else
		log_info("%s: dead tokens are few again, and deleted", l->name);
}

static void end(struct delivery *d, struct doomed *t)
{
	map_remove(&d->doomed_ids, &t->by_id);
	deadline_drop(&t->due);
	free(t);
}

/* Of credentials that were replaced since. */
static bool is_stale(const struct attempt *a)
{
	return a->resets != a->line->resets;
}

void tokens_alive(const struct attempt *a)
{
	struct line *l = a->line;
	struct delivery *d = l->d;
	const struct device *dev = &a->dev;
	struct map_node *doomed = d->doomed_ids.count == 0 ? NULL :
		map_find(&d->doomed_ids, hash_str(dev->id), dev->id);

	if (doomed != NULL)
		end(d, CONTAINER_OF(doomed, struct doomed, by_id));
	if (!is_stale(a) && guard_sent(&l->guard, clock_mono_ms()))
		tell(l);
}

static void on_due(struct deadline *due, void *arg)
{
	struct delivery *d = arg;
	struct doomed *t = CONTAINER_OF(due, struct doomed, due);
	struct guard *g = &t->line->guard;
	enum meter m = g->tripped ? METER_tokens_kept : METER_tokens_put_off;

	/* What is put off is found dead again: when is early enough. */
	if (!g->tripped && (t->spent || guard_spend(g))) {
		m = METER_tokens_deleted;
		devices_delete(d->parts.devices, &t->dev);
	}
	meter_add_each(m, t->line->provider, 1);
	end(d, t);
}

static void doom(struct line *l, const struct device *dev, uint64_t hash)
{
	size_t id = strlen(dev->id) + 1, token = strlen(dev->token) + 1;
	struct doomed *t = mem_zalloc(sizeof(*t) + id + token);

	t->line = l;
	/* of what was taken until now: when it falls due it may be night */
	t->spent = guard_spend(&l->guard);
	t->dev.id = memcpy(t->bytes, dev->id, id);
	t->dev.token = memcpy(t->bytes + id, dev->token, token);
	t->dev.updated_at_ms = dev->updated_at_ms;
	deadline_init(&t->due);
	map_insert(&l->d->doomed_ids, &t->by_id, hash);
	deadline_arm(&l->d->doomed, &t->due);
}

void tokens_dead(const struct attempt *a, const struct outcome *o)
{
	struct line *l = a->line;
	struct delivery *d = l->d;
	const struct device *dev = &a->dev;
	uint64_t hash = hash_str(dev->id);

	/* registered since then: it may live. And ten messages to one dead device
	 * are not ten dead ones. */
	if ((o->dead_since_ms != 0 && dev->updated_at_ms > o->dead_since_ms) ||
	    map_find(&d->doomed_ids, hash, dev->id) != NULL)
		return;
	if (is_stale(a)) {
		meter_add_each(METER_tokens_put_off, l->provider, 1);
		return;
	}
	if (o->refused_address && guard_dead(&l->guard, clock_mono_ms()))
		tell(l);
	if (l->guard.tripped || d->doomed_ids.count >= DOOMED_MAX)
		meter_add_each(METER_tokens_kept, l->provider, 1);
	else
		doom(l, dev, hash);
}

void tokens_init(struct delivery *d)
{
	map_init(&d->doomed_ids, doomed_is);
	deadlines_init(&d->doomed, d->loop, d->conf.guard_hold_ms, on_due, d);
}

static void put_off(struct map_node *n, void *arg)
{
	struct doomed *t = CONTAINER_OF(n, struct doomed, by_id);

	meter_add_each(METER_tokens_put_off, t->line->provider, 1);
	end(arg, t);
}

void tokens_put_off(struct delivery *d)
{
	map_each(&d->doomed_ids, put_off, d);
}

void tokens_free(struct delivery *d)
{
	deadlines_free(&d->doomed);
	tokens_put_off(d);
	map_free(&d->doomed_ids);
}
