/* How long to wait before the next attempt to connect: full jitter below a
 * bound that doubles from 50 ms to 5 s, so that a fleet which lost a server
 * at one instant does not come back at one instant. */
#ifndef PW_BACKOFF_H
#define PW_BACKOFF_H

#include <stdint.h>

#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 5000

struct backoff {
	unsigned cap_ms;	/* bound of the next delay */
};

void backoff_init(struct backoff *b);
/* ms, 0 to the bound, both included; doubles the bound. */
unsigned backoff_next(struct backoff *b);
/* A connection that had been up for up_ms was lost: one that held starts the
 * series anew, one that broke at once does not. */
void backoff_lost(struct backoff *b, int64_t up_ms);

#endif
