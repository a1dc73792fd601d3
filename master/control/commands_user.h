/* The commands about a user that workers are asked for (ctl_rows.h). arg is the
 * master. */
#ifndef PW_COMMANDS_USER_H
#define PW_COMMANDS_USER_H

#include "master/control/control.h"

/* {"devices": [{"sid", "transport", "since", "slot", "instance"}],
 *  "unanswered": [{"slot", "instance", "reason"}]} */
void do_user(void *arg, struct control_request r, const json_t *args);
/* {"user", "devices": how many were closed here, "instances": workers of other
 *  hosts that were told, "deaf": those that have him and could not be told just
 *  now, "elsewhere_unknown": why nobody elsewhere was told (or absent),
 *  "unanswered"} */
void do_disconnect(void *arg, struct control_request r, const json_t *args);
/* {"token", "user", "expires_at"} */
void do_token(void *arg, struct control_request r, const json_t *args);

#endif
