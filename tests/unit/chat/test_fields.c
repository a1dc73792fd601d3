#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/chat/fields.h"

#define ID24 "0123456789abcdef01234567"

static json_t *load(const char *text)
{
	json_error_t e;
	json_t *j = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);

	cr_assert_not_null(j, "%s: %s", text, e.text);
	return j;
}

static const struct {
	const char *json;
	enum error_code code;	/* ERR_NONE: accepted */
	const char *says;	/* part of the error */
} sends[] = {
	{ "{\"matchId\":\"m\",\"content\":\"hi\"}", ERR_NONE, NULL },
	{ "{\"matchId\":\"m\",\"content\":\"hi\",\"type\":null,\"mediaUrl\":null}", ERR_NONE, NULL },
	{ "{\"matchId\":\"m\",\"content\":\"\",\"type\":\"image\",\"mediaUrl\":\"u\"}", ERR_NONE, NULL },
	{ "{\"matchId\":\"m\",\"content\":\"12345678\"}", ERR_NONE, NULL },
	{ "{\"matchId\":\"m\",\"content\":\"123456789\"}", ERR_MESSAGE_TOO_LARGE, "too long" },
	{ "null", ERR_INVALID_PAYLOAD, "object" },
	{ "17", ERR_INVALID_PAYLOAD, "object" },
	{ "[]", ERR_INVALID_PAYLOAD, "object" },
	{ "\"text\"", ERR_INVALID_PAYLOAD, "object" },
	{ "{}", ERR_INVALID_PAYLOAD, "matchId is missing" },
	{ "{\"matchId\":1,\"content\":\"hi\"}", ERR_INVALID_PAYLOAD, "matchId must be a string" },
	{ "{\"matchId\":\"\",\"content\":\"hi\"}", ERR_INVALID_PAYLOAD, "matchId" },
	{ "{\"matchId\":\"a\\u0000b\",\"content\":\"hi\"}", ERR_INVALID_PAYLOAD, "matchId" },
	{ "{\"matchId\":\"a\\nb\",\"content\":\"hi\"}", ERR_INVALID_PAYLOAD, "matchId" },
	{ "{\"matchId\":\"a\xef\xbf\xbd\",\"content\":\"hi\"}", ERR_INVALID_PAYLOAD, "matchId" },
	{ "{\"matchId\":\"m\",\"content\":\"hi\",\"mediaUrl\":\"a\xef\xbf\xbd\"}", ERR_INVALID_PAYLOAD, "mediaUrl" },
	{ "{\"matchId\":\"m\",\"content\":\"a\xef\xbf\xbd\"}", ERR_NONE, NULL },
	{ "{\"matchId\":\"m\"}", ERR_INVALID_PAYLOAD, "content is missing" },
	{ "{\"matchId\":\"m\",\"content\":null}", ERR_INVALID_PAYLOAD, "content is missing" },
	{ "{\"matchId\":\"m\",\"content\":5}", ERR_INVALID_PAYLOAD, "content must be a string" },
	{ "{\"matchId\":\"m\",\"content\":\"\"}", ERR_INVALID_PAYLOAD, "empty" },
	{ "{\"matchId\":\"m\",\"content\":\"a\\u0000\"}", ERR_INVALID_PAYLOAD, "NUL" },
	{ "{\"matchId\":\"m\",\"content\":\"hi\",\"type\":\"gif\"}", ERR_INVALID_PAYLOAD, "type" },
	{ "{\"matchId\":\"m\",\"content\":\"hi\",\"type\":1}", ERR_INVALID_PAYLOAD, "type" },
	{ "{\"matchId\":\"m\",\"content\":\"hi\",\"mediaUrl\":\"\"}", ERR_INVALID_PAYLOAD, "mediaUrl" },
	{ "{\"matchId\":\"m\",\"content\":\"hi\",\"mediaUrl\":{}}", ERR_INVALID_PAYLOAD, "mediaUrl" },
};

