/* What of a partition is out: offsets in the order in which they came, and which
 * of them have their outcome. What may be committed is up to the first that has
 * none. Offsets have gaps (compaction, transactions). Pure. */
#ifndef PW_OFFSET_WINDOW_H
#define PW_OFFSET_WINDOW_H

#include "common/base/base.h"

struct offset_slot {
	int64_t offset;
	void *tag;		/* NULL once it has its outcome */
};

struct offset_window {
	struct offset_slot *slots;	/* ring; size is a power of two */
	size_t size;
	size_t head;			/* the oldest: it has no outcome */
	size_t count;
	size_t unfinished;
	int64_t next;
};

void offset_window_init(struct offset_window *w);
/* Tags that are still there get free_tag(). */
void offset_window_clear(struct offset_window *w, void (*free_tag)(void *tag));
/* False, and nothing is taken: not beyond those that came before. tag: the
 * caller's, not NULL. */
bool offset_window_add(struct offset_window *w, int64_t offset, void *tag)
	MUST_CHECK;
/* The tag of one without outcome; NULL when it has one, or never came. */
void *offset_window_tag(const struct offset_window *w, int64_t offset);
/* It has its outcome now. Returns the tag, as above. */
void *offset_window_finish(struct offset_window *w, int64_t offset);
/* The offset to be committed: one beyond the last that has an outcome as all
 * before it have; -1: there is none yet. */
int64_t offset_window_next(const struct offset_window *w);
/* One beyond the last that came; -1: none came. */
int64_t offset_window_position(const struct offset_window *w);
size_t offset_window_unfinished(const struct offset_window *w);
/* Offsets from the first without outcome to the last that came: what the window
 * remembers, and what is repeated after a crash. 0: all have outcomes. */
int64_t offset_window_span(const struct offset_window *w);

#endif
