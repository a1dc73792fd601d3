/* What of the master's parts goes over an exec (upgrade.h): saved by the one,
 * taken by the other. */
#ifndef PW_SUCCESSION_H
#define PW_SUCCESSION_H

#include "common/base/base.h"

#define SUCCESSION_ERR_MAX 320

struct conf;
struct inheritance;
struct master;

/* master: struct master. The caller's. NULL: not now (supervisor_save()). */
struct inheritance *succession_save(void *master);
/* What counts at a restart only stays as it was, whatever conf says; the log
 * names what it would have been otherwise. 0, or -EINVAL with one line in err. */
int succession_conf(struct conf *conf, const struct inheritance *h,
		    char err[SUCCESSION_ERR_MAX]) MUST_CHECK;
/* What the dead counted, and their pages, into new ones. 0 or -EINVAL, as above. */
int succession_counts(struct master *m, const struct inheritance *h,
		      char err[SUCCESSION_ERR_MAX]) MUST_CHECK;
/* Lock, listeners, admin listener and control socket. 0, or -errno with one line
 * in err; the process ends then. */
int succession_sockets(struct master *m, const struct inheritance *h,
		       char err[SUCCESSION_ERR_MAX]) MUST_CHECK;

#endif
