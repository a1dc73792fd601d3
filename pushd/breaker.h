/* When a provider should be left alone. Pure: told the time.
 *
 * Closed: all may go. It opens after BREAKER_FAILURES failures without a
 * success between them, or at once when told so; open for what the provider
 * said (at most an hour), else 1 s doubling to 60 s, when it asked for a pause
 * 2 minutes doubling to 8; a half of that by chance.
 * Then one may go as a probe: its success closes it, its failure opens it for
 * longer. What was sent before it opened changes nothing when it comes back
 * later, but that the provider may ask for a longer wait. */
#ifndef PW_PUSHD_BREAKER_H
#define PW_PUSHD_BREAKER_H

#include "common/base/base.h"

#define BREAKER_FAILURES 10
#define BREAKER_MIN_MS 1000
#define BREAKER_MAX_MS 60000
#define BREAKER_PAUSE_MIN_MS 120000
#define BREAKER_PAUSE_MAX_MS 480000
#define BREAKER_SAID_MAX_MS 3600000

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_PROBING };

enum breaker_why {
	BREAKER_FAILED,		/* one in a row */
	BREAKER_AT_ONCE,	/* it would be the same for all */
	BREAKER_PAUSE,		/* at once: the provider asks for a pause */
};

struct breaker {
	enum breaker_state state;
	unsigned failures;	/* in a row */
	unsigned wait_ms;	/* bound of the next opening */
	int64_t until_ms;	/* open until, monotonic */
};

void breaker_init(struct breaker *b);
/* May one go now? Turns an open one whose time is over into a probing one: then
 * the caller must send, and report. */
bool breaker_allows(struct breaker *b, int64_t now_ms);
/* When to ask again, ms from now; 0: now, or when the probe is back. */
int64_t breaker_wait_ms(const struct breaker *b, int64_t now_ms);
void breaker_ok(struct breaker *b);
/* The probe was none: the provider was not asked. Another may go. */
void breaker_unprobed(struct breaker *b);
/* wait_ms: how long the provider asks for; 0 or less: nothing said. */
void breaker_failed(struct breaker *b, int64_t now_ms, int64_t wait_ms,
		    enum breaker_why why);

#endif
