/* common/loop/loop.h without a kernel: time is the tests' clock and passes only
 * here. Linked before libloop.a, whose loop.o stays out then. */
#ifndef PW_FUZZ_FAKE_LOOP_H
#define PW_FUZZ_FAKE_LOOP_H

#include "common/loop/loop.h"

/* The end of the turn: what was deferred. */
void fake_loop_turn(struct loop *l);
/* ms pass: each timer at its time, in order, each in a turn of its own. */
void fake_loop_pass(struct loop *l, int64_t ms);

#endif
