/* What a device was sent, as far as a repeat has to be told from news (M5, M6):
 * per stream the last pos. Nothing for a device that was sent nothing lately:
 * idle ones are the majority. Pure but for memory. */
#ifndef PW_SEEN_H
#define PW_SEEN_H

#include "common/protocol/cursor.h"

struct seen;

/* A place in the store: of a message that a device is sent. */
struct place {
	uint64_t stream;	/* cursor_stream_id() */
	int64_t pos;
};

void seen_free(struct seen **s);
/* *s may be NULL: empty. Streams whose last pos is up to floor are forgotten
 * when room is needed. */
void seen_note(struct seen **s, const struct place *at, int64_t floor);
/* The last pos that was sent of a stream; 0: not known. */
int64_t seen_last(const struct seen *s, uint64_t stream);
/* Takes over what a client brought. */
void seen_restore(struct seen **s, const struct cursor *c);
/* Gives the memory back when all in it is up to floor. */
void seen_trim(struct seen **s, int64_t floor);
/* The offset: see cursor_write(). */
void seen_offset(const struct seen *s, int64_t floor, struct buf *out);

#endif
