/* Packets waiting for a session's transport, in order, free of any framing.
 * Owns no memory while empty. */
#ifndef PW_OUTBOX_H
#define PW_OUTBOX_H

#include "common/base/buf.h"

struct outbox {
	struct buf bytes;	/* records: uint32 length | OUTBOX_BINARY, bytes */
	size_t at;		/* first record not yet taken */
};

/* text: a whole text frame ("42[…]", "2"); binary: a message's bytes. */
void outbox_put(struct outbox *o, struct slice packet, bool binary);
/* The first packet; false when empty. Borrowed until the next call. */
bool outbox_peek(const struct outbox *o, struct slice *packet, bool *binary);
void outbox_pop(struct outbox *o);
static inline size_t outbox_size(const struct outbox *o)
{
	return o->bytes.len - o->at;
}
void outbox_free(struct outbox *o);

#endif
