/* The insert path that both backends share (design M3): a stream - (sender,
 * match) - hashes to a lane, a lane has one batch in flight, and all that is
 * queued while it is out is the next batch. A batch that fails because of one
 * row is halved until that row stands alone. Internal to common/store. */
#ifndef PW_STORE_LANES_H
#define PW_STORE_LANES_H

#include "common/store/store_backend.h"

struct store_lanes;

/* A batch ends at whichever comes first. */
#define LANE_BATCH_ROWS 500
#define LANE_BATCH_BYTES (1024 * 1024)

struct store_lanes_conf {
	unsigned lanes;
	unsigned timeout_ms;
	unsigned queue_max;
	void (*insert)(void *arg, struct store_batch *b);
	void *arg;
};

struct store_lanes *store_lanes_new(struct loop *l,
				    const struct store_lanes_conf *conf);
/* As message_store_insert(). */
void store_lanes_insert(struct store_lanes *s, const struct message *m,
			store_insert_cb *cb, void *arg);
/* Answers everything with STORE_UNAVAILABLE, also what the callbacks insert
 * meanwhile; batches in flight stay valid until store_batch_done(). What is
 * inserted later is answered by the next call. False: there was nothing. */
bool store_lanes_cancel(struct store_lanes *s);
/* After store_lanes_cancel() and the last store_batch_done(). NULLs *s. */
void store_lanes_free(struct store_lanes **s);

#endif
