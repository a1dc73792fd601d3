#include "worker/chat/pendings.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/chat/users.h"

struct pendings {
	size_t n, cap, first;	/* head entries leave first, as a rule */
	struct pending entries[];
};

#define NONE SIZE_MAX

/* Room for one more at the end. */
static struct pendings *make_room(struct pendings *q)
{
	size_t cap;

	if (q != NULL && q->first + q->n < q->cap)
		return q;
	if (q != NULL && q->first > q->cap / 2) {
		memmove(q->entries, q->entries + q->first,
			q->n * sizeof(q->entries[0]));
		q->first = 0;
		return q;
	}
	cap = q != NULL ? q->cap * 2 : 4;
	if (q == NULL)
		q = mem_zalloc(sizeof(*q) + cap * sizeof(q->entries[0]));
	else
		q = mem_realloc(q, sizeof(*q) + cap * sizeof(q->entries[0]));
	q->cap = cap;
	return q;
}

static struct pending *entry(struct pendings *q, size_t i)
{
	return &q->entries[q->first + i];
}

/* What is before it moves up: it is little, or nothing. */
static void remove_at(struct device *d, size_t i)
{
	struct pendings *q = d->pendings;

	memmove(entry(q, 1), entry(q, 0), i * sizeof(q->entries[0]));
	q->first++;
	if (--q->n == 0)
		pendings_free(&d->pendings);
}

static size_t find(struct pendings *q, const char *id)
{
	uint64_t head, other;	/* ids are hashes: their beginnings differ */

	memcpy(&head, id, sizeof(head));
	for (size_t i = 0; q != NULL && i < q->n; i++) {
		memcpy(&other, entry(q, i)->id, sizeof(other));
		if (other == head &&
		    memcmp(entry(q, i)->id, id, MESSAGE_ID_LEN) == 0)
			return i;
	}
	return NONE;
}

void pendings_free(struct pendings **q)
{
	free(*q);
	*q = NULL;
}

void device_pending_add(struct device *d, uint32_t mark, const char *id,
			int64_t now_us)
{
	struct pendings *q = d->pendings;
	struct pending *p;

	if (q != NULL && q->n >= PENDINGS_MAX)
		remove_at(d, 0);
	q = d->pendings = make_room(d->pendings);
	p = entry(q, q->n++);
	p->written_us = now_us;
	p->mark = mark;
	p->confirming = false;
	memcpy(p->id, id, MESSAGE_ID_LEN);
	p->id[MESSAGE_ID_LEN] = '\0';
}

bool device_pending_has(const struct device *d, const char *id)
{
	return find(d->pendings, id) != NONE;
}

size_t device_pending_count(const struct device *d)
{
	return d->pendings != NULL ? d->pendings->n : 0;
}

bool device_pending_confirm(struct device *d, uint32_t mark, size_t *at,
			    struct pending *out)
{
	struct pendings *q = d->pendings;

	while (q != NULL && *at < q->n) {
		struct pending *p = entry(q, *at);

		if ((int32_t)(mark - p->mark) < 0)
			return false;
		++*at;
		if (p->confirming)
			continue;
		p->confirming = true;
		*out = *p;
		return true;
	}
	return false;
}

bool device_pending_confirm_id(struct device *d, const char *id,
			       struct pending *out)
{
	size_t i = find(d->pendings, id);

	if (i == NONE || entry(d->pendings, i)->confirming)
		return false;
	entry(d->pendings, i)->confirming = true;
	*out = *entry(d->pendings, i);
	return true;
}

void device_pending_drop(struct device *d, const char *id)
{
	size_t i = find(d->pendings, id);

	if (i != NONE)
		remove_at(d, i);
}

void device_pending_again(struct device *d, const char *id)
{
	size_t i = find(d->pendings, id);

	if (i != NONE)
		entry(d->pendings, i)->confirming = false;
}
