#include "common/protocol/push_event.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/protocol/iso_time.h"

#define SAFE_INT 9007199254740991.0	/* what JavaScript counts up to */

static int refuse(char why[128], const char *what)
{
	snprintf(why, 128, "%s", what);
	return -EBADMSG;
}

/* The code unit that a \u escape at p stands for; 0: there is none. */
static unsigned escaped_unit(const char *p, const char *end)
{
	unsigned v = 0;

	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return 0;
	for (int i = 2; i < 6; i++) {
		unsigned char c = (unsigned char)p[i] | 0x20;

		if (p[i] >= '0' && p[i] <= '9')
			v = v * 16 + (unsigned)(p[i] - '0');
		else if (c >= 'a' && c <= 'f')
			v = v * 16 + (unsigned)(c - 'a' + 10);
		else
			return 0;
	}
	return v;
}

/* A service in JavaScript that cuts a text in the midst of an emoji writes half
 * a surrogate pair, which jansson refuses (RFC 8259, 8.2 leaves it open). Such
 * a half becomes U+FFFD. */
static void mend_surrogates(char *p, char *end)
{
	while (p < end) {
		unsigned first = escaped_unit(p, end), second;

		if (*p != '\\') {
			p++;
			continue;
		}
		if (first < 0xd800 || first > 0xdfff) {
			p += 2;		/* another escape: \\ above all */
			continue;
		}
		second = escaped_unit(p + 6, end);
		if (first < 0xdc00 && second >= 0xdc00 && second <= 0xdfff) {
			p += 12;
			continue;
		}
		memcpy(p, "\\ufffd", 6);
		p += 6;
	}
}

static json_t *load(struct slice json)
{
	json_t *root = json_loadb(json.p, json.n, JSON_ALLOW_NUL, NULL);
	char *copy;

	if (root != NULL)
		return root;
	/* numbers beyond 64 bits, too, are no reason to tell nothing */
	copy = mem_strndup(json.p, json.n);
	mend_surrogates(copy, copy + json.n);
	root = json_loadb(copy, json.n,
			  JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
	free(copy);
	return root;
}

/* NULL unless it is a string of 1 to max bytes without a NUL. */
static const char *string_of(const json_t *v, size_t max)
{
	size_t n = json_string_length(v);

	if (!json_is_string(v) || n == 0 || n > max ||
	    memchr(json_string_value(v), '\0', n) != NULL)
		return NULL;
	return json_string_value(v);
}

/* An id, which other services may have as a number. */
static bool id_of(const json_t *v, char out[PUSH_KEY_MAX + 1])
{
	const char *s = string_of(v, PUSH_KEY_MAX);
	double d = json_number_value(v);

	if (s != NULL)
		snprintf(out, PUSH_KEY_MAX + 1, "%s", s);
	else if (json_is_integer(v))
		snprintf(out, PUSH_KEY_MAX + 1, "%lld",
			 (long long)json_integer_value(v));
	else if (json_is_real(v) && d == floor(d) && fabs(d) <= SAFE_INT)
		snprintf(out, PUSH_KEY_MAX + 1, "%.0f", d);
	else
		return false;
	return true;
}

static int64_t time_of(const json_t *v)
{
	struct slice text = { json_string_value(v), json_string_length(v) };
	int64_t ms = 0;

	if (text.p == NULL || iso_time_parse(text, &ms) != 0)
		return 0;
	return ms > 0 ? ms : 0;
}

static int take(const json_t *root, struct push_event *out, char why[128])
{
	json_t *data = json_object_get(root, "data");
	const char *user = string_of(json_object_get(root, "userId"), PW_ID_MAX);
	const char *type = string_of(json_object_get(root, "type"),
				     PUSH_TYPE_MAX);

	if (user == NULL)
		return refuse(why, "userId is not a string of 1 to 128 bytes");
	if (type == NULL)
		return refuse(why, "type is not a string of 1 to 64 bytes");
	if (data != NULL && !json_is_object(data) && !json_is_null(data))
		return refuse(why, "data is not an object");
	*out = (struct push_event){
		.user_id = mem_strdup(user),
		.type = mem_strdup(type),
		.data = json_is_object(data) ? json_incref(data) : json_object(),
		.queued_at_ms = time_of(json_object_get(root, "queuedAt")),
		.expires_at_ms = time_of(json_object_get(root, "expiresAt")),
	};
	if (!id_of(json_object_get(data, "messageId"), out->key) &&
	    !id_of(json_object_get(root, "id"), out->key))
		out->key[0] = '\0';
	return 0;
}

int push_event_parse(struct slice json, struct push_event *out, char why[128])
{
	json_t *root;
	int rc;

	if (json.n > PUSH_EVENT_MAX)
		return refuse(why, "the event is larger than 65536 bytes");
	root = json.n > 0 ? load(json) : NULL;
	if (json_is_object(root))
		rc = take(root, out, why);
	else if (root == NULL)
		rc = refuse(why, "the event is not JSON");
	else
		rc = refuse(why, "the event is not a JSON object");
	json_decref(root);
	return rc;
}

void push_event_clear(struct push_event *e)
{
	free(e->user_id);
	free(e->type);
	json_decref(e->data);
	*e = (struct push_event){ 0 };
}
