#include "common/backend/backoff.h"

#include <sys/random.h>

#include "common/base/clock.h"

static uint32_t random_u32(void)
{
	uint32_t x;

	/* Without entropy yet (early boot) the clock has to do. */
	if (getrandom(&x, sizeof(x), GRND_NONBLOCK) != (ssize_t)sizeof(x))
		x = (uint32_t)(clock_mono_us() * 2654435761u);
	return x;
}

void backoff_init(struct backoff *b)
{
	b->cap_ms = BACKOFF_MIN_MS;
}

unsigned backoff_next(struct backoff *b)
{
	unsigned cap = b->cap_ms;

	b->cap_ms = cap * 2 < BACKOFF_MAX_MS ? cap * 2 : BACKOFF_MAX_MS;
	return random_u32() % (cap + 1);
}

void backoff_lost(struct backoff *b, int64_t up_ms)
{
	if (up_ms >= BACKOFF_MAX_MS)
		backoff_init(b);
}
