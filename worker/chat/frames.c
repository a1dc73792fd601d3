#include "worker/chat/frames.h"

#include "common/protocol/json_out.h"

/* Literals of known length: the message path copies, it does not format. */
#define ADD(b, literal) buf_add((b), (literal), sizeof(literal) - 1)

static void member_id(struct buf *b, const char *id)
{
	buf_addc(b, '"');
	buf_add(b, id, MESSAGE_ID_LEN);	/* hex digits: nothing to escape */
	buf_addc(b, '"');
}

static void member_temp_id(struct buf *b, const char *temp_id)
{
	if (temp_id == NULL)
		return;
	ADD(b, ",\"tempId\":");
	buf_adds(b, temp_id);
}

static void id_array(struct buf *b, const struct message *rows, size_t n)
{
	buf_addc(b, '[');
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_addc(b, ',');
		member_id(b, rows[i].id);
	}
	buf_addc(b, ']');
}

void message_members(struct buf *b, const struct message *m, bool with_temp_id)
{
	ADD(b, "\"id\":");
	member_id(b, m->id);
	ADD(b, ",\"matchId\":");
	json_out_cstr(b, m->match_id);
	ADD(b, ",\"senderId\":");
	json_out_cstr(b, m->sender_id);
	ADD(b, ",\"content\":");
	json_out_str(b, m->content.p, m->content.n);
	ADD(b, ",\"type\":\"");
	buf_adds(b, message_type_name(m->type));
	buf_addc(b, '"');
	if (m->media_url != NULL) {
		ADD(b, ",\"mediaUrl\":");
		json_out_cstr(b, m->media_url);
	}
	ADD(b, ",\"sentAt\":");
	json_out_time(b, m->sent_at_ms);
	if (with_temp_id)
		member_temp_id(b, m->temp_id);
}

void frame_message_new(struct buf *b, const struct message *m, bool with_temp_id)
{
	buf_reserve(b, m->content.n + 320);
	ADD(b, "42[\"message:new\",{");
	message_members(b, m, with_temp_id);
	ADD(b, "}]");
}

static void sent_members(struct buf *b, const char *id, const char *temp_id,
			 int64_t sent_at_ms)
{
	ADD(b, "\"messageId\":");
	member_id(b, id);
	member_temp_id(b, temp_id);
	ADD(b, ",\"sentAt\":");
	json_out_time(b, sent_at_ms);
}

void frame_message_sent(struct buf *b, const char *id, const char *temp_id,
			int64_t sent_at_ms)
{
	ADD(b, "42[\"message:sent\",{");
	sent_members(b, id, temp_id, sent_at_ms);
	ADD(b, "}]");
}

void frame_message_delivered(struct buf *b, const char *id, int64_t at_ms)
{
	ADD(b, "42[\"message:delivered\",{\"messageId\":");
	member_id(b, id);
	ADD(b, ",\"deliveredAt\":");
	json_out_time(b, at_ms);
	ADD(b, "}]");
}

void frame_message_read(struct buf *b, const char *match_id,
			const struct message *rows, size_t n, int64_t at_ms,
			const char *read_by)
{
	ADD(b, "42[\"message:read\",{\"matchId\":");
	json_out_cstr(b, match_id);
	ADD(b, ",\"messageIds\":");
	id_array(b, rows, n);
	ADD(b, ",\"readAt\":");
	json_out_time(b, at_ms);
	ADD(b, ",\"readBy\":");
	json_out_cstr(b, read_by);
	ADD(b, "}]");
}

void frame_user_typing(struct buf *b, const char *match_id, const char *user_id,
		       bool typing)
{
	ADD(b, "42[\"user:typing\",{\"matchId\":");
	json_out_cstr(b, match_id);
	ADD(b, ",\"userId\":");
	json_out_cstr(b, user_id);
	ADD(b, ",\"isTyping\":");
	buf_adds(b, typing ? "true" : "false");
	ADD(b, "}]");
}

void frame_user_status(struct buf *b, const char *user_id, bool online,
		       int64_t at_ms)
{
	ADD(b, "42[\"user:status\",{\"userId\":");
	json_out_cstr(b, user_id);
	ADD(b, ",\"online\":");
	buf_adds(b, online ? "true" : "false");
	ADD(b, ",\"timestamp\":");
	json_out_time(b, at_ms);
	ADD(b, "}]");
}

void frame_session_ready(struct buf *b, const char *user_id, int64_t at_ms)
{
	ADD(b, "42[\"session:ready\",{\"userId\":");
	json_out_cstr(b, user_id);
	ADD(b, ",\"serverTime\":");
	json_out_time(b, at_ms);
	ADD(b, "}]");
}

static void error_members(struct buf *b, const struct field_error *e,
			  const char *temp_id)
{
	ADD(b, "\"code\":");
	json_out_cstr(b, error_code_name(e->code));
	ADD(b, ",\"message\":");
	json_out_cstr(b, e->text);
	if (e->retry_ms != 0) {
		ADD(b, ",\"retryAfter\":");
		json_out_int(b, e->retry_ms);
	}
	member_temp_id(b, temp_id);
}

void frame_error(struct buf *b, const struct field_error *e, const char *temp_id)
{
	ADD(b, "42[\"error\",{");
	error_members(b, e, temp_id);
	ADD(b, "}]");
}

void ack_ok(struct buf *b)
{
	ADD(b, "{\"ok\":true}");
}

void ack_message_sent(struct buf *b, const char *id, const char *temp_id,
		      int64_t sent_at_ms)
{
	ADD(b, "{\"ok\":true,");
	sent_members(b, id, temp_id, sent_at_ms);
	buf_addc(b, '}');
}

void ack_message_read(struct buf *b, const struct message *rows, size_t n,
		      int64_t at_ms)
{
	ADD(b, "{\"ok\":true,\"messageIds\":");
	id_array(b, rows, n);
	ADD(b, ",\"readAt\":");
	json_out_time(b, at_ms);
	buf_addc(b, '}');
}

void ack_error(struct buf *b, const struct field_error *e, const char *temp_id)
{
	ADD(b, "{\"ok\":false,");
	error_members(b, e, temp_id);
	buf_addc(b, '}');
}
