/* Intrusive hash map: the caller embeds a struct map_node in its object and
 * supplies the key comparison. Nodes belong to the caller. */
#ifndef PW_MAP_H
#define PW_MAP_H

#include "common/base/base.h"

struct map_node {
	struct map_node *next;
	uint64_t hash;
};

/* True if the node's object has this key. */
typedef bool map_equal(const struct map_node *node, const void *key);

struct map {
	struct map_node **slots;	/* power of two; NULL while empty */
	size_t nslots;
	size_t count;
	map_equal *equal;
};

void map_init(struct map *m, map_equal *equal);
/* Frees the table, not the nodes. */
void map_free(struct map *m);
struct map_node *map_find(const struct map *m, uint64_t hash, const void *key);
/* The key must not be present. */
void map_insert(struct map *m, struct map_node *node, uint64_t hash);
/* The node must be present. */
void map_remove(struct map *m, struct map_node *node);
/* Calls fn for every node; fn may remove the node it is given. */
void map_each(struct map *m, void (*fn)(struct map_node *node, void *arg),
	      void *arg);
/* The same for the nodes with hash % shares == share; shares: a power of two. */
void map_each_share(struct map *m, size_t share, size_t shares,
		    void (*fn)(struct map_node *node, void *arg), void *arg);

#endif
