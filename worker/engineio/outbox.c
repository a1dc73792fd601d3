#include "worker/engineio/outbox.h"

#include <string.h>

/* The top bit of a record's length marks a binary message. */
#define OUTBOX_BINARY 0x80000000u
#define RECORD_HEAD sizeof(uint32_t)

void outbox_put(struct outbox *o, struct slice packet, bool binary)
{
	uint32_t head = (uint32_t)packet.n | (binary ? OUTBOX_BINARY : 0);

	/* Taken records stay in front until they are half of the memory, so
	 * that a slow reader does not cost a move of everything per packet. */
	if (o->at > o->bytes.len / 2) {
		buf_consume(&o->bytes, o->at);
		o->at = 0;
	}
	buf_reserve(&o->bytes, RECORD_HEAD + packet.n);
	buf_add(&o->bytes, &head, sizeof(head));
	buf_add(&o->bytes, packet.p, packet.n);
}

bool outbox_peek(const struct outbox *o, struct slice *packet, bool *binary)
{
	uint32_t head;

	if (o->at == o->bytes.len)
		return false;
	memcpy(&head, o->bytes.p + o->at, sizeof(head));
	packet->p = o->bytes.p + o->at + RECORD_HEAD;
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
	o->at += RECORD_HEAD + packet.n;
	if (o->at == o->bytes.len)
		outbox_free(o);
}

void outbox_free(struct outbox *o)
{
	buf_free(&o->bytes);
	o->at = 0;
}
