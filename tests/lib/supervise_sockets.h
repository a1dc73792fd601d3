/* The sockets that systemd has for a service. */
#ifndef PW_SUPERVISE_SOCKETS_H
#define PW_SUPERVISE_SOCKETS_H

#include <stdbool.h>

/* n sockets with SO_REUSEPORT on an IPv4 address, all on one port; 0: a free
 * one. The port, or -1 with errno (EINVAL: not an address). */
int supervise_listen(const char *address, unsigned port, int *fds, unsigned n);

/* What NOTIFY_SOCKET names: name begins with "@". Who sends is told with each
 * datagram (SCM_CREDENTIALS). A descriptor, or -1 with errno. */
int supervise_notified(const char *name);

/* Both descriptors are of one socket, or file. */
bool supervise_same(int a, int b);

#endif
