/* Times as clients write them: ISO 8601 in the profile of RFC 3339, section 5.6
 * (seconds may be left out, and be 60). Pure codec; time_iso() of clock.h is the
 * other direction. */
#ifndef PW_ISO_TIME_H
#define PW_ISO_TIME_H

#include "common/base/base.h"

/* "2026-01-02T03:04:05.678Z", "2026-01-02T03:04+01:00" in ms since the epoch;
 * what is finer is cut off. 0 or -EINVAL. */
int iso_time_parse(struct slice text, int64_t *ms_out) MUST_CHECK;

#endif
