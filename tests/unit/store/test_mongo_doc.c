#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "common/store/store_mongo_doc.h"

static const struct message full = {
	.id = "0123456789abcdef01234567",
	.match_id = "m1",
	.sender_id = "u1",
	.recipient_id = "u2",
	.content = { "a\xf0\x9f\x98\x80\"\\", 7 },
	.type = MSG_VIDEO,
	.media_url = "https://x/y",
	.temp_id = "\"t1\"",
	.sent_at_ms = 1735689600123,
	.pos = 1735689600123456,
	.src = "h:b:1",
	.owe = 1735689610123456,
	.chg = 1735689600123457,
	.delivered_at_ms = 1735689601000,
	.read_at_ms = 1735689602999,
};

static bson_type_t type_of(const bson_t *d, const char *key)
{
	bson_iter_t it;

	return bson_iter_init_find(&it, d, key) ? bson_iter_type(&it) :
						  BSON_TYPE_EOD;
}

Test(mongo_doc, native_types)
{
	static const struct {
		const char *key;
		bson_type_t type;
	} rows[] = {
		{ "_id", BSON_TYPE_OID },	  { "matchId", BSON_TYPE_UTF8 },
		{ "senderId", BSON_TYPE_UTF8 },	  { "recipientId", BSON_TYPE_UTF8 },
		{ "content", BSON_TYPE_UTF8 },	  { "type", BSON_TYPE_UTF8 },
		{ "mediaUrl", BSON_TYPE_UTF8 },	  { "tempId", BSON_TYPE_UTF8 },
		{ "sentAt", BSON_TYPE_DATE_TIME },
		{ "deliveredAt", BSON_TYPE_DATE_TIME },
		{ "readAt", BSON_TYPE_DATE_TIME }, { "pos", BSON_TYPE_INT64 },
		{ "src", BSON_TYPE_UTF8 },	  { "owe", BSON_TYPE_INT64 },
		{ "chg", BSON_TYPE_INT64 },
	};
	bson_t d;

	cr_assert_eq(mongo_doc_write(&full, &d), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_eq(type_of(&d, rows[i].key), rows[i].type, "%s",
			     rows[i].key);
	cr_expect_eq(bson_count_keys(&d), ARRAY_SIZE(rows));
	bson_destroy(&d);
}

Test(mongo_doc, there_and_back)
{
	struct mongo_row r;
	bson_t d;

	cr_assert_eq(mongo_doc_write(&full, &d), 0);
	cr_assert_eq(mongo_doc_read(&d, &r), 0);
	cr_expect_str_eq(r.m.id, full.id);
	cr_expect_str_eq(r.m.match_id, "m1");
	cr_expect_str_eq(r.m.sender_id, "u1");
	cr_expect_str_eq(r.m.src, "h:b:1");
	cr_expect_str_eq(r.m.temp_id, "\"t1\"");
	cr_expect_eq(r.m.sent_at_ms, full.sent_at_ms);
	cr_expect_eq(r.m.delivered_at_ms, full.delivered_at_ms);
	cr_expect_eq(r.m.read_at_ms, full.read_at_ms);
	cr_expect_eq(r.m.pos, full.pos);
	cr_expect_eq(r.m.owe, full.owe);
	cr_expect_eq(r.m.chg, full.chg);
	cr_expect(message_same(&r.m, &full));
	mongo_row_free(&r);
	bson_destroy(&d);
}

Test(mongo_doc, what_is_not_set_is_null)
{
	struct message m = full;
	struct mongo_row r;
	bson_t d;

	m.media_url = m.temp_id = NULL;
	m.delivered_at_ms = m.read_at_ms = 0;
	cr_assert_eq(mongo_doc_write(&m, &d), 0);
	cr_expect_eq(type_of(&d, "mediaUrl"), BSON_TYPE_NULL);
	cr_expect_eq(type_of(&d, "tempId"), BSON_TYPE_NULL);
	cr_expect_eq(type_of(&d, "deliveredAt"), BSON_TYPE_NULL);
	cr_expect_eq(type_of(&d, "readAt"), BSON_TYPE_NULL);
	cr_assert_eq(mongo_doc_read(&d, &r), 0);
	cr_expect_null(r.m.media_url);
	cr_expect_null(r.m.temp_id);
	cr_expect_eq(r.m.delivered_at_ms, 0);
	mongo_row_free(&r);
	bson_destroy(&d);
}

Test(mongo_doc, temp_ids)
{
	static const struct {
		const char *json;
		bson_type_t type;	/* EOD: refused */
		const char *back;
	} rows[] = {
		{ "\"\"", BSON_TYPE_UTF8, "\"\"" },
		{ "\"a b\"", BSON_TYPE_UTF8, "\"a b\"" },
		{ "\"\xd0\x96\"", BSON_TYPE_UTF8, "\"\xd0\x96\"" },
		{ "\"\\u0416\"", BSON_TYPE_UTF8, "\"\xd0\x96\"" },
		{ "\"\\\"\\\\\"", BSON_TYPE_UTF8, "\"\\\"\\\\\"" },
		{ "\"\\ud83d\\ude00\"", BSON_TYPE_UTF8,
		  "\"\xf0\x9f\x98\x80\"" },
		{ "0", BSON_TYPE_INT64, "0" },
		{ "-17", BSON_TYPE_INT64, "-17" },
		{ "9007199254740991", BSON_TYPE_INT64, "9007199254740991" },
		{ "99999999999999999999", BSON_TYPE_EOD, NULL },
		{ "1.5", BSON_TYPE_EOD, NULL },
		{ "null", BSON_TYPE_EOD, NULL },
		{ "\"", BSON_TYPE_EOD, NULL },
		{ "\"a\",\"b\"", BSON_TYPE_EOD, NULL },
		{ "\"\\\"", BSON_TYPE_EOD, NULL },
		{ "{}", BSON_TYPE_EOD, NULL },
		{ "", BSON_TYPE_EOD, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct message m = full;
		struct mongo_row r;
		bson_t d;
		int err;

		m.temp_id = rows[i].json;
		err = mongo_doc_write(&m, &d);
		cr_expect_eq(err, rows[i].back != NULL ? 0 : -EINVAL, "row %zu",
			     i);
		if (err != 0)
			continue;
		cr_expect_eq(type_of(&d, "tempId"), rows[i].type, "row %zu", i);
		cr_assert_eq(mongo_doc_read(&d, &r), 0);
		cr_expect_str_eq(r.m.temp_id, rows[i].back, "row %zu", i);
		mongo_row_free(&r);
		bson_destroy(&d);
	}
}

/* Rows of an older program, and of other hands. */
Test(mongo_doc, reads_what_others_wrote)
{
	struct mongo_row r;
	bson_oid_t oid;
	bson_t d = BSON_INITIALIZER;

	cr_expect_eq(mongo_doc_read(&d, &r), -EINVAL);
	bson_oid_init_from_string(&oid, full.id);
	BSON_APPEND_OID(&d, "_id", &oid);
	BSON_APPEND_INT32(&d, "content", 5);
	BSON_APPEND_UTF8(&d, "type", "hologram");
	BSON_APPEND_UTF8(&d, "tempId", "x");
	BSON_APPEND_INT32(&d, "tempId", 7);
	BSON_APPEND_INT32(&d, "mood", 1);
	BSON_APPEND_UTF8(&d, "sentAt", "yesterday");
	cr_assert_eq(mongo_doc_read(&d, &r), 0);
	cr_expect_str_eq(r.m.match_id, "");
	cr_expect_str_eq(r.m.src, "");
	cr_expect_eq(r.m.content.n, 0);
	cr_expect_eq(r.m.type, MSG_TEXT);
	cr_expect_str_eq(r.m.temp_id, "7");
	cr_expect_eq(r.m.sent_at_ms, 0);
	cr_expect_eq(r.m.pos, 0);
	mongo_row_free(&r);
	bson_destroy(&d);
}

Test(mongo_doc, refuses_an_id_that_is_none)
{
	struct message m = full;
	bson_t d;

	m.id[3] = 'x';
	cr_expect_eq(mongo_doc_write(&m, &d), -EINVAL);
	m.id[0] = '\0';
	cr_expect_eq(mongo_doc_write(&m, &d), -EINVAL);
}

Test(mongo_doc, refuses_what_is_not_utf8)
{
	static const char *const bad[] = {
		"\xff", "caf\xe9", "\xf0\x9f\x98", "\xc0\x80x\x80",
		"\xed\xa0\x80",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct message m = full;
		bson_t d;

		m.content = (struct slice){ bad[i], strlen(bad[i]) };
		if (mongo_doc_write(&m, &d) == 0) {
			cr_expect(false, "content %zu", i);
			bson_destroy(&d);
		}
		m = full;
		m.media_url = bad[i];
		if (mongo_doc_write(&m, &d) == 0) {
			cr_expect(false, "media %zu", i);
			bson_destroy(&d);
		}
	}
}
