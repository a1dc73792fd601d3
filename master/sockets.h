/* Where the listening sockets come from, and where they are kept. In this order:
 * - a unit of systemd listens for us (socket activation): as many sockets as there
 *   are workers, with SO_REUSEPORT, on one address, which is then ours whatever
 *   the configuration says;
 * - a master before us left them in systemd's store (sd_notify(3), FDSTORE=1) as
 *   "listen-0", "listen-1", ...: those on the configured address are used again,
 *   with the connections that wait there; the others leave the store;
 * - else they are opened, and put into the store if there is one: there they
 *   outlive this process, however it ends. */
#ifndef PW_SOCKETS_H
#define PW_SOCKETS_H

#include "common/service/listener.h"

struct conf;

/* Once, early: takes LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES out of the
 * environment, and closes what it does not use of these. 0, or -errno with one line
 * in err. (Over an upgrade it is listeners_take().) */
int sockets_open(const struct conf *conf, unsigned workers,
		 struct listeners **out, char err[LISTENER_ERR_MAX]) MUST_CHECK;

#endif
