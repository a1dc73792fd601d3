/* What one worker publishes to another's Redis channel. Begins with a version
 * byte; an envelope of another version or kind is ignored by old binaries and
 * counted. The route script puts "<counter>:" between the version byte and the
 * rest (M5); that of an ENV_EMIT_MANY it ends itself. Pure codec. */
#ifndef PW_ENVELOPE_H
#define PW_ENVELOPE_H

#include "common/base/buf.h"

#define ENVELOPE_VERSION 1

enum envelope_kind {
	ENV_EMIT = 1,	/* deliver `event` to all of user's sockets */
	ENV_MESSAGE,	/* likewise, and track its confirmation: `id` … set */
	ENV_OWN_COPY,	/* own-device copy: raises `last` of (user, match) */
	ENV_DISCONNECT,	/* close all of user's sockets */
	ENV_RECEIPT,	/* as ENV_EMIT, for an event that clients recover by
			 * their offset: each device's is appended (M6) */
	ENV_CATCH_UP,	/* no event: user's devices look in the store for what
			 * they were not sent */
	ENV_EMIT_MANY,	/* as ENV_EMIT, for each of `users` */
};

struct envelope {
	uint64_t counter;	/* per destination instance; set by the script */
	enum envelope_kind kind;
	struct slice user_id;	/* whose sockets */
	struct slice event;	/* whole text frame, "42[…]" */
	/* ENV_MESSAGE and ENV_OWN_COPY: */
	struct slice id;	/* message */
	struct slice match_id;
	struct slice sender_id;
	struct slice src;	/* instance that accepted it */
	int64_t sent_at_ms;
	int64_t pos;
	/* ENV_EMIT_MANY, instead of user_id: */
	struct slice users;	/* see envelope_next_user() */
};

/* The part behind the counter: what the route script is given. */
void envelope_encode(struct buf *out, const struct envelope *e);
/* A whole published message. Slices point into `in`. 0, -EBADMSG (malformed, or
 * an id longer than PW_ID_MAX) or -ENOTSUP (another version or kind; out holds
 * nothing but the counter then, so that its sequence goes on: 0 for another
 * version). */
int envelope_decode(struct slice in, struct envelope *out) MUST_CHECK;

/* Takes the next one off users; false: none is left. Of a decoded envelope: each
 * is well formed, and there is one at least. */
bool envelope_next_user(struct slice *users, struct slice *user_out);

#endif
