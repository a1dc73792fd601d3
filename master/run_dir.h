/* The directory of one master's sockets, locked against a second master. */
#ifndef PW_RUN_DIR_H
#define PW_RUN_DIR_H

#include "common/base/base.h"

#define RUN_DIR_ERR_MAX 320

/* Makes the directory (0750: the group of the service may look for the control
 * socket) if missing, takes its lock for as long as the
 * process lives or *fd_out is open, and removes hand-over sockets of an earlier
 * run. One that is another user's, or open to all, is refused. 0, or -errno with
 * one line in err. */
int run_dir_take(const char *path, int *fd_out, char err[RUN_DIR_ERR_MAX])
	MUST_CHECK;

/* What to do about an errno of a file or socket there: "; make room on its file system,
 * or ...".
 * "" when there is nothing to be said. */
const char *run_dir_advice(int err);

#endif
