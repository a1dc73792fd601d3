#include "worker/chat/stream.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/siphash.h"

struct stream_key {
	struct slice sender;
	struct slice match;
	char text[2 * PW_ID_MAX + 2];
	size_t n;
};

static bool make_key(struct slice sender, struct slice match,
		     struct stream_key *out)
{
	if (sender.n > PW_ID_MAX || match.n > PW_ID_MAX)
		return false;
	out->sender = sender;
	out->match = match;
	memcpy(out->text, sender.p, sender.n);
	out->text[sender.n] = '\0';
	memcpy(out->text + sender.n + 1, match.p, match.n);
	out->n = sender.n + 1 + match.n;
	out->text[out->n] = '\0';
	return true;
}

static bool stream_is(const struct map_node *n, const void *key)
{
	const struct stream *s = CONTAINER_OF(n, struct stream, node);
	const struct stream_key *k = key;

	return s->sender_n == k->sender.n &&
	       memcmp(s->key, k->text, k->n + 1) == 0;
}

static struct stream *find(const struct streams *ss, const struct stream_key *k)
{
	struct map_node *n = map_find(&ss->map, hash_bytes(k->text, k->n), k);

	return n != NULL ? CONTAINER_OF(n, struct stream, node) : NULL;
}

static void drop(struct streams *ss, struct stream *s)
{
	map_remove(&ss->map, &s->node);
	list_remove(&s->lru);
	free(s);
}

/* Evicting is always safe: `last` is read from the store again. */
static void evict(struct streams *ss)
{
	struct list *pos, *tmp;
	int looked = 0;

	LIST_FOREACH_SAFE(pos, tmp, &ss->lru) {
		struct stream *s = LIST_ENTRY(pos, struct stream, lru);

		if (ss->map.count <= ss->max || ++looked > 8)
			break;
		if (!s->busy && s->inflight == 0 && list_empty(&s->waiting))
			drop(ss, s);
	}
}

void streams_init(struct streams *ss, size_t max)
{
	map_init(&ss->map, stream_is);
	list_init(&ss->lru);
	ss->max = max;
}

void streams_free(struct streams *ss)
{
	struct list *n;

	while ((n = list_first(&ss->lru)) != NULL)
		drop(ss, LIST_ENTRY(n, struct stream, lru));
	map_free(&ss->map);
}

struct stream *stream_get(struct streams *ss, const char *sender_id,
			  const char *match_id)
{
	struct stream_key k;
	struct stream *s;

	if (!make_key(slice_of(sender_id), slice_of(match_id), &k))
		abort();	/* ids are checked where they come in */
	s = find(ss, &k);
	if (s != NULL) {
		list_remove(&s->lru);
		list_append(&ss->lru, &s->lru);
		return s;
	}
	evict(ss);
	s = mem_zalloc(sizeof(*s) + k.n + 1);
	memcpy(s->key, k.text, k.n + 1);
	s->sender_n = k.sender.n;
	list_init(&s->waiting);
	list_init(&s->lru);
	list_append(&ss->lru, &s->lru);
	map_insert(&ss->map, &s->node, hash_bytes(k.text, k.n));
	return s;
}

void stream_stay(struct stream *s, uint64_t generation)
{
	if (s->generation == generation)
		return;
	s->generation = generation;
	s->last_known = false;
}

int64_t stream_next_ms(struct stream *s, int64_t now_ms)
{
	s->last_ms = now_ms > s->last_ms ? now_ms : s->last_ms + 1;
	return s->last_ms;
}

void streams_raise(struct streams *ss, struct slice sender_id,
		   struct slice match_id, int64_t sent_at_ms)
{
	struct stream_key k;
	struct stream *s;

	if (!make_key(sender_id, match_id, &k))
		return;
	s = find(ss, &k);
	if (s != NULL && s->last_ms < sent_at_ms)
		s->last_ms = sent_at_ms;
}
