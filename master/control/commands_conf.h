/* reload, log, config: rows of ctl_rows.h; arg is the master.
 *   reload  reload.h's answer, and taken.h's "unanswered"
 *   log     {"level": "debug", "area": "chat" or null: all, "unanswered"}; level
 *           "default": as configured
 *   config  {"path": or null, "keys": [{"section", "key", "value" (as in the
 *           file; secrets masked), "secret", "origin", "when"}]}, see conf_show.h */
#ifndef PW_COMMANDS_CONF_H
#define PW_COMMANDS_CONF_H

#include "master/control/control.h"

void do_reload(void *arg, struct control_request r, const json_t *args);
void do_log(void *arg, struct control_request r, const json_t *args);
void do_config(void *arg, struct control_request r, const json_t *args);

#endif
