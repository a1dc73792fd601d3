/* The listening sockets: one per worker slot, all on one address and port by
 * SO_REUSEPORT, open for the master's whole life. Connections that wait in a
 * slot's accept queue outlive its worker, and the master where systemd or a
 * successor has the sockets, too. (design 1) */
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
/* Makes listeners of sockets that are there already, fds[slot]: inherited from
 * systemd, or over an exec. Each must be of TCP, listening, with SO_REUSEPORT, and
 * all on one address and port. They get the settings that ours have, are
 * non-blocking and close-on-exec, and belong to *out. -errno: they stay the
 * caller's, and err tells which is not as it must be. */
int listeners_take(const int *fds, unsigned n, struct listeners **out,
		   char err[LISTENER_ERR_MAX]) MUST_CHECK;
/* Whether fd is one that listeners_open(host, *port) could have opened. Port 0:
 * any will do, and *port is then what it is. */
bool listeners_fits(int fd, const char *host, unsigned *port);
/* As listeners_open() where there[slot] is -1; what is there fits, as it must
 * (somewhere at least, so that nobody else can have the address), and belongs to
 * *out then. -errno: it stays the caller's. */
int listeners_complete(const char *host, unsigned port, const int *there,
		       unsigned slots, struct listeners **out,
		       char err[LISTENER_ERR_MAX]) MUST_CHECK;
/* Resets what waits in the queues. NULLs *l. */
void listeners_close(struct listeners **l);

int listeners_fd(const struct listeners *l, unsigned slot);	/* borrowed */
unsigned listeners_port(const struct listeners *l);
const char *listeners_host(const struct listeners *l);	/* numeric */
/* "127.0.0.1:3001", "[::]:3001" */
const char *listeners_name(const struct listeners *l);

#endif
