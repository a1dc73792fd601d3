/* The listening sockets: one per worker slot, all on one address and port by
 * SO_REUSEPORT, open for the master's whole life. Connections that wait in a
 * slot's accept queue outlive its worker. (design 1) */
#ifndef PW_LISTENER_H
#define PW_LISTENER_H

#include "common/base/base.h"

#define LISTENER_ERR_MAX 256

struct listeners;

/* host: an address or a name; "::" takes IPv4 as well. port 0: the system picks
 * one for all. Refuses an address that anybody else listens on, another master
 * of this user included. 0, or -errno with one line in err. */
int listeners_open(const char *host, unsigned port, unsigned slots,
		   struct listeners **out, char err[LISTENER_ERR_MAX])
	MUST_CHECK;
/* Resets what waits in the queues. NULLs *l. */
void listeners_close(struct listeners **l);

int listeners_fd(const struct listeners *l, unsigned slot);	/* borrowed */
unsigned listeners_port(const struct listeners *l);
const char *listeners_host(const struct listeners *l);	/* numeric */
/* "127.0.0.1:3001", "[::]:3001" */
const char *listeners_name(const struct listeners *l);

#endif
