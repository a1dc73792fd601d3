/* The new program tries whether it could go on for us, as a child: it runs with
 * --preflight (preflight.h), and touches nothing of ours. */
#ifndef PW_TRIAL_H
#define PW_TRIAL_H

#include "common/base/base.h"

#define TRIAL_TEXT_MAX 256

struct loop;
struct trial;

/* version: of a program that can. NULL: why says why not. From the loop; the
 * trial is over then and may be freed, also from within. */
typedef void (*trial_done)(void *arg, const char *version, const char *why);

/* It sees the state and writes to a pipe of ours; it and what it starts are
 * killed after 10 s. conf_path NULL: as installed. 0 or -errno: it cannot be
 * run, done will not be called. */
int trial_start(struct loop *l, const char *program, const char *conf_path,
		int state_fd, trial_done done, void *arg, struct trial **out)
	MUST_CHECK;
/* Kills what still runs. NULLs *t. */
void trial_free(struct trial **t);

#endif
