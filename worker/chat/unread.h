/* Unread counters lost by Redis are made anew from the store (M9). A user's are
 * whole while pw:urb:<user> has the field "" (its value 0: a sum of the hash is
 * the badge); the route script and presence say when it is missing. */
#ifndef PW_UNREAD_H
#define PW_UNREAD_H

#include "worker/chat/chat.h"

void unread_init(struct chat *c);
void unread_free(struct chat *c);
/* Once per user at a time, a few users at once; read again when his counters
 * changed meanwhile. Store or Redis away: asked for again by the next event
 * that finds the field missing. in_doubt: the counters may be wrong though the
 * field is there, so nothing would ask again: kept until it is done. */
void unread_rebuild(struct chat *c, const char *user_id, bool in_doubt);

#endif
