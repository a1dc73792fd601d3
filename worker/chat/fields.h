/* Reading the fields of a client's event, with an error text a developer can
 * act on. Pure: JSON in, values out. Borrowed strings point into the JSON. */
#ifndef PW_FIELDS_H
#define PW_FIELDS_H

#include <jansson.h>

#include "common/base/buf.h"
#include "common/store/message_store.h"

enum error_code {
	ERR_NONE = 0,
	ERR_INVALID_MATCH,
	ERR_INVALID_PAYLOAD,
	ERR_MESSAGE_TOO_LARGE,
	ERR_RATE_LIMITED,
	ERR_SERVICE_UNAVAILABLE,
	ERR_MESSAGE_SEND_FAILED,
};
/* "INVALID_MATCH" … (design 3.1) */
const char *error_code_name(enum error_code code);

/* What is wrong with an event, for the client. */
struct field_error {
	enum error_code code;
	const char *text;	/* static */
	unsigned retry_ms;	/* worth a new try after this; 0: not said */
};

#define MEDIA_URL_MAX 2048
#define TEMP_ID_MAX 128
#define READ_IDS_MAX 500
#define STATUS_IDS_MAX 100
#define SYNC_LIMIT_MAX 100
#define SYNC_LIMIT_DEFAULT 50
#define SAFE_INTEGER_MAX 9007199254740991LL	/* 2^53 - 1, as JavaScript's */

struct send_fields {
	const char *match_id;
	struct slice content;
	enum message_type type;
	const char *media_url;	/* NULL: none */
};
struct typing_fields {
	const char *match_id;
	bool typing;
};
struct read_fields {
	const char *match_id;
	size_t n;
	char ids[READ_IDS_MAX][MESSAGE_ID_LEN + 1];	/* without repeats */
};
struct status_fields {
	size_t n;
	const char *ids[STATUS_IDS_MAX];	/* without repeats */
};
struct sync_fields {
	const char *match_id;	/* NULL: of all matches, and after is set */
	struct store_bound before, after;
	unsigned limit;
};

/* The tempId member as JSON text appended to *out, so that it can be echoed as
 * it was sent. Nothing is appended when it is absent or null. */
bool fields_temp_id(json_t *payload, struct buf *out, struct field_error *err);
bool fields_send(json_t *payload, size_t content_max, struct send_fields *out,
		 struct field_error *err);
bool fields_typing(json_t *payload, struct typing_fields *out,
		   struct field_error *err);
bool fields_read(json_t *payload, struct read_fields *out,
		 struct field_error *err);
/* The messageIds alone, match_id is not set. */
bool fields_received(json_t *payload, struct read_fields *out,
		     struct field_error *err);
bool fields_status(json_t *payload, struct status_fields *out,
		   struct field_error *err);
bool fields_sync(json_t *payload, struct sync_fields *out,
		 struct field_error *err);

#endif
