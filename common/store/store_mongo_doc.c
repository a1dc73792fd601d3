#include "common/store/store_mongo_doc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"

static void put_str(bson_t *d, const char *key, const char *s)
{
	if (s != NULL)
		BSON_APPEND_UTF8(d, key, s);
	else
		BSON_APPEND_NULL(d, key);
}

static void put_time(bson_t *d, const char *key, int64_t ms)
{
	if (ms != 0)
		BSON_APPEND_DATE_TIME(d, key, ms);
	else
		BSON_APPEND_NULL(d, key);
}

static int put_parsed(bson_t *d, const char *key, const char *json)
{
	struct buf b = { 0 };
	bson_t parsed;
	bson_iter_t it;
	int err = -EINVAL;

	buf_printf(&b, "{\"t\":%s}", json);
	if (bson_init_from_json(&parsed, b.p, (ssize_t)b.len, NULL)) {
		if (bson_iter_init_find(&it, &parsed, "t") &&
		    BSON_ITER_HOLDS_UTF8(&it)) {
			BSON_APPEND_VALUE(d, key, bson_iter_value(&it));
			err = 0;
		}
		bson_destroy(&parsed);
	}
	buf_free(&b);
	return err;
}

/* JSON text to a native value. Plain strings and integers are nearly all. */
static int put_temp_id(bson_t *d, const char *key, const char *json)
{
	size_t n;
	char *end;
	long long v;

	if (json == NULL) {
		BSON_APPEND_NULL(d, key);
		return 0;
	}
	n = strlen(json);
	if (json[0] == '"') {
		if (n < 2 || json[n - 1] != '"')
			return -EINVAL;
		if (memchr(json, '\\', n) != NULL)
			return put_parsed(d, key, json);
		if (memchr(json + 1, '"', n - 2) != NULL)
			return -EINVAL;
		bson_append_utf8(d, key, -1, json + 1, (int)(n - 2));
		return 0;
	}
	errno = 0;
	v = strtoll(json, &end, 10);
	if (errno != 0 || end == json || *end != '\0')
		return -EINVAL;
	BSON_APPEND_INT64(d, key, v);
	return 0;
}

static bool utf8(const char *s, size_t n)
{
	return s == NULL || bson_utf8_validate(s, n, true);
}

/* Neither the driver nor the server looks, and what is not UTF-8 could not be
 * sent to a browser later. */
static bool storable(const struct message *m)
{
	const char *const text[] = { m->match_id, m->sender_id,
				     m->recipient_id, m->media_url,
				     m->temp_id, m->src };

	for (size_t i = 0; i < ARRAY_SIZE(text); i++)
		if (text[i] != NULL && !utf8(text[i], strlen(text[i])))
			return false;
	return utf8(m->content.p, m->content.n) &&
	       bson_oid_is_valid(m->id, strlen(m->id));
}

int mongo_doc_write(const struct message *m, bson_t *out)
{
	bson_oid_t oid;
	bson_t *d;

	if (!storable(m))
		return -EINVAL;
	d = bson_sized_new(512 + m->content.n);
	bson_oid_init_from_string(&oid, m->id);
	BSON_APPEND_OID(d, "_id", &oid);
	put_str(d, "matchId", m->match_id);
	put_str(d, "senderId", m->sender_id);
	put_str(d, "recipientId", m->recipient_id);
	bson_append_utf8(d, "content", -1, m->content.n > 0 ? m->content.p : "",
			 (int)m->content.n);
	put_str(d, "type", message_type_name(m->type));
	put_str(d, "mediaUrl", m->media_url);
	if (put_temp_id(d, "tempId", m->temp_id) != 0) {
		bson_destroy(d);
		return -EINVAL;
	}
	BSON_APPEND_DATE_TIME(d, "sentAt", m->sent_at_ms);
	put_time(d, "deliveredAt", m->delivered_at_ms);
	put_time(d, "readAt", m->read_at_ms);
	BSON_APPEND_INT64(d, "pos", m->pos);
	put_str(d, "src", m->src);
	BSON_APPEND_INT64(d, "owe", m->owe);
	BSON_APPEND_INT64(d, "chg", m->chg);
	if (!bson_steal(out, d))
		abort();	/* d is ours and on the heap */
	return 0;
}

static const char *get_str(bson_iter_t *it)
{
	return BSON_ITER_HOLDS_UTF8(it) ? bson_iter_utf8(it, NULL) : NULL;
}

