/* What was read on one device, told to pushd, which takes the notifications back
 * on the user's others (push_take_back). Nothing is owed for it: an event that is
 * refused or lost leaves a notification where it is. */
#ifndef PW_CHAT_TAKE_BACK_H
#define PW_CHAT_TAKE_BACK_H

#include "worker/chat/chat.h"

/* rows: what has just become read; 1 to PUSH_READ_IDS. */
void chat_take_back(struct chat *c, const char *user, const char *match_id,
		    const struct message *rows, size_t n);

#endif
