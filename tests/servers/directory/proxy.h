/* A TCP relay in the test's own loop, in front of the PostgreSQL server: lets a
 * test stop it, or cut it off, without touching the server of the others. */
#ifndef PW_TEST_PROXY_H
#define PW_TEST_PROXY_H

#include "common/base/base.h"

struct loop;
struct proxy;

/* host: an address, or a directory of UNIX sockets. */
struct proxy *proxy_new(struct loop *l, const char *host, const char *port);
void proxy_free(struct proxy **p);
unsigned proxy_port(const struct proxy *p);	/* on 127.0.0.1 */
/* Refuses, and cuts what is connected; or lets in again, on the same port. */
void proxy_open(struct proxy *p, bool open);
/* Cuts the connections whose start-up packet contains text (an
 * application_name), and lets no new one of them in; NULL: lets them in. */
void proxy_hold(struct proxy *p, const char *text);
/* Accepts, but moves no byte. */
void proxy_stall(struct proxy *p, bool stall);

#endif
