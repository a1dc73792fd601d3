/* "https://host[:port]": what an HTTP/2 client is told to connect to. Pure. */
#ifndef PW_PUSHD_H2_URL_H
#define PW_PUSHD_H2_URL_H

#include "common/base/base.h"

#define H2_HOST_MAX 253		/* of a name in DNS (RFC 1035, 2.3.4) */

struct h2_url {
	char host[H2_HOST_MAX + 1];	/* name or address, without brackets */
	char authority[H2_HOST_MAX + 9];	/* of :authority; 443 is left out */
	unsigned port;
};

/* One "/" may end it, no path. 0, or -EINVAL with a sentence in err. */
int h2_url_parse(const char *url, struct h2_url *out, char err[256]) MUST_CHECK;

#endif
