#include "worker/chat/recovery.h"

#include <string.h>

#include "common/protocol/ids.h"
#include "common/store/message.h"

void recovery_pid(const char *user_id, const char *sid,
		  char out[RECOVERY_PID_LEN + 1])
{
	char id[MESSAGE_ID_LEN + 1];

	message_id_make(user_id, sid, "pid", id);
	memcpy(out, id, RECOVERY_HASH_LEN);
	memcpy(out + RECOVERY_HASH_LEN, sid, SESSION_ID_LEN + 1);
}

bool recovery_read(const char *user_id, const char *pid, const char *offset,
		   int64_t now_us, int64_t window_us,
		   char sid_out[SESSION_ID_LEN + 1], struct cursor *out)
{
	const char *sid = pid + RECOVERY_HASH_LEN;
	char mine[RECOVERY_PID_LEN + 1];
	uint32_t instance;
	struct cursor c;

	if (strlen(pid) != RECOVERY_PID_LEN ||
	    session_id_instance((struct slice){ sid, SESSION_ID_LEN },
				&instance) != 0)
		return false;
	recovery_pid(user_id, sid, mine);
	if (strcmp(mine, pid) != 0 ||
	    cursor_read(slice_of(offset), &c) != 0 ||
	    c.floor > now_us || c.floor < now_us - window_us)
		return false;
	memcpy(sid_out, sid, SESSION_ID_LEN + 1);
	*out = c;
	return true;
}
