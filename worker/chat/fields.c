#include "worker/chat/fields.h"

#include <string.h>

#include "common/protocol/iso_time.h"
#include "common/protocol/json_out.h"

/* The end of the year 9999: further times cannot be written. */
#define TIME_MAX_MS 253402300799999LL

static const char *const code_names[] = {
	[ERR_NONE] = "",
	[ERR_INVALID_MATCH] = "INVALID_MATCH",
	[ERR_INVALID_PAYLOAD] = "INVALID_PAYLOAD",
	[ERR_MESSAGE_TOO_LARGE] = "MESSAGE_TOO_LARGE",
	[ERR_RATE_LIMITED] = "RATE_LIMITED",
	[ERR_SERVICE_UNAVAILABLE] = "SERVICE_UNAVAILABLE",
	[ERR_MESSAGE_SEND_FAILED] = "MESSAGE_SEND_FAILED",
};

const char *error_code_name(enum error_code code)
{
	return code_names[code];
}

static bool fail(struct field_error *err, enum error_code code, const char *text)
{
	*err = (struct field_error){ code, text, 0 };
	return false;
}

static bool invalid(struct field_error *err, const char *text)
{
	return fail(err, ERR_INVALID_PAYLOAD, text);
}

/* Optional members: null counts as absent, as JavaScript apps send it. */
static json_t *member(json_t *payload, const char *key)
{
	json_t *v = json_object_get(payload, key);

	return json_is_null(v) ? NULL : v;
}

static bool has_nul(const json_t *s)
{
	return memchr(json_string_value(s), '\0', json_string_length(s)) != NULL;
}

/* As whoever wrote it has it: U+FFFD stands where half of a surrogate pair was,
 * and nobody would find the text again. 1 to max bytes, no NUL. */
static bool exact_text(const json_t *s, size_t max)
{
	return json_is_string(s) && json_string_length(s) != 0 &&
	       json_string_length(s) <= max && !has_nul(s) &&
	       strstr(json_string_value(s), "\xef\xbf\xbd") == NULL;
}

/* Ids take part in Redis keys and log lines: no control characters. */
static bool id_ok(const json_t *s)
{
	const char *p = json_string_value(s);
	size_t n = json_string_length(s);

	if (!exact_text(s, PW_ID_MAX))
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
			return false;
	return true;
}

static bool get_match_id(json_t *payload, const char **out,
			 struct field_error *err)
{
	json_t *v;

	if (!json_is_object(payload))
		return invalid(err, "payload must be an object");
	v = member(payload, "matchId");
	if (v == NULL)
		return invalid(err, "matchId is missing");
	if (!json_is_string(v))
		return invalid(err, "matchId must be a string");
	if (!id_ok(v))
		return invalid(err, "matchId must be 1 to 128 bytes of well-formed text without control characters");
	*out = json_string_value(v);
	return true;
}

bool fields_temp_id(json_t *payload, struct buf *out, struct field_error *err)
{
	json_t *v;

	if (!json_is_object(payload))
		return true;
	v = member(payload, "tempId");
	if (v == NULL)
		return true;
	if (json_is_integer(v)) {
		json_int_t n = json_integer_value(v);

		if (n > SAFE_INTEGER_MAX || n < -SAFE_INTEGER_MAX)
			return invalid(err, "tempId must be a safe integer");
		json_out_int(out, n);
		return true;
	}
	if (!exact_text(v, TEMP_ID_MAX))
		return invalid(err, "tempId must be a well-formed string of 1 to 128 bytes or a safe integer");
	json_out_str(out, json_string_value(v), json_string_length(v));
	return true;
}

static bool get_type(json_t *payload, enum message_type *out,
		     struct field_error *err)
{
	json_t *v = member(payload, "type");

	*out = MSG_TEXT;
	if (v == NULL)
		return true;
	if (!json_is_string(v) ||
	    message_type_parse((struct slice){ json_string_value(v),
					       json_string_length(v) },
			       out) != 0)
		return invalid(err, "type must be text, image, voice or video");
	return true;
}

static bool get_media_url(json_t *payload, const char **out,
			  struct field_error *err)
{
	json_t *v = member(payload, "mediaUrl");

	*out = NULL;
	if (v == NULL)
		return true;
	if (!exact_text(v, MEDIA_URL_MAX))
		return invalid(err, "mediaUrl must be a well-formed string of 1 to 2048 bytes");
	*out = json_string_value(v);
	return true;
}

static bool get_content(json_t *payload, size_t max, struct slice *out,
			struct field_error *err)
{
	json_t *v = member(payload, "content");

	if (v == NULL)
		return invalid(err, "content is missing");
	if (!json_is_string(v))
		return invalid(err, "content must be a string");
	if (json_string_length(v) > max)
		return fail(err, ERR_MESSAGE_TOO_LARGE, "content is too long");
	if (has_nul(v))
		return invalid(err, "content must not contain the NUL character");
	*out = (struct slice){ json_string_value(v), json_string_length(v) };
	return true;
}

bool fields_send(json_t *payload, size_t content_max, struct send_fields *out,
		 struct field_error *err)
{
	struct send_fields f;

	if (!get_match_id(payload, &f.match_id, err) ||
	    !get_content(payload, content_max, &f.content, err) ||
	    !get_type(payload, &f.type, err) ||
	    !get_media_url(payload, &f.media_url, err))
		return false;
	if (f.content.n == 0 && f.media_url == NULL)
		return invalid(err, "content must not be empty without a mediaUrl");
	*out = f;
	return true;
}

