/* Where a Redis is, as a URL. Pure.
 *   redis://[[user]:password@]host[:port][/db]
 *   redis+unix://[[user]:password@]/path/to/socket[?db=N][&password=...]
 * The parts are percent-decoded; an IPv6 address stands in brackets. user must
 * be empty or "default": Pairwire authenticates with a password only. */
#ifndef PW_REDIS_URL_H
#define PW_REDIS_URL_H

#include "common/base/base.h"

#define REDIS_URL_PASSWORD_MAX 1024

struct redis_url {
	char host[256];		/* or the socket's path, beginning with '/' */
	char password[REDIS_URL_PASSWORD_MAX + 1];	/* "": none */
	unsigned port;		/* 0 for a socket */
	unsigned db;
};

/* 0, or -EINVAL with a sentence in err that quotes no password. */
int redis_url_parse(const char *url, struct redis_url *out, char err[256])
	MUST_CHECK;

#endif
