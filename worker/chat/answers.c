#include "worker/chat/answers.h"

#include <string.h>

#include "common/protocol/json_out.h"

static void time_or_null(struct buf *b, int64_t ms)
{
	if (ms != 0)
		json_out_time(b, ms);
	else
		buf_adds(b, "null");
}

void ack_statuses(struct buf *b, const struct status *v, size_t n)
{
	buf_adds(b, "{\"ok\":true,\"statuses\":[");
	for (size_t i = 0; i < n; i++) {
		buf_adds(b, i > 0 ? ",{\"userId\":" : "{\"userId\":");
		json_out_cstr(b, v[i].user_id);
		buf_adds(b, ",\"online\":");
		buf_adds(b, v[i].online ? "true" : "false");
		buf_adds(b, ",\"lastSeen\":");
		time_or_null(b, v[i].seen_ms);
		buf_addc(b, '}');
	}
	buf_adds(b, "]}");
}

void page_message(struct buf *b, const struct message *m, const char *me)
{
	buf_addc(b, '{');
	message_members(b, m, strcmp(m->sender_id, me) == 0);
	buf_adds(b, ",\"deliveredAt\":");
	time_or_null(b, m->delivered_at_ms);
	buf_adds(b, ",\"readAt\":");
	time_or_null(b, m->read_at_ms);
	buf_addc(b, '}');
}

void ack_page(struct buf *b, struct slice messages, bool more)
{
	buf_reserve(b, messages.n + 64);
	buf_adds(b, "{\"ok\":true,\"messages\":[");
	buf_add(b, messages.p, messages.n);
	buf_adds(b, "],\"hasMore\":");
	buf_adds(b, more ? "true}" : "false}");
}
