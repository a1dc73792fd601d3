#include "common/queue/offset_window.h"

#include <stdlib.h>

#include "common/base/mem.h"

#define SIZE_MIN 16

static struct offset_slot *slot(const struct offset_window *w, size_t i)
{
	return &w->slots[(w->head + i) & (w->size - 1)];
}

void offset_window_init(struct offset_window *w)
{
	*w = (struct offset_window){ .next = -1 };
}

void offset_window_clear(struct offset_window *w, void (*free_tag)(void *tag))
{
	for (size_t i = 0; i < w->count; i++) {
		if (slot(w, i)->tag != NULL)
			free_tag(slot(w, i)->tag);
	}
	free(w->slots);
	offset_window_init(w);
}

static void grow(struct offset_window *w)
{
	size_t size = w->size > 0 ? w->size * 2 : SIZE_MIN;
	struct offset_slot *slots = mem_alloc(size * sizeof(*slots));

	for (size_t i = 0; i < w->count; i++)
		slots[i] = *slot(w, i);
	free(w->slots);
	w->slots = slots;
	w->size = size;
	w->head = 0;
}

int64_t offset_window_position(const struct offset_window *w)
{
	return w->count > 0 ? slot(w, w->count - 1)->offset + 1 : w->next;
}

bool offset_window_add(struct offset_window *w, int64_t offset, void *tag)
{
	if (offset < 0 || offset < offset_window_position(w))
		return false;
	if (w->count == w->size)
		grow(w);
	w->count++;
	w->unfinished++;
	*slot(w, w->count - 1) = (struct offset_slot){ offset, tag };
	return true;
}

static struct offset_slot *find(const struct offset_window *w, int64_t offset)
{
	size_t from = 0;
	size_t to = w->count;

	while (from < to) {
		size_t mid = from + (to - from) / 2;
		struct offset_slot *s = slot(w, mid);

		if (s->offset == offset)
			return s;
		if (s->offset < offset)
			from = mid + 1;
		else
			to = mid;
	}
	return NULL;
}

void *offset_window_tag(const struct offset_window *w, int64_t offset)
{
	struct offset_slot *s = find(w, offset);

	return s != NULL ? s->tag : NULL;
}

void *offset_window_finish(struct offset_window *w, int64_t offset)
{
	struct offset_slot *s = find(w, offset);
	void *tag = s != NULL ? s->tag : NULL;

	if (tag == NULL)
		return NULL;
	s->tag = NULL;
	w->unfinished--;
	while (w->count > 0 && slot(w, 0)->tag == NULL) {
		w->next = slot(w, 0)->offset + 1;
		w->head = (w->head + 1) & (w->size - 1);
		w->count--;
	}
	return tag;
}

int64_t offset_window_next(const struct offset_window *w)
{
	return w->next;
}

size_t offset_window_unfinished(const struct offset_window *w)
{
	return w->unfinished;
}

int64_t offset_window_span(const struct offset_window *w)
{
	return w->count > 0 ?
		       offset_window_position(w) - slot(w, 0)->offset : 0;
}
