/* Receipts (message:delivered, message:read) on their way to a user's devices.
 * What Redis did not take is told again when it is back: the devices elsewhere
 * would miss it without knowing that there was anything (M5 counts only what was
 * published). Bounded; what is beyond, clients learn when they next recover by
 * their offset. */
#ifndef PW_RECEIPTS_H
#define PW_RECEIPTS_H

#include "worker/chat/chat.h"

#define RECEIPTS_MAX 50000
#define RECEIPTS_BYTES_MAX (16 * 1024 * 1024)

void receipts_init(struct chat *c);
void receipts_free(struct chat *c);
/* Redis is well again. */
void receipts_wake(struct chat *c);
/* Redis has not taken some. */
bool receipts_waiting(const struct chat *c);

#endif
