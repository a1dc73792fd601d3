/* The directory of one master's sockets, locked against a second master. */
#ifndef PW_RUN_DIR_H
#define PW_RUN_DIR_H

#include "common/base/base.h"

#define RUN_DIR_ERR_MAX 256

/* Makes the directory (0700) if missing, takes its lock for as long as the
 * process lives or *fd_out is open, and removes hand-over sockets of an earlier
 * run. 0, or -errno with one line in err. */
int run_dir_take(const char *path, int *fd_out, char err[RUN_DIR_ERR_MAX])
	MUST_CHECK;

#endif
