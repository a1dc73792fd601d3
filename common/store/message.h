/* A message as it is stored (design 3.2a, M1). */
#ifndef PW_MESSAGE_H
#define PW_MESSAGE_H

#include "common/base/base.h"

#define MESSAGE_ID_LEN 24

enum message_type { MSG_TEXT, MSG_IMAGE, MSG_VOICE, MSG_VIDEO };
#define MESSAGE_TYPES 4
/* "text", "image", "voice", "video" */
const char *message_type_name(enum message_type t);
/* 0 or -EINVAL */
int message_type_parse(struct slice name, enum message_type *out) MUST_CHECK;

struct message {
	char id[MESSAGE_ID_LEN + 1];	/* lower-case hex of 12 bytes */
	const char *match_id;
	const char *sender_id;
	const char *recipient_id;
	struct slice content;		/* valid UTF-8 without NUL */
	enum message_type type;
	const char *media_url;		/* NULL: none */
	const char *temp_id;		/* its JSON text ("\"a1\"" or "17"), as the
					 * client sent it; NULL: none */
	int64_t sent_at_ms;		/* cluster time */
	int64_t pos;			/* µs, cluster_pos_at(sent_at_ms): rising
					 * within a stream (sender, match, src) */
	const char *src;		/* "host:boot:instance" that accepted it,
					 * with ".1", ".2" … behind (chat/src.h) */
	int64_t owe;			/* µs when a push falls due; 0: none owed */
	int64_t chg;			/* = pos; raised by receipts */
	int64_t delivered_at_ms;	/* 0: not yet */
	int64_t read_at_ms;		/* 0: not yet */
};

/* The id of (sender, match, tempId): the first 12 bytes of the SHA-256 over
 * the three with their lengths; random when temp_id is NULL. (M1) */
void message_id_make(const char *sender_id, const char *match_id,
		     const char *temp_id, char out[MESSAGE_ID_LEN + 1]);
bool message_id_valid(struct slice id);

/* One allocation with all strings inside; free() it. */
struct message *message_dup(const struct message *m);
/* Same content, type, media and recipient: a resend, not a clash (contract 2). */
bool message_same(const struct message *a, const struct message *b);

#endif
