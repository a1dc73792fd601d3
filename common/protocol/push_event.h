/* The push event: JSON {v, userId, type, data, queuedAt, expiresAt}. Only userId
 * and type are needed: any service of the app may queue its own. Pure. */
#ifndef PW_PUSH_EVENT_H
#define PW_PUSH_EVENT_H

#include <jansson.h>

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
/* What was read on one device, for the notifications on the others (push_take_back).
 * ids: message ids, 1 to PUSH_READ_IDS; data.messageIds is an array. */
#define PUSH_READ_IDS 500
#define PUSH_TYPE_READ "message_read"
struct push_event_read {
	const char *user_id;		/* who read */
	const char *match_id;
	const char *const *ids;
	size_t n;
	int64_t queued_at_ms;
	int64_t expires_at_ms;
};
void push_event_read(struct buf *out, const struct push_event_read *r);

/* An event as the consumer has it. */
#define PUSH_EVENT_MAX 65536	/* bytes of JSON */
#define PUSH_TYPE_MAX 64
#define PUSH_KEY_MAX 128
struct push_event {
	char *user_id;		/* 1 to 128 bytes */
	char *type;		/* 1 to PUSH_TYPE_MAX bytes */
	json_t *data;		/* an object, perhaps empty */
	char key[PUSH_KEY_MAX + 1];	/* names the notification, so that a repeat
				 * is known: data.messageId, else the event's own
				 * "id"; "": neither, or longer than this */
	int64_t queued_at_ms;	/* 0: not said, as below */
	int64_t expires_at_ms;
};
/* 0, or -EBADMSG with a sentence in why that quotes nothing of the event's
 * data. Members not known, a later v and a time that does not parse are as if
 * not said; ids may be whole numbers (so written in key). Half a surrogate pair
 * is U+FFFD. Nothing to clear after an error. */
int push_event_parse(struct slice json, struct push_event *out, char why[128])
	MUST_CHECK;
void push_event_clear(struct push_event *e);

/* First max characters (code points) of valid UTF-8, as bytes. */
size_t utf8_prefix(struct slice text, size_t max_chars);

#endif
