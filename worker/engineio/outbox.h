/* Packets waiting for a session's transport, in order, free of any framing.
 * One pointer, NULL while empty: all but a few of the sessions are. */
#ifndef PW_OUTBOX_H
#define PW_OUTBOX_H

#include "common/base/base.h"

struct outbox_bytes {
	size_t len, cap;
	size_t at;		/* first record not yet taken */
	char p[];		/* records: uint32 length | OUTBOX_BINARY, bytes */
};

struct outbox {
	struct outbox_bytes *bytes;
};

/* text: a whole text frame ("42[…]", "2"); binary: a message's bytes. */
void outbox_put(struct outbox *o, struct slice packet, bool binary);
/* One packet in n pieces. */
void outbox_put_pieces(struct outbox *o, const struct slice *pieces, size_t n,
		       bool binary);
/* The first packet; false when empty. Borrowed until the next call. */
bool outbox_peek(const struct outbox *o, struct slice *packet, bool *binary);
void outbox_pop(struct outbox *o);
static inline size_t outbox_size(const struct outbox *o)
{
	return o->bytes != NULL ? o->bytes->len - o->bytes->at : 0;
}
void outbox_free(struct outbox *o);

#endif
