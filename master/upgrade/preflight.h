/* `pairwire --preflight`: whether this program could go on for the master that
 * asks (trial.h). It reads what that one would leave it and the configuration,
 * asks the worker program for its version, and touches no socket, no lock and
 * no directory. */
#ifndef PW_PREFLIGHT_H
#define PW_PREFLIGHT_H

#include "common/base/base.h"

#define PREFLIGHT_OPTION "preflight"
/* Its last line on standard output, with the version behind it; or one line on
 * standard error says what is wrong, and the status is 1. */
#define PREFLIGHT_OK "ok "

/* argv0: what it was called; state_fd: inheritance_take_fd()'s. Exit status. */
int preflight_run(const char *argv0, const char *conf_path, int state_fd)
	MUST_CHECK;

#endif
