/* Is this user part of that match, and who is the other? What every event but
 * message:send, which waits in its stream, asks first. */
#ifndef PW_MEMBER_H
#define PW_MEMBER_H

#include "worker/chat/chat.h"

struct member {
	const char *match_id;
	const char *me;
	const char *other;
};
/* e: NULL and m set, or why not (INVALID_MATCH, SERVICE_UNAVAILABLE). Exactly
 * once; may run before member_check returns. Borrowed until it returns. */
typedef void member_cb(void *arg, const struct field_error *e,
		       const struct member *m);
/* Strings are copied. */
void member_check(struct chat *c, const char *me, const char *match_id,
		  member_cb *cb, void *arg);

#endif
