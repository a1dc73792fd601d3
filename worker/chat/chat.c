#include "worker/chat/chat.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "worker/chat/announce.h"
#include "worker/chat/catch_up.h"
#include "worker/chat/confirm.h"
#include "worker/chat/connect.h"
#include "worker/chat/emit.h"
#include "worker/chat/frames.h"
#include "worker/chat/receipts.h"
#include "worker/chat/sweep.h"
#include "worker/chat/unread.h"
#include "worker/chat/unrouted.h"

#define STREAMS_MAX 100000
#define SENDERS_MAX 100000

const struct field_error error_no_match = {
	ERR_INVALID_MATCH, "match not found, or you are not part of it", 0
};
const struct field_error error_no_ack = {
	ERR_INVALID_PAYLOAD, "the answer comes in the acknowledgement: ask for one", 0
};
const struct field_error error_too_many = {
	ERR_RATE_LIMITED, "too many of your events wait for an answer", 0
};
const struct field_error error_unavailable = {
	ERR_SERVICE_UNAVAILABLE, "the service is unavailable, try again", 0
};

void chat_init(struct chat *c)
{
	users_init(&c->users);
	streams_init(&c->streams, STREAMS_MAX);
	src_init(&c->src, c->conf.src);
	unrouted_init(c);
	send_rates_init(&c->send_rates, &c->conf.message_rate, SENDERS_MAX);
	confirms_init(c);
	chat_push_init(c);
	sweep_init(c);
	catch_up_init(c);
	expiry_init(&c->expiry, c->loop, &c->users);
	announce_init(c);
	receipts_init(c);
	unread_init(c);
}

void chat_set_conf(struct chat *c, const struct chat_conf *conf)
{
	const char *src = c->conf.src;

	c->conf = *conf;
	c->conf.src = src;
	send_rates_set_conf(&c->send_rates, &conf->message_rate);
	catch_up_set_conf(c);
}

void chat_free(struct chat *c)
{
	unread_free(c);
	receipts_free(c);
	announce_free(c);
	expiry_free(&c->expiry);
	sweep_free(c);
	catch_up_free(c);
	chat_push_free(c);
	confirms_free(c);
	unrouted_free(c);
	streams_free(&c->streams);
	send_rates_free(&c->send_rates);
	users_free(&c->users);
	buf_free(&c->scratch);
	buf_free(&c->offset);
}

bool chat_busy(const struct chat *c)
{
	return c->ops > 0 || confirms_waiting(c) || unrouted_any(c) ||
	       receipts_waiting(c) || announce_waiting(c);
}

static unsigned to_devices(struct user *u, struct slice frame,
			   const struct device *except)
{
	struct list *pos, *tmp;
	unsigned n = 0;

	LIST_FOREACH_SAFE(pos, tmp, &u->devices) {
		struct device *d = LIST_ENTRY(pos, struct device, node);

		if (d != except && d->accepted && sio_send(d->socket, frame))
			n++;
	}
	return n;
}

unsigned chat_local(struct chat *c, const char *user_id, struct slice frame,
		    const struct device *except)
{
	struct user *u = users_find(&c->users, slice_of(user_id));

	return u != NULL ? to_devices(u, frame, except) : 0;
}

void chat_local_receipt(struct chat *c, const char *user_id, struct slice frame)
{
	struct user *u = users_find(&c->users, slice_of(user_id));
	struct list *pos, *tmp;

	if (u == NULL)
		return;
	LIST_FOREACH_SAFE(pos, tmp, &u->devices) {
		struct device *d = LIST_ENTRY(pos, struct device, node);

		if (!catch_up_hold_receipt(d, frame))
			emit_event(d, frame);
	}
}

unsigned chat_local_message(struct chat *c, struct slice user_id,
			    const struct emission *e,
			    const struct device *except)
{
	struct user *u = users_find(&c->users, user_id);
	struct list *pos, *tmp;
	unsigned takers = 0, written = 0;

	if (u == NULL)
		return 0;
	LIST_FOREACH_SAFE(pos, tmp, &u->devices) {
		struct device *d = LIST_ENTRY(pos, struct device, node);
		enum emitted r;

		if (d == except)
			continue;
		if (d->accepted || d->catch_up != NULL)
			r = emit_message(d, e);
		else
			r = EMIT_HELD;	/* in the store for him */
		/* A socket that is closing takes nothing: he may be away. */
		takers += r != EMIT_GONE;
		written += r == EMIT_WRITTEN;
	}
	if (written > 0 && e->tracked) {
		stats_add(STAT_messages_emitted, written);
		flight_record(FLIGHT_WRITTEN, e->id, written);
	}
	return takers;
}

