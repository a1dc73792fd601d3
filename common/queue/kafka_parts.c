#include "common/queue/kafka_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"

/* The tag of an offset: what its dead letter would need. */
struct tag {
	bool rejected;
	bool has_key;
	size_t n;
	char key[];
};

void parts_init(struct parts *p, const char *topic)
{
	list_init(&p->all);
	p->topic = topic;
	p->n = 0;
	p->out = 0;
}

static void drop(struct parts *p, struct part *part)
{
	p->out -= offset_window_unfinished(&part->window);
	p->n--;
	list_remove(&part->node);
	offset_window_clear(&part->window, free);
	free(part);
}

void parts_clear(struct parts *p)
{
	struct list *n;

	while ((n = list_first(&p->all)) != NULL)
		drop(p, LIST_ENTRY(n, struct part, node));
}

struct part *parts_add(struct parts *p, int32_t id)
{
	struct part *part = mem_zalloc(sizeof(*part));

	offset_window_init(&part->window);
	part->id = id;
	part->stored = -1;
	part->begin = -1;
	list_append(&p->all, &part->node);
	p->n++;
	return part;
}

void parts_turn(struct parts *p)
{
	struct list *n = list_first(&p->all);

	if (n == NULL)
		return;
	list_remove(n);
	list_append(&p->all, n);
}

struct part *parts_not_lost(const struct parts *p, int32_t id)
{
	struct list *n, *tmp;

	LIST_FOREACH_SAFE(n, tmp, &p->all) {
		struct part *part = LIST_ENTRY(n, struct part, node);

		if (part->id == id && part->state != PART_LOST)
			return part;
	}
	return NULL;
}

struct part *parts_ours(const struct parts *p, int32_t id)
{
	struct part *part = parts_not_lost(p, id);

	return part != NULL && part->state == PART_OURS ? part : NULL;
}

bool parts_fetched(const struct parts *p)
{
	struct list *n, *tmp;

	LIST_FOREACH_SAFE(n, tmp, &p->all) {
		struct part *part = LIST_ENTRY(n, struct part, node);

		if (part->state == PART_OURS && !part->full)
			return true;
	}
	return false;
}

void parts_lose(struct parts *p, struct part *part)
{
	part->state = PART_LOST;
	if (offset_window_unfinished(&part->window) == 0)
		drop(p, part);
}

size_t parts_leaving(const struct parts *p)
{
	struct list *n, *tmp;
	size_t out = 0;

	LIST_FOREACH_SAFE(n, tmp, &p->all) {
		struct part *part = LIST_ENTRY(n, struct part, node);

		if (part->state == PART_LEAVING)
			out += offset_window_unfinished(&part->window);
	}
	return out;
}

bool parts_take(struct parts *p, struct part *part, int64_t offset,
		struct slice key, char entry[ENTRY_MAX])
{
	struct tag *t = mem_alloc(sizeof(*t) + key.n);

	*t = (struct tag){ .has_key = key.p != NULL, .n = key.n };
	if (key.n > 0)
		memcpy(t->key, key.p, key.n);
	if (!offset_window_add(&part->window, offset, t)) {
		free(t);
		return false;
	}
	p->out++;
	snprintf(entry, ENTRY_MAX, "%s/%" PRId32 "/%" PRId64, p->topic, part->id,
		 offset);
	return true;
}

static bool parse(const struct parts *p, const char *entry, int32_t *id,
		  int64_t *offset)
{
	size_t n = strlen(p->topic);

	return strncmp(entry, p->topic, n) == 0 &&
	       sscanf(entry + n, "/%" SCNd32 "/%" SCNd64, id, offset) == 2;
}

/* In each assignment of its partition that it came with: it is the same event.
 * What was rejected waits for its dead letter. */
static bool finish(struct parts *p, const char *entry, bool rejected)
{
	struct list *n, *tmp;
	int32_t id;
	int64_t offset;
	bool found = false;

	if (!parse(p, entry, &id, &offset))
		return false;
	LIST_FOREACH_SAFE(n, tmp, &p->all) {
		struct part *part = LIST_ENTRY(n, struct part, node);
		struct tag *t = part->id == id ?
			offset_window_tag(&part->window, offset) : NULL;

		if (t == NULL || (t->rejected && !rejected))
			continue;
		free(offset_window_finish(&part->window, offset));
		p->out--;
		found = true;
		if (part->state == PART_LOST)
			parts_lose(p, part);
	}
	return found;
}

bool parts_finish(struct parts *p, const char *entry)
{
	return finish(p, entry, false);
}

void parts_rejected(struct parts *p, const char *entry)
{
	finish(p, entry, true);
}

bool parts_reject(struct parts *p, const char *entry, struct slice *key_out)
{
	struct part *part;
	struct tag *t;
	int32_t id;
	int64_t offset;

	if (!parse(p, entry, &id, &offset))
		return false;
	part = parts_not_lost(p, id);
	t = part != NULL ? offset_window_tag(&part->window, offset) : NULL;
	if (t == NULL) {	/* another's by now, with its outcome */
		finish(p, entry, false);
		return false;
	}
	if (t->rejected)
		return false;
	t->rejected = true;
	*key_out = (struct slice){ t->has_key ? t->key : NULL, t->n };
	return true;
}
