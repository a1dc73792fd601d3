/* Chance, so that what failed at one instant is not tried again at one instant. */
#ifndef PW_PUSHD_JITTER_H
#define PW_PUSHD_JITTER_H

#include "common/base/base.h"

/* 0 to bound_ms, both included. */
int64_t jitter_ms(int64_t bound_ms);

#endif
