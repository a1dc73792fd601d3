/* What presence:get and message:sync answer, as JSON text appended to a buf.
 * Pure. (design 3.1) */
#ifndef PW_ANSWERS_H
#define PW_ANSWERS_H

#include "worker/chat/frames.h"

struct status {
	const char *user_id;
	bool online;
	int64_t seen_ms;	/* 0: never */
};
void ack_statuses(struct buf *b, const struct status *v, size_t n);

/* One message of a page, for me: with what became of it, and with the tempId of
 * my own. */
void page_message(struct buf *b, const struct message *m, const char *me);
/* messages: of them, separated by commas. */
void ack_page(struct buf *b, struct slice messages, bool more);

#endif
