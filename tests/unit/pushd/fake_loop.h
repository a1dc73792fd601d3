/* The loop as common/loop/loop.h has it, over the fake clock: nothing happens
 * but when told. Linked in place of the real one. */
#ifndef PW_FAKE_LOOP_H
#define PW_FAKE_LOOP_H

#include "common/loop/loop.h"

/* Sets both clocks to a beginning of their own. */
struct loop *fake_loop_new(void);
/* Runs what was deferred; whether there was anything. */
bool fake_loop_deferred(struct loop *l);
/* Fires the first timer that is due until then, at its time; false: none is, and
 * until_ms (monotonic) is now. */
bool fake_loop_next(struct loop *l, int64_t until_ms);
int64_t fake_now_ms(void);	/* monotonic */

#endif
