#include "worker/chat/send_rate.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/siphash.h"

struct sender {
	struct map_node node;
	struct list used;
	int64_t full_us;	/* the bucket, see rate_take */
	char id[];
};

static bool sender_is(const struct map_node *n, const void *id)
{
	return strcmp(CONTAINER_OF(n, struct sender, node)->id, id) == 0;
}

void send_rates_init(struct send_rates *r, const struct rate_conf *conf,
		     size_t max)
{
	r->conf = *conf;
	r->max = max;
	map_init(&r->map, sender_is);
	list_init(&r->used);
}

static void forget(struct send_rates *r, struct sender *s)
{
	map_remove(&r->map, &s->node);
	list_remove(&s->used);
	free(s);
}

static void forget_all(struct send_rates *r)
{
	struct list *n;

	while ((n = list_first(&r->used)) != NULL)
		forget(r, LIST_ENTRY(n, struct sender, used));
}

/* A bucket is a time, and what it holds depends on the rate. */
void send_rates_set_conf(struct send_rates *r, const struct rate_conf *conf)
{
	if (rate_conf_equal(&r->conf, conf))
		return;
	forget_all(r);
	r->conf = *conf;
}

void send_rates_free(struct send_rates *r)
{
	forget_all(r);
	map_free(&r->map);
}

/* Two at most: each call adds no more than one, so full ones do not pile up. */
static void forget_full(struct send_rates *r, int64_t now_us)
{
	for (int i = 0; i < 2; i++) {
		struct list *n = list_first(&r->used);
		struct sender *s;

		if (n == NULL)
			return;
		s = LIST_ENTRY(n, struct sender, used);
		if (s->full_us > now_us && r->map.count <= r->max)
			return;
		forget(r, s);
	}
}

static struct sender *sender_get(struct send_rates *r, const char *id)
{
	size_t len = strlen(id);
	uint64_t hash = hash_bytes(id, len);
	struct map_node *n = map_find(&r->map, hash, id);
	struct sender *s;

	if (n != NULL) {
		s = CONTAINER_OF(n, struct sender, node);
		list_remove(&s->used);
	} else {
		s = mem_zalloc(sizeof(*s) + len + 1);
		memcpy(s->id, id, len);
		map_insert(&r->map, &s->node, hash);
	}
	list_append(&r->used, &s->used);
	return s;
}

unsigned send_rate_take(struct send_rates *r, const char *user_id,
			int64_t now_us)
{
	struct sender *s;
	int64_t ms;

	if (r->conf.interval_us == 0)
		return 0;
	s = sender_get(r, user_id);
	ms = rate_take(&r->conf, &s->full_us, now_us) ?
		     0 :
		     (rate_wait(&r->conf, s->full_us, now_us) + 999) / 1000;
	forget_full(r, now_us);
	return ms < UINT_MAX ? (unsigned)ms : UINT_MAX;
}
