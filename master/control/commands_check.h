/* pairwirectl check: each backend asked by one worker, and this host's limits. */
#ifndef PW_COMMANDS_CHECK_H
#define PW_COMMANDS_CHECK_H

#include "master/control/control.h"

/* {"ok", "checks": [{"name", "ok", "text", "todo"}]}; arg is the master. */
void do_check(void *arg, struct control_request r, const json_t *args);

#endif
