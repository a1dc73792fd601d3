/* What the URLs of push queues have in common. Pure. */
#ifndef PW_URL_PARTS_H
#define PW_URL_PARTS_H

#include "common/base/base.h"

/* Percent-decodes into out, NUL-terminated. 0, or -EINVAL: bad escape, NUL
 * byte, or no room. */
int url_decode(struct slice in, char *out, size_t size) MUST_CHECK;
/* Decimal digits only, at most max. 0 or -EINVAL. */
int url_number(struct slice in, unsigned max, unsigned *out) MUST_CHECK;
/* Splits in at the first c: the part before is returned, in becomes the part
 * behind. Without c: all, and in is empty with p NULL. */
struct slice url_split(struct slice *in, char c);
/* Host and port of "host[:port]" or "[IPv6][:port]"; port.p NULL: none. 0, or
 * -EINVAL: brackets that do not match. Neither is decoded or looked at. */
int url_host_port(struct slice in, struct slice *host, struct slice *port)
	MUST_CHECK;

#endif
