/* Events that an app's other services publish with @socket.io/redis-emitter to
 * room user:<id> of namespace "/" (and disconnectSockets): one Redis channel per
 * local user, subscribed exactly, so that an emission costs only the workers
 * that hold the user. Loop thread only.
 *   <key>#/#user:<id>#    emissions to that one room (msgpack)
 *   <key>#/#              to several rooms, or to all
 *   <key>-request#/#      disconnectSockets (JSON) */
#ifndef PW_EMITTER_H
#define PW_EMITTER_H

#include "common/base/base.h"

struct emitter;
struct loop;
struct redis_conf;

struct emitter_ops {
	/* frame: "42[…]" for the user's devices here; user_id NULL: for all
	 * devices here. Borrowed. */
	void (*emit)(void *arg, const char *user_id, struct slice frame);
	void (*disconnect)(void *arg, const char *user_id);
	void *arg;
};

/* key, redis' strings and ops are copied. */
struct emitter *emitter_new(struct loop *l, const struct redis_conf *redis,
			    const char *key, const struct emitter_ops *ops);
void emitter_free(struct emitter **e);
/* The user's first device here came, his last one went. e may be NULL: off. */
void emitter_user(struct emitter *e, const char *user_id, bool here);

#endif
