#include "common/protocol/push_event.h"

#include <jansson.h>

#include "tests/unit/protocol/exact.h"

Test(push_event, prefix_counts_code_points)
{
	static const struct {
		const char *in;
		size_t max, want;
	} rows[] = {
		{ "", 0, 0 }, { "", 5, 0 }, { "abc", 0, 0 }, { "abc", 2, 2 },
		{ "abc", 3, 3 }, { "abc", 4, 3 },
		{ "\xc3\xa4\xc3\xb6\xc3\xbc", 2, 4 },
		{ "a\xf0\x9f\x98\x80" "b", 2, 5 },
		{ "a\xf0\x9f\x98\x80" "b", 1, 1 },
		{ "\xe2\x82\xac", 1, 3 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_eq(utf8_prefix(text(rows[i].in), rows[i].max),
			     rows[i].want, "row %zu", i);
}

Test(push_event, new_message)
{
	struct push_event_message m = {
		.user_id = "ben", .match_id = "m1", .sender_id = "anna",
		.sender_name = "Anna \"A\"", .content = SLICE("Hi\nBen"),
		.message_id = "0123456789abcdef01234567",
		.queued_at_ms = 1767323045678, .expires_at_ms = 1767409445678,
	};
	struct buf b = { 0 };

	push_event_new_message(&b, &m);
	cr_expect_str_eq(buf_str(&b),
		"{\"v\":1,\"userId\":\"ben\",\"type\":\"new_message\",\"data\":{"
		"\"matchId\":\"m1\",\"senderId\":\"anna\","
		"\"senderName\":\"Anna \\\"A\\\"\",\"content\":\"Hi\\nBen\","
		"\"messageId\":\"0123456789abcdef01234567\"},"
		"\"queuedAt\":\"2026-01-02T03:04:05.678Z\","
		"\"expiresAt\":\"2026-01-03T03:04:05.678Z\"}");
	buf_free(&b);
}

Test(push_event, long_content_is_cut_and_a_name_is_made_up)
{
	struct push_event_message m = {
		.user_id = "b", .match_id = "m", .sender_id = "a",
		.message_id = "i",
	};
	struct buf content = { 0 }, b = { 0 };
	const char *name, *cut;
	json_t *v;

	for (int i = 0; i < 150; i++)
		buf_adds(&content, "\xf0\x9f\x98\x80");
	m.content = buf_slice(&content);
	push_event_new_message(&b, &m);
	v = json_loadb(b.p, b.len, 0, NULL);
	cr_assert_eq(json_unpack(v, "{s:{s:s,s:s}}", "data", "senderName", &name,
				 "content", &cut), 0);
	cr_expect_str_eq(name, "Someone");
	cr_expect_eq(strlen(cut), 4u * PUSH_CONTENT_CHARS);
	json_decref(v);
	buf_free(&content);
	buf_free(&b);
}

Test(push_event, what_was_read)
{
	static const char *const ids[] = { "0123456789abcdef01234567", "x\"" };
	struct push_event_read r = {
		.user_id = "b\"en", .match_id = "m1", .ids = ids, .n = 2,
		.queued_at_ms = 1767323045678, .expires_at_ms = 1767409445678,
	};
	struct push_event back;
	struct buf b = { 0 };
	char why[128];

	push_event_read(&b, &r);
	cr_expect_str_eq(buf_str(&b),
		"{\"v\":1,\"userId\":\"b\\\"en\",\"type\":\"message_read\","
		"\"data\":{\"matchId\":\"m1\",\"messageIds\":["
		"\"0123456789abcdef01234567\",\"x\\\"\"]},"
		"\"queuedAt\":\"2026-01-02T03:04:05.678Z\","
		"\"expiresAt\":\"2026-01-03T03:04:05.678Z\"}");
	cr_assert_eq(push_event_parse(buf_slice(&b), &back, why), 0, "%s", why);
	cr_expect_str_eq(back.user_id, "b\"en");
	cr_expect_str_eq(back.type, PUSH_TYPE_READ);
	cr_expect_eq(json_array_size(json_object_get(back.data, "messageIds")), 2);
	cr_expect_eq(back.expires_at_ms, r.expires_at_ms);
	push_event_clear(&back);
	buf_free(&b);
}
