#include "common/base/map.h"

#include <stdlib.h>

#include "common/base/mem.h"

#define MAP_FIRST 16

void map_init(struct map *m, map_equal *equal)
{
	*m = (struct map){ .equal = equal };
}

void map_free(struct map *m)
{
	free(m->slots);
	map_init(m, m->equal);
}

struct map_node *map_find(const struct map *m, uint64_t hash, const void *key)
{
	struct map_node *n;

	if (m->nslots == 0)
		return NULL;
	for (n = m->slots[hash & (m->nslots - 1)]; n != NULL; n = n->next)
		if (n->hash == hash && m->equal(n, key))
			return n;
	return NULL;
}

static void grow(struct map *m)
{
	size_t nslots = m->nslots != 0 ? m->nslots * 2 : MAP_FIRST;
	struct map_node **slots = mem_zalloc(nslots * sizeof(*slots));
	struct map_node *n, *next;

	for (size_t i = 0; i < m->nslots; i++) {
		for (n = m->slots[i]; n != NULL; n = next) {
			next = n->next;
			n->next = slots[n->hash & (nslots - 1)];
			slots[n->hash & (nslots - 1)] = n;
		}
	}
	free(m->slots);
	m->slots = slots;
	m->nslots = nslots;
}

void map_insert(struct map *m, struct map_node *node, uint64_t hash)
{
	struct map_node **slot;

	if (m->count >= m->nslots)
		grow(m);
	slot = &m->slots[hash & (m->nslots - 1)];
	node->hash = hash;
	node->next = *slot;
	*slot = node;
	m->count++;
}

void map_remove(struct map *m, struct map_node *node)
{
	struct map_node **at = &m->slots[node->hash & (m->nslots - 1)];

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	node->next = NULL;
	m->count--;
}

void map_each(struct map *m, void (*fn)(struct map_node *node, void *arg),
	      void *arg)
{
	map_each_share(m, 0, 1, fn, arg);
}

void map_each_share(struct map *m, size_t share, size_t shares,
		    void (*fn)(struct map_node *node, void *arg), void *arg)
{
	size_t step = shares < m->nslots ? shares : m->nslots;
	struct map_node *n, *next;

	for (size_t i = share & (step - 1); i < m->nslots; i += step) {
		for (n = m->slots[i]; n != NULL; n = next) {
			next = n->next;
			if ((n->hash & (shares - 1)) == share)
				fn(n, arg);
		}
	}
}
