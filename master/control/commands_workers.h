/* The commands about worker processes (ctl_rows.h). arg is the master. */
#ifndef PW_COMMANDS_WORKERS_H
#define PW_COMMANDS_WORKERS_H

#include "master/control/control.h"

/* processes_json() */
void do_workers(void *arg, struct control_request r, const json_t *args);

/* Answered when the new worker serves, or cannot:
 * {"slot", "instance": the new one, "draining": the one before, null when there
 *  was none or it is gone, "grace_ms"} */
void do_drain(void *arg, struct control_request r, const json_t *args);
void do_restart(void *arg, struct control_request r, const json_t *args);

#endif
