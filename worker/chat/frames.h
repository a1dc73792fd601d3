/* The events to clients, as whole text frames ("42[…]") appended to a buf, and
 * the insides of acknowledgements. Pure. (design 3.1) */
#ifndef PW_FRAMES_H
#define PW_FRAMES_H

#include "worker/chat/fields.h"

/* Inside of a message's braces. with_temp_id: for the sender's devices. */
void message_members(struct buf *b, const struct message *m, bool with_temp_id);
void frame_message_new(struct buf *b, const struct message *m, bool with_temp_id);
/* temp_id: JSON text or NULL. */
void frame_message_sent(struct buf *b, const char *id, const char *temp_id,
			int64_t sent_at_ms);
void frame_message_delivered(struct buf *b, const char *id, int64_t at_ms);
void frame_message_read(struct buf *b, const char *match_id,
			const struct message *rows, size_t n, int64_t at_ms,
			const char *read_by);
void frame_user_typing(struct buf *b, const char *match_id, const char *user_id,
		       bool typing);
void frame_user_status(struct buf *b, const char *user_id, bool online,
		       int64_t at_ms);
void frame_session_ready(struct buf *b, const char *user_id, int64_t at_ms);
void frame_error(struct buf *b, const struct field_error *e, const char *temp_id);

/* {"ok":true,…} / {"ok":false,"code":…,"message":…} */
void ack_ok(struct buf *b);
void ack_message_sent(struct buf *b, const char *id, const char *temp_id,
		      int64_t sent_at_ms);
void ack_message_read(struct buf *b, const struct message *rows, size_t n,
		      int64_t at_ms);
void ack_error(struct buf *b, const struct field_error *e, const char *temp_id);

#endif
