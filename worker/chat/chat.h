/* The application: what clients' events do. Holds everything the handlers
 * share; the objects are made and owned by worker.c. */
#ifndef PW_CHAT_H
#define PW_CHAT_H

#include <jansson.h>

#include "common/base/buf.h"
#include "common/loop/loop.h"
#include "worker/chat/expiry.h"
#include "worker/chat/fields.h"
#include "worker/chat/send_rate.h"
#include "worker/chat/src.h"
#include "worker/chat/stream.h"
#include "worker/chat/users.h"
#include "worker/presence.h"
#include "worker/router.h"
#include "worker/socketio/socket.h"

struct announce;
struct auth_key;
struct catch_ups;
struct confirms;
struct emission;
struct emitter;
struct sweep;
struct unread;
struct unrouted;
struct directory;
struct message_store;
struct push_queue;
struct redis;

struct chat_conf {
	const char *src;	/* "host:boot:instance"; a message's own src has
				 * an ending more once an outcome was unknown */
	size_t content_max;
	unsigned user_connections;	/* of a user here; 0: no limit */
	struct rate_conf message_rate;	/* of a user here */
	int64_t delivery_timeout_ms;
	int64_t push_ttl_ms;
	int64_t push_requeue_ms;	/* of a queue that may lose what it has */
	bool push_take_back;
	int64_t recovery_window_ms;
	size_t recovery_events;
	int64_t opening_ms;	/* who comes back is in by then, whatever the
				 * store does */
	size_t catch_up_bytes;	/* a device is given before its next pong */
	int64_t jwt_leeway_ms;
	int64_t lease_ms;	/* of each worker, in Redis */
	int64_t rejoin_ms;	/* from Redis being there again until every worker
				 * that lives has its users registered */
};

struct chat {
	struct loop *loop;
	struct chat_conf conf;
	struct auth_key *key;
	struct directory *directory;
	struct message_store *store;
	struct router *router;
	struct redis *redis;	/* for the counters of unread.c */
	struct presence *presence;
	struct push_queue *push;
	struct users users;
	struct streams streams;
	struct src src;		/* of the next message */
	struct send_rates send_rates;
	struct list due;	/* ids whose push fell due, see push_due.c */
	size_t ndue;
	size_t due_out;		/* being read, or on their way into the queue */
	struct task due_task;
	struct expiry expiry;
	struct catch_ups *catch_ups;	/* catch_up.c */
	struct confirms *confirms;	/* confirm.c */
	struct sweep *sweep;		/* sweep.c */
	struct unrouted *unrouted;	/* unrouted.c */
	struct announce *announce;	/* announce.c */
	struct unread *unread;		/* unread.c */
	struct receipts *receipts;	/* receipts.c */
	struct emitter *emitter;	/* NULL: redis_emitter is off */
	struct buf scratch;	/* frames of one event, reused */
	struct buf offset;	/* of one event, see emit.c */
	unsigned ops;		/* sends and confirmations that a stop waits for */
	bool stopping;		/* new events are refused */
	bool down;		/* the backends are being freed: ask them nothing */
};

/* The parts must be set in c before (all but those private here). */
void chat_init(struct chat *c);
void chat_free(struct chat *c);
/* From now on. src stays; for the content's bound the socket layer must be told
 * as well (chat_sio_ops). */
void chat_set_conf(struct chat *c, const struct chat_conf *conf);

/* Something is under way that no other worker would see to, or only later: sends
 * and confirmations, and what waits for a backend or is being told. */
bool chat_busy(const struct chat *c);

/* For the socket layer, namespace "/". */
struct sio_ops chat_sio_ops(struct chat *c);
/* For the router and presence: see their headers; arg is the chat. */
void chat_lost(void *arg);
void chat_deliver(void *arg, const struct envelope *e);
void chat_presence_changed(void *arg, const char *user_id, bool online);
void chat_reregister(void *arg, enum presence_why why);
void chat_unread_lost(void *arg, const char *user_id, bool in_doubt);
void chat_unread_missing(void *arg, const char *user_id);
/* The devices of a user here, as a JSON array: {sid, transport, since}; max of them,
 * and how many more there are. */
json_t *chat_user_devices(struct chat *c, const char *user_id, size_t max,
			  size_t *more_out);

/* --- shared by the handlers --- */

/* A frame to all accepted devices of a user on this worker but `except` (may be
 * NULL). Returns how many. */
unsigned chat_local(struct chat *c, const char *user_id, struct slice frame,
		    const struct device *except);
/* A receipt to his devices here, behind the messages that they are being sent,
 * and with an offset (emit.h). */
void chat_local_receipt(struct chat *c, const char *user_id, struct slice frame);
/* The same to all of them, here and elsewhere (receipts.h). */
void chat_receipt(struct chat *c, const char *user_id, struct slice frame);
/* A message to all devices of a user here but `except` (may be NULL). Returns
 * how many have it or will: those that are just connecting or catching up get
 * it from the store. */
unsigned chat_local_message(struct chat *c, struct slice user_id,
			    const struct emission *e,
			    const struct device *except);
/* Where a read of so many rows ends, in bytes of their content: there, or 0 (not)
 * when they have hardly more together: to count costs the store. */
static inline size_t chat_read_bytes(const struct chat *c, unsigned rows,
				     size_t bytes)
{
	return rows * c->conf.content_max <= 2 * bytes ? 0 : bytes;
}
/* `error` to the device, and the acknowledgement when one is wanted. temp_id:
 * JSON text or NULL. The device may be gone. */
void chat_refuse(struct device *d, int64_t ack, const struct field_error *e,
		 const char *temp_id);

/* --- the handlers of events (events.c has the table) --- */
void ev_send(struct device *d, json_t *payload, int64_t ack);
void ev_typing(struct device *d, json_t *payload, int64_t ack);
void ev_read(struct device *d, json_t *payload, int64_t ack);
void ev_received(struct device *d, json_t *payload, int64_t ack);
void ev_sync(struct device *d, json_t *payload, int64_t ack);
void ev_presence_get(struct device *d, json_t *payload, int64_t ack);

/* events.c: one event of an accepted device. */
void chat_event(struct device *d, const struct sio_event *e);
/* confirm.c: the device has everything up to mark. Nothing in explicit mode. */
void chat_confirmed(struct device *d, uint32_t mark);
/* push_due.c: the message's push is due now; read again, queued if it is still
 * undelivered and owing. Beyond some ten thousand that wait it is left to the
 * sweep. */
void chat_push_due(struct chat *c, const char *id);
void chat_push_init(struct chat *c);
void chat_push_free(struct chat *c);

extern const struct field_error error_no_match;
extern const struct field_error error_unavailable;
extern const struct field_error error_too_many;
extern const struct field_error error_no_ack;

#endif
