/* message:read: marks the other's messages and tells both sides. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "common/store/message_store.h"
#include "worker/chat/chat.h"
#include "worker/chat/frames.h"
#include "worker/chat/member.h"
#include "worker/chat/take_back.h"

struct reading {
	struct device *device;
	int64_t ack;
	int64_t at_ms;
	char me[PW_ID_MAX + 1];
	char other[PW_ID_MAX + 1];
	char match_id[PW_ID_MAX + 1];
	size_t n;
	char ids[][MESSAGE_ID_LEN + 1];
};

static size_t reading_bytes(const struct reading *r)
{
	return sizeof(*r) + r->n * sizeof(r->ids[0]);
}

static void reading_free(struct reading *r)
{
	device_event_end(r->device, reading_bytes(r));
	device_unref(r->device);
	free(r);
}

/* A read implies delivered (M2): the sender learns of both, in that order. */
static void tell_delivered(struct chat *c, const struct reading *r,
			   const struct message *rows, size_t n)
{
	struct buf *b = &c->scratch;

	for (size_t i = 0; i < n; i++) {
		if (rows[i].delivered_at_ms != r->at_ms)
			continue;
		buf_clear(b);
		frame_message_delivered(b, rows[i].id, r->at_ms);
		chat_receipt(c, r->other, buf_slice(b));
	}
}

static void on_marked(void *arg, int err, const struct message *rows, size_t n)
{
	struct reading *r = arg;
	struct device *d = r->device;
	struct chat *c = d->chat;
	struct buf *b = &c->scratch;

	if (err != 0) {
		chat_refuse(d, r->ack, &error_unavailable, NULL);
		reading_free(r);
		return;
	}
	/* All ids asked for leave the unread set, so that a counter that was
	 * off heals; the events list only what changed. */
	router_read(c->router, r->match_id, r->me,
		    (const char(*)[MESSAGE_ID_LEN + 1])r->ids, r->n);
	if (n > 0) {
		stats_add(STAT_messages_read, (int64_t)n);
		for (size_t i = 0; i < n; i++)
			flight_record(FLIGHT_READ, rows[i].id, 0);
		tell_delivered(c, r, rows, n);
		buf_clear(b);
		frame_message_read(b, r->match_id, rows, n, r->at_ms, r->me);
		chat_receipt(c, r->other, buf_slice(b));
		chat_receipt(c, r->me, buf_slice(b));
		if (c->conf.push_take_back)
			chat_take_back(c, r->me, r->match_id, rows, n);
	}
	if (d->socket != NULL && r->ack != SIO_NO_ACK) {
		buf_clear(b);
		ack_message_read(b, rows, n, r->at_ms);
		sio_ack(d->socket, r->ack, buf_slice(b));
	}
	reading_free(r);
}

static void on_member(void *arg, const struct field_error *e,
		      const struct member *m)
{
	struct reading *r = arg;
	int64_t pos;
	struct store_confirm confirm;

	if (e != NULL) {
		chat_refuse(r->device, r->ack, e, NULL);
		reading_free(r);
		return;
	}
	strcpy(r->other, m->other);
	pos = cluster_next_pos();
	r->at_ms = pos / 1000;
	confirm = (struct store_confirm){
		.recipient_id = r->me,
		.at_ms = r->at_ms,
		.chg = pos,
		.ids = (const char(*)[MESSAGE_ID_LEN + 1])r->ids,
		.n = r->n,
	};
	message_store_read(r->device->chat->store, r->match_id, &confirm,
			   on_marked, r);
}

void ev_read(struct device *d, json_t *payload, int64_t ack)
{
	static struct read_fields f;	/* 12 KiB; the loop is one thread */
	struct field_error err;
	struct reading *r;

	if (!fields_read(payload, &f, &err)) {
		chat_refuse(d, ack, &err, NULL);
		return;
	}
	if (!device_event_begin(d, sizeof(*r) + f.n * sizeof(r->ids[0]))) {
		chat_refuse(d, ack, &error_too_many, NULL);
		return;
	}
	r = mem_zalloc(sizeof(*r) + f.n * sizeof(r->ids[0]));
	r->device = device_ref(d);
	r->ack = ack;
	r->n = f.n;
	memcpy(r->ids, f.ids, f.n * sizeof(r->ids[0]));
	strcpy(r->me, d->user->id);
	strcpy(r->match_id, f.match_id);
	member_check(d->chat, r->me, r->match_id, on_member, r);
}