Test(fields, send_table)
{
	for (size_t i = 0; i < ARRAY_SIZE(sends); i++) {
		json_t *j = load(sends[i].json);
		struct field_error err = { 0 };
		struct send_fields f;
		bool ok = fields_send(j, 8, &f, &err);

		cr_expect_eq(err.code, sends[i].code, "%s", sends[i].json);
		cr_expect_eq(ok, sends[i].code == ERR_NONE, "%s", sends[i].json);
		if (!ok)
			cr_expect(strstr(err.text, sends[i].says) != NULL,
				  "%s: %s", sends[i].json, err.text);
		json_decref(j);
	}
}

Test(fields, send_values)
{
	json_t *j = load("{\"matchId\":\"m1\",\"content\":\"h\\u00e9\",\"type\":\"voice\",\"mediaUrl\":\"http://x/y\"}");
	struct field_error err;
	struct send_fields f;

	cr_assert(fields_send(j, 100, &f, &err));
	cr_expect_str_eq(f.match_id, "m1");
	cr_expect_eq(f.content.n, 3);
	cr_expect_arr_eq(f.content.p, "h\xc3\xa9", 3);
	cr_expect_eq(f.type, MSG_VOICE);
	cr_expect_str_eq(f.media_url, "http://x/y");
	json_decref(j);
}

static const struct {
	const char *json;
	const char *text;	/* NULL: refused; "": none */
} temp_ids[] = {
	{ "{}", "" },
	{ "null", "" },
	{ "{\"tempId\":null}", "" },
	{ "{\"tempId\":\"a\\\"b\"}", "\"a\\\"b\"" },
	{ "{\"tempId\":17}", "17" },
	{ "{\"tempId\":-9007199254740991}", "-9007199254740991" },
	{ "{\"tempId\":9007199254740992}", NULL },
	{ "{\"tempId\":1.5}", NULL },
	{ "{\"tempId\":\"\"}", NULL },
	{ "{\"tempId\":\"a\\u0000\"}", NULL },
	{ "{\"tempId\":\"a\xef\xbf\xbd\"}", NULL },	/* was a broken surrogate */
	{ "{\"tempId\":\"a\xef\xbf\xbc\"}", "\"a\xef\xbf\xbc\"" },
	{ "{\"tempId\":true}", NULL },
	{ "{\"tempId\":[]}", NULL },
};

Test(fields, temp_id_table)
{
	for (size_t i = 0; i < ARRAY_SIZE(temp_ids); i++) {
		json_t *j = load(temp_ids[i].json);
		struct buf b = { 0 };
		struct field_error err;
		bool ok = fields_temp_id(j, &b, &err);

		cr_expect_eq(ok, temp_ids[i].text != NULL, "%s", temp_ids[i].json);
		if (ok)
			cr_expect_str_eq(buf_str(&b), temp_ids[i].text);
		buf_free(&b);
		json_decref(j);
	}
}

Test(fields, temp_id_length)
{
	char text[TEMP_ID_MAX + 2];
	struct field_error err;
	struct buf b = { 0 };
	json_t *j;

	memset(text, 'x', sizeof(text));
	text[TEMP_ID_MAX + 1] = '\0';
	j = json_pack("{s:s}", "tempId", text);
	cr_expect_not(fields_temp_id(j, &b, &err));
	json_decref(j);
	j = json_pack("{s:s}", "tempId", text + 1);
	cr_expect(fields_temp_id(j, &b, &err));
	json_decref(j);
	buf_free(&b);
}

static const struct {
	const char *json;
	bool ok;
} typings[] = {
	{ "{\"matchId\":\"m\",\"isTyping\":true}", true },
	{ "{\"matchId\":\"m\",\"isTyping\":false}", true },
	{ "{\"matchId\":\"m\",\"isTyping\":1}", false },
	{ "{\"matchId\":\"m\",\"isTyping\":\"true\"}", false },
	{ "{\"matchId\":\"m\"}", false },
	{ "{\"isTyping\":true}", false },
	{ "null", false },
};

Test(fields, typing_table)
{
	for (size_t i = 0; i < ARRAY_SIZE(typings); i++) {
		json_t *j = load(typings[i].json);
		struct typing_fields f;
		struct field_error err;

		cr_expect_eq(fields_typing(j, &f, &err), typings[i].ok, "%s",
			     typings[i].json);
		json_decref(j);
	}
}

