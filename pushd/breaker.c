#include "pushd/breaker.h"

#include "pushd/jitter.h"

void breaker_init(struct breaker *b)
{
	*b = (struct breaker){ .state = BREAKER_CLOSED };
}

bool breaker_allows(struct breaker *b, int64_t now_ms)
{
	if (b->state == BREAKER_OPEN && now_ms >= b->until_ms) {
		b->state = BREAKER_PROBING;
		return true;
	}
	return b->state == BREAKER_CLOSED;
}

int64_t breaker_wait_ms(const struct breaker *b, int64_t now_ms)
{
	return b->state == BREAKER_OPEN && b->until_ms > now_ms ?
		       b->until_ms - now_ms : 0;
}

void breaker_ok(struct breaker *b)
{
	if (b->state != BREAKER_OPEN)
		breaker_init(b);
}

void breaker_unprobed(struct breaker *b)
{
	if (b->state == BREAKER_PROBING)
		b->state = BREAKER_OPEN;	/* its time is over */
}

static int64_t said(int64_t wait_ms)
{
	return wait_ms < BREAKER_SAID_MAX_MS ? wait_ms : BREAKER_SAID_MAX_MS;
}

static int64_t next_wait(struct breaker *b, enum breaker_why why)
{
	bool pause = why == BREAKER_PAUSE;
	unsigned least = pause ? BREAKER_PAUSE_MIN_MS : BREAKER_MIN_MS;
	unsigned most = pause ? BREAKER_PAUSE_MAX_MS : BREAKER_MAX_MS;
	unsigned bound = b->wait_ms < least ? least :
			 b->wait_ms > most ? most : b->wait_ms;

	b->wait_ms = 2 * bound;
	return bound / 2 + jitter_ms(bound / 2);
}

void breaker_failed(struct breaker *b, int64_t now_ms, int64_t wait_ms,
		    enum breaker_why why)
{
	int64_t until;

	if (b->state == BREAKER_OPEN) {
		if (wait_ms <= 0 && why == BREAKER_PAUSE)
			wait_ms = BREAKER_PAUSE_MIN_MS / 2;
		until = now_ms + said(wait_ms);
		if (until > b->until_ms)
			b->until_ms = until;
		return;
	}
	b->failures++;
	if (b->state == BREAKER_CLOSED && why == BREAKER_FAILED &&
	    b->failures < BREAKER_FAILURES)
		return;
	b->state = BREAKER_OPEN;
	b->until_ms = now_ms + (wait_ms > 0 ? said(wait_ms) :
						next_wait(b, why));
}
