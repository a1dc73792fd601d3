/* message:typing. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "worker/chat/chat.h"
#include "worker/chat/frames.h"
#include "worker/chat/member.h"

struct typing {
	struct device *device;
	int64_t ack;
	bool typing;
};

static void on_member(void *arg, const struct field_error *e,
		      const struct member *m)
{
	struct typing *t = arg;
	struct device *d = t->device;
	struct chat *c = d->chat;
	struct buf *b = &c->scratch;
	struct envelope env;

	if (e != NULL) {
		chat_refuse(d, t->ack, e, NULL);
		goto out;
	}
	buf_clear(b);
	frame_user_typing(b, m->match_id, m->me, t->typing);
	chat_local(c, m->other, buf_slice(b), NULL);
	env = (struct envelope){
		.kind = ENV_EMIT,
		.user_id = slice_of(m->other),
		.event = buf_slice(b),
	};
	router_typing(c->router, m->match_id, m->me, t->typing, &env);
	if (d->socket != NULL && t->ack != SIO_NO_ACK) {
		buf_clear(b);
		ack_ok(b);
		sio_ack(d->socket, t->ack, buf_slice(b));
	}
out:
	device_event_end(d, sizeof(*t));
	device_unref(d);
	free(t);
}

void ev_typing(struct device *d, json_t *payload, int64_t ack)
{
	struct typing_fields f;
	struct field_error err;
	struct typing *t;

	if (!fields_typing(payload, &f, &err)) {
		chat_refuse(d, ack, &err, NULL);
		return;
	}
	if (!device_event_begin(d, sizeof(*t))) {
		chat_refuse(d, ack, &error_too_many, NULL);
		return;
	}
	t = mem_zalloc(sizeof(*t));
	t->device = device_ref(d);
	t->ack = ack;
	t->typing = f.typing;
	member_check(d->chat, d->user->id, f.match_id, on_member, t);
}
