/* What devices have proved to have becomes `delivered` (contract 4, M2): by the
 * pong barrier, or by message:received. What the store did not take is kept and
 * told again when it is well, also when the device is gone meanwhile; bounded:
 * the oldest are given up then (the messages stay undelivered and fall due).
 * Nobody is told of a delivery that the store has not answered. */
#ifndef PW_CONFIRM_H
#define PW_CONFIRM_H

#include "worker/chat/chat.h"

#define CONFIRM_MAX 500		/* ids of one confirmation */
#define CONFIRMS_KEPT_MAX 100000	/* ids */

void confirms_init(struct chat *c);
void confirms_free(struct chat *c);
/* The store is well again. */
void confirms_wake(struct chat *c);
/* The store has not taken some. */
bool confirms_waiting(const struct chat *c);

/* The device said that it has these messages (n <= CONFIRM_MAX; those that are
 * not its user's are nothing to the store). taken, which may be NULL, runs
 * exactly once, later: ok when the store knows, else it was given up. */
void confirm_received(struct device *d, const char (*ids)[MESSAGE_ID_LEN + 1],
		      size_t n, void (*taken)(void *arg, bool ok), void *arg);

#endif
