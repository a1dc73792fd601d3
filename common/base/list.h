/* Intrusive doubly linked list with a sentinel head. A node that is on no
 * list points at itself (list_init), so removing twice is harmless. */
#ifndef PW_LIST_H
#define PW_LIST_H

#include "common/base/base.h"

struct list {
	struct list *prev;
	struct list *next;
};

#define LIST_ENTRY(node, type, member) CONTAINER_OF(node, type, member)

/* The body may remove `pos`, nothing else. */
#define LIST_FOREACH_SAFE(pos, tmp, head)                               \
	for ((pos) = (head)->next, (tmp) = (pos)->next; (pos) != (head); \
	     (pos) = (tmp), (tmp) = (pos)->next)

static inline void list_init(struct list *l)
{
	l->prev = l;
	l->next = l;
}

static inline bool list_empty(const struct list *head)
{
	return head->next == head;
}

static inline void list_insert_before(struct list *at, struct list *node)
{
	node->prev = at->prev;
	node->next = at;
	at->prev->next = node;
	at->prev = node;
}

static inline void list_append(struct list *head, struct list *node)
{
	list_insert_before(head, node);
}

static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

static inline struct list *list_first(const struct list *head)
{
	return head->next != head ? head->next : NULL;
}

/* Removes and returns the first node; NULL when empty. */
static inline struct list *list_shift(struct list *head)
{
	struct list *first = list_first(head);

	if (first != NULL)
		list_remove(first);
	return first;
}

/* Moves everything of `from` to the end of `to`. */
static inline void list_splice(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#endif
