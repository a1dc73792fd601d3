#include "worker/engineio/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/* The top bit of a record's length marks a binary message. */
#define OUTBOX_BINARY 0x80000000u
#define RECORD_HEAD sizeof(uint32_t)
#define CAP_FIRST 128

/* Room for n more bytes at the end. */
static struct outbox_bytes *reserve(struct outbox_bytes *b, size_t n)
{
	size_t cap = b != NULL ? b->cap : CAP_FIRST;
	size_t len = b != NULL ? b->len : 0;
	bool fresh = b == NULL;

	if (!fresh && cap - len >= n)
		return b;
	while (cap - len < n)
		cap *= 2;
	b = mem_realloc(b, sizeof(*b) + cap);
	if (fresh)
		b->len = b->at = 0;
	b->cap = cap;
	return b;
}

void outbox_put(struct outbox *o, struct slice packet, bool binary)
{
	uint32_t head = (uint32_t)packet.n | (binary ? OUTBOX_BINARY : 0);
	struct outbox_bytes *b = o->bytes;

	/* Taken records stay in front until they are half of the memory, so
	 * that a slow reader does not cost a move of everything per packet. */
	if (b != NULL && b->at > b->len / 2) {
		b->len -= b->at;
		memmove(b->p, b->p + b->at, b->len);
		b->at = 0;
	}
	b = reserve(b, RECORD_HEAD + packet.n);
	memcpy(b->p + b->len, &head, RECORD_HEAD);
	if (packet.n > 0)
		memcpy(b->p + b->len + RECORD_HEAD, packet.p, packet.n);
	b->len += RECORD_HEAD + packet.n;
	o->bytes = b;
}

bool outbox_peek(const struct outbox *o, struct slice *packet, bool *binary)
{
	const struct outbox_bytes *b = o->bytes;
	uint32_t head;

	if (b == NULL)
		return false;
	memcpy(&head, b->p + b->at, RECORD_HEAD);
	packet->p = b->p + b->at + RECORD_HEAD;
	packet->n = head & ~OUTBOX_BINARY;
	*binary = (head & OUTBOX_BINARY) != 0;
	return true;
}

void outbox_pop(struct outbox *o)
{
	struct slice packet;
	bool binary;

	if (!outbox_peek(o, &packet, &binary))
		return;
	o->bytes->at += RECORD_HEAD + packet.n;
	if (o->bytes->at == o->bytes->len)
		outbox_free(o);
}

void outbox_free(struct outbox *o)
{
	free(o->bytes);
	o->bytes = NULL;
}
