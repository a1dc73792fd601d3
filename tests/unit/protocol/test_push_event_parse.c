#include <errno.h>

#include "common/protocol/push_event.h"

#include "tests/unit/protocol/exact.h"

#define LONG_128                                                           \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char full[] =
	"{\"v\":1,\"userId\":\"ben\",\"type\":\"new_message\",\"data\":{"
	"\"matchId\":\"m1\",\"senderId\":\"anna\",\"senderName\":\"Anna\","
	"\"content\":\"Hi\",\"messageId\":\"0123456789abcdef01234567\"},"
	"\"queuedAt\":\"2026-01-02T03:04:05.678Z\","
	"\"expiresAt\":\"2026-01-03T03:04:05.678Z\"}";

static const struct {
	const char *json, *user, *type, *data, *key;
	int64_t queued, expires;
} good[] = {
	{ full, "ben", "new_message",
	  "{\"matchId\":\"m1\",\"senderId\":\"anna\",\"senderName\":\"Anna\","
	  "\"content\":\"Hi\",\"messageId\":\"0123456789abcdef01234567\"}",
	  "0123456789abcdef01234567", 1767323045678, 1767409445678 },
	/* as the reference has it */
	{ "{\"userId\":\"b\",\"type\":\"new_match\",\"data\":{\"userName\":\"A\"}}",
	  "b", "new_match", "{\"userName\":\"A\"}", "", 0, 0 },
	{ "{\"userId\":\"b\",\"type\":\"t\"}", "b", "t", "{}", "", 0, 0 },
	{ "{\"userId\":\"b\",\"type\":\"t\",\"data\":null,\"v\":2,\"x\":[{}]}",
	  "b", "t", "{}", "", 0, 0 },
	{ "{\"userId\":\"b\",\"type\":\"t\",\"v\":\"next\",\"id\":\"e1\"}",
	  "b", "t", "{}", "e1", 0, 0 },
	{ "{\"id\":\"e1\",\"userId\":\"b\",\"type\":\"t\",\"data\":{\"messageId\":42}}",
	  "b", "t", "{\"messageId\":42}", "42", 0, 0 },
	{ "{\"userId\":\"b\",\"type\":\"t\",\"id\":-7.0}", "b", "t", "{}", "-7", 0, 0 },
	{ "{\"userId\":\"b\",\"type\":\"t\",\"id\":0.5}", "b", "t", "{}", "", 0, 0 },
	{ "{\"userId\":\"b\",\"type\":\"t\",\"id\":\"\"}", "b", "t", "{}", "", 0, 0 },
	{ "{\"userId\":\"b\",\"type\":\"t\",\"id\":\"" LONG_128 "\"}", "b", "t",
	  "{}", LONG_128, 0, 0 },
	{ "{\"userId\":\"b\",\"type\":\"t\",\"id\":\"" LONG_128 "x\"}", "b", "t",
	  "{}", "", 0, 0 },
	{ "{\"userId\":\"b\",\"type\":\"t\",\"id\":\"a\\u0000b\"}", "b", "t",
	  "{}", "", 0, 0 },
	{ "{\"userId\":\"" LONG_128 "\",\"type\":\"t\"}", LONG_128, "t", "{}",
	  "", 0, 0 },
	/* times: with zones; or not said */
	{ "{\"userId\":\"b\",\"type\":\"t\",\"queuedAt\":\"2026-01-02T04:04:05.678"
	  "+01:00\",\"expiresAt\":\"tomorrow\"}", "b", "t", "{}", "",
	  1767323045678, 0 },
	{ "{\"userId\":\"b\",\"type\":\"t\",\"queuedAt\":1767323045678,"
	  "\"expiresAt\":\"0001-01-01T00:00:00Z\"}", "b", "t", "{}", "", 0, 0 },
	/* what jansson alone would refuse */
	{ "{\"userId\":\"b\",\"type\":\"t\",\"data\":{\"c\":\"\\\\ud83d \\ud83d\"}}",
	  "b", "t", "{\"c\":\"\\\\ud83d \xef\xbf\xbd\"}", "", 0, 0 },
	{ "{\"userId\":\"b\",\"type\":\"t\",\"data\":{\"c\":\"\\uDE00\\uD83D\\uDE00"
	  "\\ud83dx\\ud83d\\u0041\\n\"}}", "b", "t",
	  "{\"c\":\"\xef\xbf\xbd\xf0\x9f\x98\x80\xef\xbf\xbdx\xef\xbf\xbd" "A\\n\"}",
	  "", 0, 0 },
	{ "{\"userId\":\"b\",\"type\":\"t\",\"data\":{\"messageId\":7,"
	  "\"n\":18446744073709551616}}", "b", "t",
	  "{\"messageId\":7.0,\"n\":1.8446744073709552e19}", "7", 0, 0 },
	{ "{\"userId\":\"b\",\"type\":\"t\",\"data\":{\"c\":\"\\u0000\"}}", "b",
	  "t", "{\"c\":\"\\u0000\"}", "", 0, 0 },
};

