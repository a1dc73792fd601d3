/* The daemon: what its rooms are put together from, and how it starts, reads
 * its files again and stops. */
#ifndef PW_PUSHD_PUSHD_H
#define PW_PUSHD_PUSHD_H

#include "common/base/base.h"

struct loop;
struct pushd;

#define PUSHD_ERR_MAX 512

struct pushd_options {
	const char *conf_path;	/* NULL: environment and defaults; borrowed */
	bool dry;		/* tell instead of sending */
};

/* Reads configuration, templates and credentials. 0, or -errno with
 * where and what in err: -EINVAL is of what they say, another of what another start
 * may find mended. */
int pushd_check(const struct pushd_options *o, char err[PUSHD_ERR_MAX]) MUST_CHECK;
/* The same, and starts: takes events as soon as the loop turns. It waits for no
 * backend: to be without one is a state it serves in. */
int pushd_new(struct loop *l, const struct pushd_options *o, struct pushd **out,
	      char err[PUSHD_ERR_MAX]) MUST_CHECK;
/* Reads all files again. What can change does; with a bad one nothing does, and
 * the log says why. */
void pushd_reload(struct pushd *p);
/* Takes no more events; the loop ends when what is with a provider has its
 * outcome, or after stop_timeout. The second time: at once. */
void pushd_stop(struct pushd *p);
/* The loop has ended. Acknowledgements are brought home, which may take
 * redis_timeout. NULLs *p. */
void pushd_free(struct pushd **p);

#endif
