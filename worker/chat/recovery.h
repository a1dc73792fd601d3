/* Who comes back (socketio.md 8, M6): a client's pid is proof of nothing but
 * that this user was given that session id; what he is sent hangs on his token
 * alone. Made of both, so any worker can tell. */
#ifndef PW_RECOVERY_H
#define PW_RECOVERY_H

#include "common/protocol/cursor.h"
#include "common/protocol/ids.h"

#define RECOVERY_HASH_LEN 16
#define RECOVERY_PID_LEN (RECOVERY_HASH_LEN + SESSION_ID_LEN)

/* 16 hex digits of a SHA-256 over both, then the sid. */
void recovery_pid(const char *user_id, const char *sid,
		  char out[RECOVERY_PID_LEN + 1]);
/* Whether user_id was given this pid, for which sid, and what he was sent then:
 * not longer than window_us ago, nor after now_us. */
bool recovery_read(const char *user_id, const char *pid, const char *offset,
		   int64_t now_us, int64_t window_us,
		   char sid_out[SESSION_ID_LEN + 1], struct cursor *out);

#endif
