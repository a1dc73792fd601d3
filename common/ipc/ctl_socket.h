/* The UNIX socket under the control protocol, both ends. */
#ifndef PW_CTL_SOCKET_H
#define PW_CTL_SOCKET_H

#include "common/base/base.h"

/* A listening socket (non-blocking, close-on-exec) at path, mode 0660; or
 * -errno with one line in err (256 bytes). */
int ctl_socket_listen(const char *path, char err[256]) MUST_CHECK;
/* A blocking connection, on which connecting itself, sending and receiving wait
 * timeout_ms at most (receive and send fail with EAGAIN then); or -errno,
 * -ETIMEDOUT when a master is there that takes no connections. */
int ctl_socket_connect(const char *path, unsigned timeout_ms) MUST_CHECK;

#endif
