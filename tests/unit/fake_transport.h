/* A transport that writes into memory, and a loop that runs until something
 * has happened. */
#ifndef PW_TEST_FAKE_TRANSPORT_H
#define PW_TEST_FAKE_TRANSPORT_H

#include "common/base/buf.h"
#include "common/loop/loop.h"
#include "worker/engineio/session.h"
#include "worker/transport/transport.h"

struct fake_transport {
	struct transport t;
	struct buf out;		/* frames, each followed by '\n'; "B:" binary */
	unsigned writes;
	bool blocked;		/* takes nothing */
	bool poll;		/* takes what one write has, then is blocked */
	bool closed;
	bool left;
	enum close_reason why;
	int64_t ping_at_us;	/* when the last "2" was written */
	unsigned pings;
};

void fake_transport_init(struct fake_transport *f, bool upgradable);
void fake_transport_free(struct fake_transport *f);
/* What was written since the last call; borrowed until the next write. */
const char *fake_transport_take(struct fake_transport *f);

/* One turn: what is due now and what was deferred. */
void run_turn(struct loop *l);
/* Turns until cond(arg), at most a minute; whether it became true. */
bool run_until(struct loop *l, bool (*cond)(void *arg), void *arg);
/* Turns for that long. */
void run_for(struct loop *l, int64_t ms);

#endif
