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
	outbox_put_pieces(o, &packet, 1, binary);
}

static void append(struct outbox_bytes *b, const void *p, size_t n)
{
	if (n > 0)
		memcpy(b->p + b->len, p, n);
	b->len += n;
}

void outbox_put_pieces(struct outbox *o, const struct slice *pieces, size_t n,
		       bool binary)
{
	struct outbox_bytes *b = o->bytes;
	uint32_t head;
	size_t whole = 0;

	for (size_t i = 0; i < n; i++)
		whole += pieces[i].n;
	head = (uint32_t)whole | (binary ? OUTBOX_BINARY : 0);

	/* Taken records stay in front until they are half of the memory, so
	 * that a slow reader does not cost a move of everything per packet. */
	if (b != NULL && b->at > b->len / 2) {
		b->len -= b->at;
		memmove(b->p, b->p + b->at, b->len);
		b->at = 0;
	}
	b = reserve(b, RECORD_HEAD + whole);
	append(b, &head, RECORD_HEAD);
	for (size_t i = 0; i < n; i++)
		append(b, pieces[i].p, pieces[i].n);
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