void chat_refuse(struct device *d, int64_t ack, const struct field_error *e,
		 const char *temp_id)
{
	struct buf *b = &d->chat->scratch;

	stats_inc(STAT_events_refused);
	stats_add(STAT_limited_content, e->code == ERR_MESSAGE_TOO_LARGE);
	if (d->socket == NULL)
		return;
	buf_clear(b);
	frame_error(b, e, temp_id);
	sio_send(d->socket, buf_slice(b));
	if (ack == SIO_NO_ACK)
		return;
	buf_clear(b);
	ack_error(b, e, temp_id);
	sio_ack(d->socket, ack, buf_slice(b));
}

static void deliver_message(struct chat *c, const struct envelope *e)
{
	char id[MESSAGE_ID_LEN + 1];
	struct emission m = {
		.frame = e->event,
		.id = id,
		.at = place_of_envelope(e),
		.tracked = e->kind == ENV_MESSAGE,
	};

	if (!message_id_valid(e->id))
		return;
	memcpy(id, e->id.p, MESSAGE_ID_LEN);
	id[MESSAGE_ID_LEN] = '\0';
	/* Whoever sees an own copy may send next: his must come after it (M0). */
	if (e->kind == ENV_OWN_COPY)
		streams_raise(&c->streams, e->sender_id, e->match_id,
			      e->sent_at_ms);
	chat_local_message(c, e->user_id, &m, NULL);
}

void chat_deliver(void *arg, const struct envelope *e)
{
	struct chat *c = arg;
	char user_id[PW_ID_MAX + 1];

	stats_inc(STAT_received);
	if (e->user_id.n > PW_ID_MAX)
		return;
	memcpy(user_id, e->user_id.p, e->user_id.n);
	user_id[e->user_id.n] = '\0';
	/* It came by his route, so that is registered, though the answer that
	 * says so is still on its way on the other connection. */
	connect_registered(c, e->user_id);
	switch (e->kind) {
	case ENV_CATCH_UP:
		catch_up_user(c, e->user_id);
		break;
	case ENV_EMIT_MANY:	/* comes one by one */
		break;
	case ENV_RECEIPT:
		chat_local_receipt(c, user_id, e->event);
		break;
	case ENV_EMIT:
		chat_local(c, user_id, e->event, NULL);
		break;
	case ENV_MESSAGE:
	case ENV_OWN_COPY:
		deliver_message(c, e);
		break;
	case ENV_DISCONNECT:
		connect_close_user(c, e->user_id);
		break;
	}
}

void chat_presence_changed(void *arg, const char *user_id, bool online)
{
	announce(arg, user_id, online);
}

void chat_unread_lost(void *arg, const char *user_id, bool in_doubt)
{
	unread_rebuild(arg, user_id, in_doubt);
}

void chat_unread_missing(void *arg, const char *user_id)
{
	unread_rebuild(arg, user_id, false);
}

void chat_lost(void *arg)
{
	catch_up_all(arg);
}

void chat_reregister(void *arg, enum presence_why why)
{
	struct chat *c = arg;

	if (why != PRESENCE_FIRST && c->users.map.count > 0)
		announce_hold(c, why == PRESENCE_RECONNECTED ?
				 c->conf.rejoin_ms : c->conf.lease_ms);
	catch_up_all(c);
}

json_t *chat_user_devices(struct chat *c, const char *user_id, size_t max,
			  size_t *more_out)
{
	struct user *u = users_find(&c->users, slice_of(user_id));
	json_t *all = json_array();
	struct list *pos, *tmp;
	char since[TIME_ISO_LEN + 1];

	*more_out = 0;
	if (u == NULL)
		return all;
	LIST_FOREACH_SAFE(pos, tmp, &u->devices) {
		struct device *d = LIST_ENTRY(pos, struct device, node);
		struct eio_session *s = sio_socket_session(d->socket);

		if (json_array_size(all) == max)
			break;
		time_iso((int64_t)d->since_ms, since);
		json_array_append_new(
			all, json_pack("{s:s, s:s, s:s}", "sid",
				       sio_socket_id(d->socket), "transport",
				       eio_session_transport_name(s), "since",
				       since));
	}
	*more_out = u->ndevices - json_array_size(all);
	return all;
}
