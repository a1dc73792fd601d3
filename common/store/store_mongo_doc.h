/* A message as a MongoDB document (design 3.3, M1): pure mapping, no client.
 *
 * { _id: ObjectId, matchId, senderId, recipientId, content, type, mediaUrl,
 *   tempId: string | int64, sentAt: date, deliveredAt: date | null,
 *   readAt: date | null, pos: int64, src, owe: int64, chg: int64 }
 *
 * Times that are not set are written as null, so that {deliveredAt: null}
 * finds them by index in MongoDB and in what speaks its protocol. */
#ifndef PW_STORE_MONGO_DOC_H
#define PW_STORE_MONGO_DOC_H

#include <bson/bson.h>

#include "common/store/message.h"

/* Initialises *out, bson_destroy() it. -EINVAL: the id or temp_id is not what
 * message.h says, or text is not UTF-8; *out untouched. */
int mongo_doc_write(const struct message *m, bson_t *out) MUST_CHECK;

struct mongo_row {
	struct message m;	/* strings borrowed from the document */
	char *temp_id;		/* owned; m.temp_id */
};
/* Fields that are missing or of another type read as empty, 0 or NULL: old
 * rows have no pos. -EINVAL: _id is no ObjectId. Then, or after
 * mongo_row_free(), *out owns nothing. */
int mongo_doc_read(const bson_t *doc, struct mongo_row *out) MUST_CHECK;
void mongo_row_free(struct mongo_row *r);

#endif
