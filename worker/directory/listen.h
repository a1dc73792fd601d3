/* The directory's LISTEN connection, which proves itself: each second it
 * notifies a channel of its own and hears its own voice. PostgreSQL delivers
 * notifications in the order of their commits, so an echo also proves that
 * everything announced before it has arrived. Loop thread only. */
#ifndef PW_LISTEN_H
#define PW_LISTEN_H

#include "common/base/base.h"

struct loop;
struct listen;

#define CHANNEL_MATCH "pairwire_match"
#define CHANNEL_USER "pairwire_user"

/* What the last echoes prove. */
struct listen_proof {
	bool proven;		/* an echo came within the last 3 s */
	int64_t proven_ms;	/* monotonic: nothing was missed until then */
	uint32_t epoch;		/* of this connection, from its first echo on;
				 * 0: not heard yet, or down */
	uint32_t serial;	/* the last epoch there was */
};

struct listen_conf {
	struct loop *loop;
	const char *url;
	const char *name;
	unsigned timeout_ms;
	/* A new connection is proven: called before *proof changes. */
	void (*relisten)(void *arg);
	/* id "": everything of this channel. */
	void (*changed)(void *arg, const char *channel, const char *id);
	void *arg;
};

struct listen *listen_new(const struct listen_conf *conf);
void listen_free(struct listen **l);
const struct listen_proof *listen_proof(const struct listen *l);

#endif
