/* Retry-After: seconds, or an HTTP date (RFC 9110, 10.2.3 and 5.6.7: the three
 * forms of date that a recipient must know). Pure. */
#ifndef PW_PUSHD_RETRY_AFTER_H
#define PW_PUSHD_RETRY_AFTER_H

#include "common/base/base.h"

#define RETRY_AFTER_MAX_MS 86400000	/* no longer, whatever is said */

/* How long to wait, 0 to RETRY_AFTER_MAX_MS; 0 for a date that is past. -1: not
 * said, or not to be understood. now_ms: wall clock. */
int64_t retry_after_ms(struct slice value, int64_t now_ms);

#endif