static const struct {
	const char *json;
	int n;			/* -1: refused */
} reads[] = {
	{ "{\"matchId\":\"m\",\"messageIds\":[\"" ID24 "\"]}", 1 },
	{ "{\"matchId\":\"m\",\"messageIds\":[\"" ID24 "\",\"" ID24 "\"]}", 1 },
	{ "{\"matchId\":\"m\",\"messageIds\":[]}", -1 },
	{ "{\"matchId\":\"m\",\"messageIds\":\"" ID24 "\"}", -1 },
	{ "{\"matchId\":\"m\",\"messageIds\":[1]}", -1 },
	{ "{\"matchId\":\"m\",\"messageIds\":[null]}", -1 },
	{ "{\"matchId\":\"m\",\"messageIds\":[\"short\"]}", -1 },
	{ "{\"matchId\":\"m\",\"messageIds\":[\"0123456789ABCDEF01234567\"]}", -1 },
	{ "{\"matchId\":\"m\"}", -1 },
	{ "{\"messageIds\":[\"" ID24 "\"]}", -1 },
	{ "7", -1 },
};

Test(fields, read_table)
{
	static struct read_fields f;

	for (size_t i = 0; i < ARRAY_SIZE(reads); i++) {
		json_t *j = load(reads[i].json);
		struct field_error err;
		bool ok = fields_read(j, &f, &err);

		cr_expect_eq(ok, reads[i].n != -1, "%s", reads[i].json);
		if (ok)
			cr_expect_eq((int)f.n, reads[i].n);
		json_decref(j);
	}
}

Test(fields, read_at_most_500)
{
	static struct read_fields f;
	json_t *ids = json_array();
	json_t *j = json_pack("{s:s, s:o}", "matchId", "m", "messageIds", ids);
	struct field_error err;
	char id[MESSAGE_ID_LEN + 1];

	for (int i = 0; i < READ_IDS_MAX; i++) {
		snprintf(id, sizeof(id), "%024x", i);
		json_array_append_new(ids, json_string(id));
	}
	cr_expect(fields_read(j, &f, &err));
	cr_expect_eq(f.n, READ_IDS_MAX);
	cr_expect_str_eq(f.ids[499], "0000000000000000000001f3");
	json_array_append_new(ids, json_string(ID24));
	cr_expect_not(fields_read(j, &f, &err));
	json_decref(j);
}

static const struct {
	const char *json;
	int n;			/* -1: refused */
} statuses[] = {
	{ "{\"userIds\":[\"a\"]}", 1 },
	{ "{\"userIds\":[\"a\",\"b\",\"a\"]}", 2 },
	{ "{\"userIds\":[]}", -1 },
	{ "{\"userIds\":\"a\"}", -1 },
	{ "{\"userIds\":[1]}", -1 },
	{ "{\"userIds\":[\"a\",\"\"]}", -1 },
	{ "{\"userIds\":[\"a\\u0000\"]}", -1 },
	{ "{}", -1 },
	{ "null", -1 },
	{ "[\"a\"]", -1 },
};

Test(fields, status_table)
{
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		json_t *j = load(statuses[i].json);
		struct status_fields f;
		struct field_error err;
		bool ok = fields_status(j, &f, &err);

		cr_expect_eq(ok, statuses[i].n != -1, "%s", statuses[i].json);
		if (ok)
			cr_expect_eq((int)f.n, statuses[i].n);
		json_decref(j);
	}
}

Test(fields, status_of_at_most_100)
{
	json_t *ids = json_array();
	json_t *j = json_pack("{s:o}", "userIds", ids);
	struct status_fields f;
	struct field_error err;
	char id[8];

	for (int i = 0; i < STATUS_IDS_MAX; i++) {
		snprintf(id, sizeof(id), "u%d", i);
		json_array_append_new(ids, json_string(id));
	}
	cr_expect(fields_status(j, &f, &err));
	cr_expect_eq(f.n, STATUS_IDS_MAX);
	json_array_append_new(ids, json_string("u0"));
	cr_expect_not(fields_status(j, &f, &err));
	json_decref(j);
}

