#include "common/protocol/push_event.h"

#include "common/protocol/json_out.h"

size_t utf8_prefix(struct slice text, size_t max_chars)
{
	size_t chars = 0;

	for (size_t i = 0; i < text.n; i++) {
		/* every byte but a continuation begins a character */
		if (((unsigned char)text.p[i] & 0xc0) != 0x80 &&
		    chars++ == max_chars)
			return i;
	}
	return text.n;
}

static void member(struct buf *out, const char *key, const char *value)
{
	buf_adds(out, key);
	json_out_cstr(out, value);
}

/* And the end of the event. */
static void times(struct buf *out, int64_t queued_at_ms, int64_t expires_at_ms)
{
	buf_adds(out, ",\"queuedAt\":");
	json_out_time(out, queued_at_ms);
	buf_adds(out, ",\"expiresAt\":");
	json_out_time(out, expires_at_ms);
	buf_addc(out, '}');
}

void push_event_new_message(struct buf *out, const struct push_event_message *m)
{
	buf_adds(out, "{\"v\":");
	json_out_int(out, PUSH_EVENT_VERSION);
	member(out, ",\"userId\":", m->user_id);
	buf_adds(out, ",\"type\":\"new_message\"");
	member(out, ",\"data\":{\"matchId\":", m->match_id);
	member(out, ",\"senderId\":", m->sender_id);
	member(out, ",\"senderName\":",
	       m->sender_name != NULL ? m->sender_name : "Someone");
	buf_adds(out, ",\"content\":");
	json_out_str(out, m->content.p,
		     utf8_prefix(m->content, PUSH_CONTENT_CHARS));
	member(out, ",\"messageId\":", m->message_id);
	buf_addc(out, '}');
	times(out, m->queued_at_ms, m->expires_at_ms);
}

void push_event_read(struct buf *out, const struct push_event_read *r)
{
	buf_adds(out, "{\"v\":");
	json_out_int(out, PUSH_EVENT_VERSION);
	member(out, ",\"userId\":", r->user_id);
	member(out, ",\"type\":", PUSH_TYPE_READ);
	member(out, ",\"data\":{\"matchId\":", r->match_id);
	for (size_t i = 0; i < r->n; i++)
		member(out, i == 0 ? ",\"messageIds\":[" : ",", r->ids[i]);
	buf_adds(out, "]}");
	times(out, r->queued_at_ms, r->expires_at_ms);
}
