/* Answers short HTTP requests without a body, one per connection, from
 * callers nobody needs to trust: there are 32 connections at most, the oldest
 * makes room for the next, and each is over within 10 seconds, however slowly
 * it talks or listens. (libevent 2.1's evhttp bounds neither.) */
#ifndef PW_ADMIN_HTTP_H
#define PW_ADMIN_HTTP_H

#include "common/base/buf.h"

struct admin_http;
struct loop;

struct admin_answer {
	unsigned status;
	const char *type;	/* Content-Type */
	const char *allow;	/* Allow, or NULL */
	struct buf body;	/* left away for HEAD */
};

/* Fills *out, which is zero. Called from the loop. */
typedef void admin_handler(void *arg, struct slice method, struct slice path,
			   struct admin_answer *out);

/* fd: a non-blocking listening socket, borrowed. */
struct admin_http *admin_http_new(struct loop *l, int fd, admin_handler *fn,
				  void *arg);
void admin_http_free(struct admin_http **h);	/* NULLs *h */

#endif
