#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "worker/chat/frames.h"

#define ID "0123456789abcdef01234567"
#define T0 1767323045678LL	/* 2026-01-02T03:04:05.678Z */
#define T0_TEXT "2026-01-02T03:04:05.678Z"

static const struct message m = {
	.id = ID,
	.match_id = "m\"1",
	.sender_id = "anna",
	.recipient_id = "ben",
	.content = { "h\xc3\xa9 \"x\"\n", 8 },
	.type = MSG_TEXT,
	.temp_id = "\"t1\"",
	.sent_at_ms = T0,
};

#define EXPECT(call, want)                               \
	do {                                             \
		struct buf b = { 0 };                    \
		call;                                    \
		cr_expect_str_eq(buf_str(&b), want);     \
		buf_free(&b);                            \
	} while (0)

Test(frames, message_new)
{
	struct message media = m;

	EXPECT(frame_message_new(&b, &m, false),
	       "42[\"message:new\",{\"id\":\"" ID "\",\"matchId\":\"m\\\"1\",\"senderId\":\"anna\","
	       "\"content\":\"h\xc3\xa9 \\\"x\\\"\\n\",\"type\":\"text\",\"sentAt\":\"" T0_TEXT "\"}]");
	media.type = MSG_IMAGE;
	media.media_url = "http://x/y";
	EXPECT(frame_message_new(&b, &media, true),
	       "42[\"message:new\",{\"id\":\"" ID "\",\"matchId\":\"m\\\"1\",\"senderId\":\"anna\","
	       "\"content\":\"h\xc3\xa9 \\\"x\\\"\\n\",\"type\":\"image\",\"mediaUrl\":\"http://x/y\","
	       "\"sentAt\":\"" T0_TEXT "\",\"tempId\":\"t1\"}]");
}

Test(frames, answers)
{
	struct field_error e = { ERR_INVALID_MATCH, "no \"match\"", 0 };

	EXPECT(frame_message_sent(&b, ID, "17", T0),
	       "42[\"message:sent\",{\"messageId\":\"" ID "\",\"tempId\":17,\"sentAt\":\"" T0_TEXT "\"}]");
	EXPECT(frame_message_sent(&b, ID, NULL, T0),
	       "42[\"message:sent\",{\"messageId\":\"" ID "\",\"sentAt\":\"" T0_TEXT "\"}]");
	EXPECT(frame_message_delivered(&b, ID, T0),
	       "42[\"message:delivered\",{\"messageId\":\"" ID "\",\"deliveredAt\":\"" T0_TEXT "\"}]");
	EXPECT(frame_error(&b, &e, "\"t\""),
	       "42[\"error\",{\"code\":\"INVALID_MATCH\",\"message\":\"no \\\"match\\\"\",\"tempId\":\"t\"}]");
	EXPECT(ack_error(&b, &e, NULL),
	       "{\"ok\":false,\"code\":\"INVALID_MATCH\",\"message\":\"no \\\"match\\\"\"}");
	e.retry_ms = 50;
	EXPECT(ack_error(&b, &e, "\"t\""),
	       "{\"ok\":false,\"code\":\"INVALID_MATCH\",\"message\":\"no \\\"match\\\"\",\"retryAfter\":50,\"tempId\":\"t\"}");
	EXPECT(ack_message_sent(&b, ID, "\"t\"", T0),
	       "{\"ok\":true,\"messageId\":\"" ID "\",\"tempId\":\"t\",\"sentAt\":\"" T0_TEXT "\"}");
	EXPECT(ack_ok(&b), "{\"ok\":true}");
}

Test(frames, read_typing_status)
{
	struct message rows[2] = { m, m };

	EXPECT(frame_message_read(&b, "m1", rows, 2, T0, "ben"),
	       "42[\"message:read\",{\"matchId\":\"m1\",\"messageIds\":[\"" ID "\",\"" ID "\"],"
	       "\"readAt\":\"" T0_TEXT "\",\"readBy\":\"ben\"}]");
	EXPECT(ack_message_read(&b, rows, 0, T0),
	       "{\"ok\":true,\"messageIds\":[],\"readAt\":\"" T0_TEXT "\"}");
	EXPECT(frame_user_typing(&b, "m1", "anna", true),
	       "42[\"user:typing\",{\"matchId\":\"m1\",\"userId\":\"anna\",\"isTyping\":true}]");
	EXPECT(frame_user_status(&b, "anna", false, T0),
	       "42[\"user:status\",{\"userId\":\"anna\",\"online\":false,\"timestamp\":\"" T0_TEXT "\"}]");
}

/* A content of every byte value below 0x80 must come out as JSON that reads
 * back as itself. */
Test(frames, content_round_trip)
{
	char all[127];
	struct message x = m;
	struct buf b = { 0 };
	json_t *whole, *j;

	for (int i = 1; i < 128; i++)
		all[i - 1] = (char)i;
	x.content = (struct slice){ all, sizeof(all) };
	frame_message_new(&b, &x, true);
	whole = json_loadb(b.p + 2, b.len - 2, 0, NULL);
	cr_assert_not_null(whole);
	j = json_object_get(json_array_get(whole, 1), "content");
	cr_expect_eq(json_string_length(j), sizeof(all));
	cr_expect_arr_eq(json_string_value(j), all, sizeof(all));
	json_decref(whole);
	buf_free(&b);
}