static const struct {
	const char *json;
	const char *says;	/* NULL: accepted */
	const char *match, *before, *after;	/* an id, or ms as text */
	unsigned limit;
} syncs[] = {
	{ "{\"matchId\":\"m\"}", NULL, "m", "0", "0", 50 },
	{ "{\"matchId\":\"m\",\"before\":null,\"limit\":null}", NULL, "m", "0", "0", 50 },
	{ "{\"matchId\":\"m\",\"limit\":1,\"before\":\"" ID24 "\"}", NULL, "m", ID24, "0", 1 },
	{ "{\"matchId\":\"m\",\"limit\":100,\"after\":\"" ID24 "\",\"before\":5}", NULL, "m", "5", ID24, 100 },
	{ "{\"after\":1767323045678}", NULL, NULL, "0", "1767323045678", 50 },
	{ "{\"after\":\"2026-01-02T03:04:05.678Z\"}", NULL, NULL, "0", "1767323045678", 50 },
	{ "{\"after\":0}", NULL, NULL, "0", "1", 50 },
	{ "{\"after\":\"1969-01-01T00:00Z\"}", NULL, NULL, "0", "1", 50 },
	{ "{\"after\":253402300799999}", NULL, NULL, "0", "253402300799999", 50 },
	{ "{}", "after", NULL, NULL, NULL, 0 },
	{ "{\"before\":5}", "after", NULL, NULL, NULL, 0 },
	{ "{\"before\":5,\"after\":1}", "before needs", NULL, NULL, NULL, 0 },
	{ "{\"matchId\":7,\"after\":1}", "matchId", NULL, NULL, NULL, 0 },
	{ "{\"matchId\":\"\"}", "matchId", NULL, NULL, NULL, 0 },
	{ "{\"after\":-1}", "before and after", NULL, NULL, NULL, 0 },
	{ "{\"after\":1.5}", "before and after", NULL, NULL, NULL, 0 },
	{ "{\"after\":253402300800000}", "before and after", NULL, NULL, NULL, 0 },
	{ "{\"after\":\"0123456789ABCDEF01234567\"}", "before and after", NULL, NULL, NULL, 0 },
	{ "{\"after\":\"yesterday\"}", "before and after", NULL, NULL, NULL, 0 },
	{ "{\"after\":true}", "before and after", NULL, NULL, NULL, 0 },
	{ "{\"matchId\":\"m\",\"limit\":0}", "limit", NULL, NULL, NULL, 0 },
	{ "{\"matchId\":\"m\",\"limit\":101}", "limit", NULL, NULL, NULL, 0 },
	{ "{\"matchId\":\"m\",\"limit\":\"9\"}", "limit", NULL, NULL, NULL, 0 },
	{ "null", "object", NULL, NULL, NULL, 0 },
	{ "[]", "object", NULL, NULL, NULL, 0 },
};

static bool bound_is(const struct store_bound *b, const char *text)
{
	if (strlen(text) == MESSAGE_ID_LEN)
		return strcmp(b->id, text) == 0 && b->at_ms == 0;
	return b->id[0] == '\0' && b->at_ms == atoll(text);
}

Test(fields, sync_table)
{
	for (size_t i = 0; i < ARRAY_SIZE(syncs); i++) {
		const char *json = syncs[i].json;
		json_t *j = load(json);
		struct field_error err = { 0 };
		struct sync_fields f;
		bool ok = fields_sync(j, &f, &err);

		cr_expect_eq(ok, syncs[i].says == NULL, "%s: %s", json, err.text);
		if (!ok) {
			cr_expect_eq(err.code, ERR_INVALID_PAYLOAD);
			cr_expect(strstr(err.text, syncs[i].says) != NULL,
				  "%s: %s", json, err.text);
		} else {
			cr_expect_eq(f.match_id == NULL, syncs[i].match == NULL);
			cr_expect(bound_is(&f.before, syncs[i].before), "%s", json);
			cr_expect(bound_is(&f.after, syncs[i].after), "%s", json);
			cr_expect_eq(f.limit, syncs[i].limit);
		}
		json_decref(j);
	}
}
