/* Ends sessions whose token ended, within a second. */
#ifndef PW_EXPIRY_H
#define PW_EXPIRY_H

#include "common/loop/loop.h"

struct device;
struct users;

/* A timer each would cost more memory per idle connection than all the rest of
 * chat. Instead all devices are looked at, each second - but in shares (of the
 * users' map), and only a share in which a token may have ended. */
#define EXPIRY_SHARES 256

struct expiry {
	struct users *users;
	struct timer timer;
	int64_t earliest_ms[EXPIRY_SHARES];	/* monotonic; none ends before */
};

void expiry_init(struct expiry *x, struct loop *l, struct users *users);
void expiry_free(struct expiry *x);
/* d->expires_mono_ms has been set. */
void expiry_note(struct expiry *x, const struct device *d);
/* What the timer does; now_ms: monotonic. */
void expiry_pass(struct expiry *x, int64_t now_ms);

#endif
