/* Messages that were written to a device and of which the store does not know
 * yet that it has them (M2): waiting for the proof, or confirming - on the way
 * to the store. They leave when the store has answered. In order of marks.
 * Bounded: the oldest are forgotten. Of a device that proves nothing those stay
 * undelivered in the store and fall due; of one whose confirmations the store
 * is slow to take they may be sent once more. */
#ifndef PW_PENDINGS_H
#define PW_PENDINGS_H

#include "common/store/message.h"

struct device;
struct pendings;		/* NULL: none. Idle devices, the great majority */

#define PENDINGS_MAX 1000

struct pending {
	int64_t written_us;	/* monotonic */
	uint32_t mark;		/* sio_mark(): serial numbers, rising */
	bool confirming;
	char id[MESSAGE_ID_LEN + 1];
};

/* The device's pointer becomes NULL. */
void pendings_free(struct pendings **q);
void device_pending_add(struct device *d, uint32_t mark, const char *id,
			int64_t now_us);
/* Waiting or confirming. */
bool device_pending_has(const struct device *d, const char *id);
/* How many are. */
size_t device_pending_count(const struct device *d);
/* The next one that waits and has a mark up to `mark` (serial order) becomes
 * confirming; false: none. *at is 0 at first and the caller's to keep: nothing
 * may be added or leave meanwhile. */
bool device_pending_confirm(struct device *d, uint32_t mark, size_t *at,
			    struct pending *out);
/* The one of this id, whatever its mark; false: it does not wait. */
bool device_pending_confirm_id(struct device *d, const char *id,
			       struct pending *out);
/* The store knows of it: it leaves, if it is there. */
void device_pending_drop(struct device *d, const char *id);
/* The store will not hear of it after all: it waits again. */
void device_pending_again(struct device *d, const char *id);

#endif
