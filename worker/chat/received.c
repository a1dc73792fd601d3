/* message:received: the app itself says what it has (contract 4). */
#include <stdlib.h>

#include "common/base/mem.h"
#include "worker/chat/chat.h"
#include "worker/chat/confirm.h"
#include "worker/chat/frames.h"

/* One that waits for its answer. */
struct received {
	struct device *device;	/* referenced */
	int64_t ack;
	size_t bytes;		/* counted against the device */
};

/* The client is answered when the store knows: while that is away the
 * confirmation is kept, and this may take as long. */
static void on_taken(void *arg, bool ok)
{
	struct received *r = arg;
	struct device *d = r->device;
	struct buf *b = &d->chat->scratch;

	if (!ok) {
		chat_refuse(d, r->ack, &error_unavailable, NULL);
	} else if (d->socket != NULL && r->ack != SIO_NO_ACK) {
		buf_clear(b);
		ack_ok(b);
		sio_ack(d->socket, r->ack, buf_slice(b));
	}
	device_event_end(d, r->bytes);
	device_unref(d);
	free(r);
}

void ev_received(struct device *d, json_t *payload, int64_t ack)
{
	static struct read_fields f;	/* 12 KiB; the loop is one thread */
	struct field_error err;
	struct received *r;
	size_t bytes;

	if (!fields_received(payload, &f, &err)) {
		chat_refuse(d, ack, &err, NULL);
		return;
	}
	bytes = sizeof(*r) + f.n * sizeof(f.ids[0]);
	if (!device_event_begin(d, bytes)) {
		chat_refuse(d, ack, &error_too_many, NULL);
		return;
	}
	/* From now on a pong proves nothing more: the app decides (M2). */
	d->explicit_mode = true;
	r = mem_alloc(sizeof(*r));
	*r = (struct received){ device_ref(d), ack, bytes };
	confirm_received(d, (const char(*)[MESSAGE_ID_LEN + 1])f.ids, f.n,
			 on_taken, r);
}
