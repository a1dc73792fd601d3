/* Values of command-line options. */
#ifndef PW_BENCH_OPTIONS_H
#define PW_BENCH_OPTIONS_H

#include "common/base/base.h"

/* "20s", "500ms", "2m", "1h"; a bare number is seconds. 0 or -EINVAL (also for
 * nothing at all, and for more than 24 days). */
int option_duration(const char *text, unsigned *ms_out) MUST_CHECK;
/* A decimal number from min to max. 0 or -EINVAL. */
int option_count(const char *text, unsigned min, unsigned max,
		 unsigned *out) MUST_CHECK;

#endif
