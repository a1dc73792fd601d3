#include "worker/chat/seen.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

#define CAP_FIRST 4

/* In order of id: what a long catch-up leaves here is looked at for each
 * message. */
struct seen {
	int64_t newest;		/* greatest pos of all */
	size_t n, cap;
	struct cursor_stream streams[];
};

void seen_free(struct seen **s)
{
	free(*s);
	*s = NULL;
}

/* Where the stream is, or belongs. */
static size_t find(const struct seen *s, uint64_t stream)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (s->streams[mid].id < stream)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool is_at(const struct seen *s, size_t i, uint64_t stream)
{
	return i < s->n && s->streams[i].id == stream;
}

static void forget(struct seen *s, int64_t floor)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		if (s->streams[i].pos > floor)
			s->streams[n++] = s->streams[i];
	s->n = n;
}

static struct seen *make_room(struct seen *s, int64_t floor)
{
	size_t cap = CAP_FIRST;

	if (s != NULL) {
		if (s->n < s->cap)
			return s;
		forget(s, floor);
		if (s->n <= s->cap / 2)
			return s;	/* not again for every message */
		cap = s->cap * 2;
	}
	if (s == NULL)
		s = mem_zalloc(sizeof(*s) + cap * sizeof(s->streams[0]));
	else
		s = mem_realloc(s, sizeof(*s) + cap * sizeof(s->streams[0]));
	s->cap = cap;
	return s;
}

void seen_note(struct seen **sp, const struct place *at, int64_t floor)
{
	struct seen *s = *sp;
	size_t i = s != NULL ? find(s, at->stream) : 0;

	if (s != NULL && is_at(s, i, at->stream)) {
		if (s->streams[i].pos < at->pos)
			s->streams[i].pos = at->pos;
	} else {
		*sp = s = make_room(s, floor);
		i = find(s, at->stream);	/* others may have left */
		memmove(&s->streams[i + 1], &s->streams[i],
			(s->n - i) * sizeof(s->streams[0]));
		s->streams[i] = (struct cursor_stream){ at->stream, at->pos };
		s->n++;
	}
	if (s->newest < at->pos)
		s->newest = at->pos;
}

int64_t seen_last(const struct seen *s, uint64_t stream)
{
	size_t i = s != NULL ? find(s, stream) : 0;

	return s != NULL && is_at(s, i, stream) ? s->streams[i].pos : 0;
}

void seen_restore(struct seen **s, const struct cursor *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		const struct cursor_stream *at = &c->streams[i];

		seen_note(s, &(struct place){ at->id, at->pos }, c->floor);
	}
}

void seen_trim(struct seen **s, int64_t floor)
{
	if (*s != NULL && (*s)->newest <= floor)
		seen_free(s);
}

void seen_offset(const struct seen *s, int64_t floor, struct buf *out)
{
	cursor_write(out, floor, s != NULL ? s->streams : NULL,
		     s != NULL ? s->n : 0);
}