bool fields_typing(json_t *payload, struct typing_fields *out,
		   struct field_error *err)
{
	struct typing_fields f;
	json_t *v;

	if (!get_match_id(payload, &f.match_id, err))
		return false;
	v = member(payload, "isTyping");
	if (!json_is_boolean(v))
		return invalid(err, "isTyping must be true or false");
	f.typing = json_is_true(v);
	*out = f;
	return true;
}

static bool seen_before(const struct read_fields *f, const char *id)
{
	for (size_t i = 0; i < f->n; i++)
		if (memcmp(f->ids[i], id, MESSAGE_ID_LEN) == 0)
			return true;
	return false;
}

static bool get_ids(json_t *payload, struct read_fields *out,
		    struct field_error *err)
{
	json_t *ids = member(payload, "messageIds"), *v;
	size_t i;

	if (!json_is_array(ids) || json_array_size(ids) == 0)
		return invalid(err, "messageIds must be a non-empty array");
	if (json_array_size(ids) > READ_IDS_MAX)
		return invalid(err, "messageIds must not hold more than 500 ids");
	out->n = 0;
	json_array_foreach(ids, i, v) {
		struct slice id = { json_string_value(v), json_string_length(v) };

		if (!json_is_string(v) || !message_id_valid(id))
			return invalid(err, "messageIds must hold message ids");
		if (seen_before(out, id.p))
			continue;
		memcpy(out->ids[out->n], id.p, MESSAGE_ID_LEN);
		out->ids[out->n][MESSAGE_ID_LEN] = '\0';
		out->n++;
	}
	return true;
}

bool fields_read(json_t *payload, struct read_fields *out,
		 struct field_error *err)
{
	return get_match_id(payload, &out->match_id, err) &&
	       get_ids(payload, out, err);
}

bool fields_received(json_t *payload, struct read_fields *out,
		     struct field_error *err)
{
	out->match_id = NULL;
	return get_ids(payload, out, err);
}

static bool listed(const struct status_fields *f, const char *id)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->ids[i], id) == 0)
			return true;
	return false;
}

bool fields_status(json_t *payload, struct status_fields *out,
		   struct field_error *err)
{
	json_t *ids, *v;
	size_t i;

	if (!json_is_object(payload))
		return invalid(err, "payload must be an object");
	ids = member(payload, "userIds");
	if (!json_is_array(ids) || json_array_size(ids) == 0)
		return invalid(err, "userIds must be a non-empty array");
	if (json_array_size(ids) > STATUS_IDS_MAX)
		return invalid(err, "userIds must not hold more than 100 ids");
	out->n = 0;
	json_array_foreach(ids, i, v) {
		if (!id_ok(v))
			return invalid(err, "userIds must hold user ids");
		if (!listed(out, json_string_value(v)))
			out->ids[out->n++] = json_string_value(v);
	}
	return true;
}

/* A message's id, an ISO time, or milliseconds. Left open when absent. */
static bool get_bound(json_t *payload, const char *key, struct store_bound *out,
		      struct field_error *err)
{
	json_t *v = member(payload, key);
	struct slice s = { json_string_value(v), json_string_length(v) };

	*out = (struct store_bound){ 0 };
	if (v == NULL)
		return true;
	if (json_is_string(v) && message_id_valid(s)) {
		memcpy(out->id, s.p, MESSAGE_ID_LEN);
		return true;
	}
	if (json_is_integer(v) && json_integer_value(v) >= 0 &&
	    json_integer_value(v) <= TIME_MAX_MS)
		out->at_ms = json_integer_value(v);
	else if (!json_is_string(v) || iso_time_parse(s, &out->at_ms) != 0)
		return invalid(err, "before and after must be a message id, an ISO 8601 time or milliseconds");
	if (out->at_ms <= 0)	/* 0 would be open */
		out->at_ms = 1;
	return true;
}

static bool get_limit(json_t *payload, unsigned *out, struct field_error *err)
{
	json_t *v = member(payload, "limit");

	*out = SYNC_LIMIT_DEFAULT;
	if (v == NULL)
		return true;
	if (!json_is_integer(v) || json_integer_value(v) < 1 ||
	    json_integer_value(v) > SYNC_LIMIT_MAX)
		return invalid(err, "limit must be an integer from 1 to 100");
	*out = (unsigned)json_integer_value(v);
	return true;
}

static bool is_set(const struct store_bound *b)
{
	return b->at_ms != 0 || b->id[0] != '\0';
}

bool fields_sync(json_t *payload, struct sync_fields *out,
		 struct field_error *err)
{
	struct sync_fields f = { 0 };

	if (!json_is_object(payload))
		return invalid(err, "payload must be an object");
	if (member(payload, "matchId") != NULL &&
	    !get_match_id(payload, &f.match_id, err))
		return false;
	if (!get_bound(payload, "before", &f.before, err) ||
	    !get_bound(payload, "after", &f.after, err) ||
	    !get_limit(payload, &f.limit, err))
		return false;
	if (f.match_id == NULL && !is_set(&f.after))
		return invalid(err, "matchId, or after, is needed");
	if (f.match_id == NULL && is_set(&f.before))
		return invalid(err, "before needs a matchId");
	*out = f;
	return true;
}
