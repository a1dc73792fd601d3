/* The push event: JSON {v, userId, type, data, queuedAt, expiresAt}; data as in
 * the reference. Pure. */
#ifndef PW_PUSH_EVENT_H
#define PW_PUSH_EVENT_H

#include "common/base/buf.h"

#define PUSH_EVENT_VERSION 1
#define PUSH_CONTENT_CHARS 100

struct push_event_message {
	const char *user_id;		/* whose devices */
	const char *match_id;
	const char *sender_id;
	const char *sender_name;	/* NULL: "Someone" */
	struct slice content;		/* cut to PUSH_CONTENT_CHARS here */
	const char *message_id;
	int64_t queued_at_ms;
	int64_t expires_at_ms;
};

void push_event_new_message(struct buf *out, const struct push_event_message *m);
/* First max characters (code points) of valid UTF-8, as bytes. */
size_t utf8_prefix(struct slice text, size_t max_chars);

#endif
