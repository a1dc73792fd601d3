/* The UNIX socket under the control protocol, both ends. */
#ifndef PW_CONTROL_SOCKET_H
#define PW_CONTROL_SOCKET_H

#include "common/base/base.h"

/* A listening socket (non-blocking, close-on-exec) at path, mode 0660; or
 * -errno with one line in err (256 bytes). */
int control_socket_listen(const char *path, char err[256]) MUST_CHECK;
/* A blocking connection; or -errno. */
int control_socket_connect(const char *path) MUST_CHECK;

#endif