static int64_t get_time(bson_iter_t *it)
{
	return BSON_ITER_HOLDS_DATE_TIME(it) ? bson_iter_date_time(it) : 0;
}

static void get_content(bson_iter_t *it, struct message *m)
{
	uint32_t n;

	if (!BSON_ITER_HOLDS_UTF8(it))
		return;
	m->content.p = bson_iter_utf8(it, &n);
	m->content.n = n;
}

static void get_type(bson_iter_t *it, struct message *m)
{
	const char *name = get_str(it);

	/* What another program wrote there is shown as text. */
	if (name == NULL ||
	    message_type_parse(slice_of(name), &m->type) != 0)
		m->type = MSG_TEXT;
}

/* A native value to JSON text. */
static char *get_temp_id(bson_iter_t *it)
{
	struct buf b = { 0 };
	uint32_t n;
	const char *s;
	char *escaped;

	if (BSON_ITER_HOLDS_INT(it)) {
		buf_printf(&b, "%lld", (long long)bson_iter_as_int64(it));
	} else if (BSON_ITER_HOLDS_UTF8(it)) {
		s = bson_iter_utf8(it, &n);
		escaped = bson_utf8_escape_for_json(s, (ssize_t)n);
		if (escaped == NULL)
			return NULL;
		buf_printf(&b, "\"%s\"", escaped);
		bson_free(escaped);
	} else {
		return NULL;
	}
	buf_addc(&b, '\0');
	return b.p;
}

enum field { F_ID, F_MATCH, F_SENDER, F_RECIPIENT, F_CONTENT, F_TYPE, F_MEDIA,
	     F_TEMP, F_SENT, F_DELIVERED, F_READ, F_POS, F_SRC, F_OWE, F_CHG,
	     FIELDS };

static const char *const field_names[FIELDS] = {
	"_id", "matchId", "senderId", "recipientId", "content", "type",
	"mediaUrl", "tempId", "sentAt", "deliveredAt", "readAt", "pos", "src",
	"owe", "chg",
};

static enum field field_of(const char *key)
{
	int f = 0;

	while (f < FIELDS && strcmp(key, field_names[f]) != 0)
		f++;
	return (enum field)f;
}

static void get_field(enum field f, bson_iter_t *it, struct mongo_row *out)
{
	struct message *m = &out->m;
	const char *s = get_str(it);

	switch (f) {
	case F_ID:
		if (BSON_ITER_HOLDS_OID(it))
			bson_oid_to_string(bson_iter_oid(it), m->id);
		break;
	case F_MATCH: m->match_id = s != NULL ? s : ""; break;
	case F_SENDER: m->sender_id = s != NULL ? s : ""; break;
	case F_RECIPIENT: m->recipient_id = s != NULL ? s : ""; break;
	case F_CONTENT: get_content(it, m); break;
	case F_TYPE: get_type(it, m); break;
	case F_MEDIA: m->media_url = s; break;
	case F_TEMP:
		free(out->temp_id);	/* a document may name a field twice */
		out->temp_id = get_temp_id(it);
		m->temp_id = out->temp_id;
		break;
	case F_SENT: m->sent_at_ms = get_time(it); break;
	case F_DELIVERED: m->delivered_at_ms = get_time(it); break;
	case F_READ: m->read_at_ms = get_time(it); break;
	case F_POS: m->pos = bson_iter_as_int64(it); break;
	case F_SRC: m->src = s != NULL ? s : ""; break;
	case F_OWE: m->owe = bson_iter_as_int64(it); break;
	case F_CHG: m->chg = bson_iter_as_int64(it); break;
	case FIELDS: break;	/* the app's own */
	}
}

int mongo_doc_read(const bson_t *doc, struct mongo_row *out)
{
	bson_iter_t it;

	*out = (struct mongo_row){
		.m = { .match_id = "", .sender_id = "", .recipient_id = "",
		       .content = { "", 0 }, .src = "" },
	};
	if (!bson_iter_init(&it, doc))
		return -EINVAL;
	while (bson_iter_next(&it))
		get_field(field_of(bson_iter_key(&it)), &it, out);
	if (out->m.id[0] == '\0') {
		mongo_row_free(out);
		return -EINVAL;
	}
	return 0;
}

void mongo_row_free(struct mongo_row *r)
{
	free(r->temp_id);
	*r = (struct mongo_row){ 0 };
}
