/* Events that an app's other services publish with @socket.io/redis-emitter to
 * room user:<id> of namespace "/" (and disconnectSockets): one Redis channel per
 * local user, subscribed exactly, so that an emission costs only the workers
 * that hold the user. On a connection of its own. Loop thread only.
 *   <key>#/#user:<id>#    emissions to that one room (MessagePack)
 *   <key>#/#              to several rooms, or to all: every worker reads these
 *   <key>-request#/#      disconnectSockets (JSON), likewise
 * Redis promises nothing about what is published: an emission while a user is
 * just connecting, or the connection is down, is lost. The other requests
 * (socketsJoin, socketsLeave, serverSideEmit, and those of Socket.IO servers
 * with the Redis adapter, which would wait 5 s for an answer) are ignored. */
#ifndef PW_EMITTER_H
#define PW_EMITTER_H

#include "common/protocol/emission.h"

struct emitter;
struct loop;
struct redis_conf;

struct emitter_ops {
	/* frame: "42[…]". Both borrowed. */
	void (*emit)(void *arg, const struct emission_to *to, struct slice frame);
	void (*disconnect)(void *arg, const struct emission_to *to);
	void *arg;
};

/* key, redis' strings and ops are copied. */
struct emitter *emitter_new(struct loop *l, const struct redis_conf *redis,
			    const char *key, const struct emitter_ops *ops);
void emitter_free(struct emitter **e);
/* The user's first device here came, his last one went; telling it twice is
 * harmless. e may be NULL: off. */
void emitter_user(struct emitter *e, const char *user_id, bool here);

#endif