static const struct {
	const char *json, *why;
} bad[] = {
	{ "", "the event is not JSON" },
	{ "x", "the event is not JSON" },
	{ "{\"userId\":\"b\",\"type\":\"t\"}}", "the event is not JSON" },
	{ "{\"userId\":\"b\",\"type\":\"\xff\"}", "the event is not JSON" },
	{ "{\"userId\":\"b\",\"type\":\"t\",\"data\":{\"n\":1e999}}",
	  "the event is not JSON" },
	{ "[]", "the event is not a JSON object" },
	{ "{}", "userId is not a string of 1 to 128 bytes" },
	{ "{\"type\":\"t\"}", "userId is not a string of 1 to 128 bytes" },
	{ "{\"userId\":7,\"type\":\"t\"}", "userId is not a string of 1 to 128 bytes" },
	{ "{\"userId\":\"\",\"type\":\"t\"}", "userId is not a string of 1 to 128 bytes" },
	{ "{\"userId\":\"a\\u0000b\",\"type\":\"t\"}",
	  "userId is not a string of 1 to 128 bytes" },
	{ "{\"userId\":\"" LONG_128 "x\",\"type\":\"t\"}",
	  "userId is not a string of 1 to 128 bytes" },
	{ "{\"userId\":\"b\"}", "type is not a string of 1 to 64 bytes" },
	{ "{\"userId\":\"b\",\"type\":null}", "type is not a string of 1 to 64 bytes" },
	{ "{\"userId\":\"b\",\"type\":\"" LONG_128 "\"}",
	  "type is not a string of 1 to 64 bytes" },
	{ "{\"userId\":\"b\",\"type\":\"t\",\"data\":[]}", "data is not an object" },
	{ "{\"userId\":\"b\",\"type\":\"t\",\"data\":\"{}\"}", "data is not an object" },
};

Test(push_event_parse, good)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct push_event e;
		char why[128], *data;

		cr_assert_eq(push_event_parse(text(good[i].json), &e, why), 0,
			     "%s: %s", good[i].json, why);
		data = json_dumps(e.data, JSON_COMPACT);
		cr_expect_str_eq(e.user_id, good[i].user);
		cr_expect_str_eq(e.type, good[i].type);
		cr_expect_str_eq(data, good[i].data);
		cr_expect_str_eq(e.key, good[i].key);
		cr_expect_eq(e.queued_at_ms, good[i].queued, "%s", good[i].json);
		cr_expect_eq(e.expires_at_ms, good[i].expires, "%s", good[i].json);
		free(data);
		push_event_clear(&e);
		cr_expect_null(e.data);
	}
}

Test(push_event_parse, bad)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct push_event e;
		char why[128] = "";

		cr_expect_eq(push_event_parse(text(bad[i].json), &e, why),
			     -EBADMSG, "%s", bad[i].json);
		cr_expect_str_eq(why, bad[i].why);
	}
}

Test(push_event_parse, every_truncation)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		for (size_t n = 0; n < strlen(good[i].json); n++) {
			struct slice s = exact(good[i].json, n);
			struct push_event e;
			char why[128];

			cr_expect_eq(push_event_parse(s, &e, why), -EBADMSG,
				     "%.*s", (int)n, s.p);
			free((char *)s.p);
		}
}

Test(push_event_parse, size)
{
	struct buf b = { 0 };
	struct push_event e;
	char why[128];

	buf_adds(&b, "{\"userId\":\"b\",\"type\":\"t\"}");
	while (b.len < PUSH_EVENT_MAX)
		buf_addc(&b, ' ');
	cr_assert_eq(push_event_parse(buf_slice(&b), &e, why), 0);
	push_event_clear(&e);
	buf_addc(&b, ' ');
	cr_expect_eq(push_event_parse(buf_slice(&b), &e, why), -EBADMSG);
	cr_expect_str_eq(why, "the event is larger than 65536 bytes");
	buf_free(&b);
}

/* The producer's words are the consumer's. */
Test(push_event_parse, what_we_write_we_read)
{
	struct push_event_message m = {
		.user_id = "ben", .match_id = "m1", .sender_id = "anna",
		.content = SLICE("\xf0\x9f\x98\x80 \"\\\n\0 end"),
		.message_id = "0123456789abcdef01234567",
		.queued_at_ms = 1767323045678, .expires_at_ms = 1767409445678,
	};
	struct buf b = { 0 };
	struct push_event e;
	char why[128];
	json_t *content;

	push_event_new_message(&b, &m);
	cr_assert_eq(push_event_parse(buf_slice(&b), &e, why), 0, "%s", why);
	cr_expect_str_eq(e.key, m.message_id);
	cr_expect_eq(e.queued_at_ms, m.queued_at_ms);
	cr_expect_eq(e.expires_at_ms, m.expires_at_ms);
	content = json_object_get(e.data, "content");
	cr_expect_eq(json_string_length(content), m.content.n);
	cr_expect_arr_eq(json_string_value(content), m.content.p, m.content.n);
	push_event_clear(&e);
	buf_free(&b);
}
