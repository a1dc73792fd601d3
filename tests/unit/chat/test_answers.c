#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

#include "worker/chat/answers.h"

#define ID24 "0123456789abcdef01234567"

static void expect_text(struct buf *b, const char *text)
{
	json_error_t e;
	json_t *j = json_loadb(b->p, b->len, 0, &e);

	cr_expect_str_eq(buf_str(b), text);
	cr_expect_not_null(j, "%s", e.text);
	json_decref(j);
	buf_free(b);
}

Test(answers, statuses)
{
	static const struct status v[] = {
		{ "a\"b", true, 0 }, { "c", false, 1767323045678 },
	};
	struct buf b = { 0 };

	ack_statuses(&b, v, 2);
	expect_text(&b, "{\"ok\":true,\"statuses\":["
			"{\"userId\":\"a\\\"b\",\"online\":true,\"lastSeen\":null},"
			"{\"userId\":\"c\",\"online\":false,"
			"\"lastSeen\":\"2026-01-02T03:04:05.678Z\"}]}");
	ack_statuses(&b, NULL, 0);
	expect_text(&b, "{\"ok\":true,\"statuses\":[]}");
}

Test(answers, messages)
{
	struct message m = {
		.id = ID24, .match_id = "m", .sender_id = "ann",
		.recipient_id = "bob", .content = SLICE("h\n"),
		.type = MSG_IMAGE, .media_url = "u", .temp_id = "17",
		.sent_at_ms = 1767323045678, .delivered_at_ms = 1767323045679,
	};
	struct buf b = { 0 };

	page_message(&b, &m, "ann");
	expect_text(&b, "{\"id\":\"" ID24 "\",\"matchId\":\"m\",\"senderId\":\"ann\","
			"\"content\":\"h\\n\",\"type\":\"image\",\"mediaUrl\":\"u\","
			"\"sentAt\":\"2026-01-02T03:04:05.678Z\",\"tempId\":17,"
			"\"deliveredAt\":\"2026-01-02T03:04:05.679Z\",\"readAt\":null}");
	m.media_url = NULL;
	m.read_at_ms = 1767323045680;
	page_message(&b, &m, "bob");
	expect_text(&b, "{\"id\":\"" ID24 "\",\"matchId\":\"m\",\"senderId\":\"ann\","
			"\"content\":\"h\\n\",\"type\":\"image\","
			"\"sentAt\":\"2026-01-02T03:04:05.678Z\","
			"\"deliveredAt\":\"2026-01-02T03:04:05.679Z\","
			"\"readAt\":\"2026-01-02T03:04:05.680Z\"}");
	ack_page(&b, SLICE("{},{}"), true);
	expect_text(&b, "{\"ok\":true,\"messages\":[{},{}],\"hasMore\":true}");
	ack_page(&b, SLICE(""), false);
	expect_text(&b, "{\"ok\":true,\"messages\":[],\"hasMore\":false}");
}
