/* For tests of code that lives on the loop: turn it until something is so. */
#ifndef PW_LOOP_WAIT_H
#define PW_LOOP_WAIT_H

#include <criterion/criterion.h>

#include "common/base/clock.h"
#include "common/loop/loop.h"

static inline void loop_wait_stop(void *arg)
{
	loop_stop(arg);
}

/* Turns the loop for ms milliseconds, or a little longer. */
static inline void loop_turn(struct loop *l, int64_t ms)
{
	struct timer t;

	timer_init(&t, l, loop_wait_stop, l);
	timer_arm(&t, ms);
	loop_run(l);
	timer_free(&t);
}

/* Turns the loop until cond is true; the test fails after a minute. */
#define WAIT_FOR(l, cond)                                               \
	do {                                                            \
		int64_t wait_end_ = clock_mono_ms() + 60000;            \
		while (!(cond)) {                                       \
			cr_assert(clock_mono_ms() < wait_end_,          \
				  "still not after a minute: %s", #cond);   \
			loop_turn((l), 2);                              \
		}                                                       \
	} while (0)

#endif
