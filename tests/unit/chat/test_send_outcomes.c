/* message:send: what becomes of it with each answer of the directory, the store
 * and the router. */
#include "tests/unit/chat/send_world.h"

Test(send, unknown_match_is_never_called_invalid)
{
	saw.match_err = -EAGAIN;
	send_text("m1", "hi", "a", SIO_NO_ACK);
	cr_assert_eq(saw.nframes, 1);
	cr_expect(frame_has(0, "1 42[\"error\"", "SERVICE_UNAVAILABLE"));
	cr_expect_eq(stats_get(STAT_messages_failed), 1);
}

Test(send, last_unknown_refuses_all_that_wait)
{
	send_text("m1", "one", "a", SIO_NO_ACK);
	send_text("m1", "two", "b", SIO_NO_ACK);
	answer_last(-ETIMEDOUT, 0);
	cr_assert_eq(saw.nframes, 2);
	cr_expect(frame_has(0, "1 42[\"error\"", "\"tempId\":\"a\""));
	cr_expect(frame_has(1, "1 42[\"error\"", "\"tempId\":\"b\""));
	cr_expect_eq(saw.ninserts, 0);
}

/* {receivers, leaving, err} -> is a push due at once? */
static const struct {
	unsigned receivers;
	bool leaving;
	int err;
	bool due;
} offline[] = {
	{ 0, false, 0, true },
	{ 0, true, 0, false },		/* within his grace */
	{ 1, false, 0, false },
	{ 0, false, -ENOTCONN, false },	/* Redis cannot say: it stays owing */
};

Test(send, push_is_due_when_nobody_is_there)
{
	for (size_t i = 0; i < ARRAY_SIZE(offline); i++) {
		char temp_id[8];

		snprintf(temp_id, sizeof(temp_id), "t%zu", i);
		send_text("m1", "hi", temp_id, SIO_NO_ACK);
		if (i == 0)
			answer_last(0, 0);
		answer_insert((int)i, STORE_OK, NULL);
		answer_route((int)i * 2, offline[i].err, offline[i].receivers,
			     offline[i].leaving);
		answer_route((int)i * 2 + 1, offline[i].err, 0, false);
		cr_expect_eq(!list_empty(&c.due), offline[i].due, "%zu", i);
		while (!list_empty(&c.due))
			free(list_shift(&c.due));
	}
}

Test(send, duplicate_is_answered_with_the_first_and_not_routed)
{
	struct message first = { .id = "0123456789abcdef01234567",
				 .sent_at_ms = 4999000 };

	send_text("m1", "hi", "a", SIO_NO_ACK);
	answer_last(0, 0);
	answer_insert(0, STORE_DUPLICATE, &first);
	cr_assert_eq(saw.nframes, 1);
	cr_expect(frame_has(0, "1 42[\"message:sent\"", first.id));
	cr_expect(frame_has(0, "1 ", "1970-01-01T01:23:19.000Z"));
	cr_expect_eq(saw.nroutes, 0);
}

/* Its outcome was unknown before: the devices of both are sent to the store. What
 * is before it in its stream may wait for Redis: a copy would overtake that. */
Test(send, what_a_resend_found_may_be_news)
{
	static const struct {
		const char *src;
		int64_t delivered_ms, owe;
		bool news;
	} rows[] = {
		{ "h:b:0", 0, INT64_MAX, true },
		{ "h:b:1", 0, 1, true },
		{ "h:b:1", 0, INT64_MAX, false },
		{ "h:b:0", 1, INT64_MAX, false },
		{ "h:b:0", 0, 0, false },
	};
	struct message first = { .id = "0123456789abcdef01234567",
				 .match_id = "m1", .sender_id = "anna",
				 .recipient_id = "ben", .content = { "hi", 2 },
				 .type = MSG_TEXT };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int before = saw.nroutes, frames = saw.nframes;

		first.src = rows[i].src;
		first.delivered_at_ms = rows[i].delivered_ms;
		first.owe = rows[i].owe;
		first.sent_at_ms = 6000000 + (int64_t)i;
		first.pos = cluster_now_us() + (int64_t)i;
		send_text("m1", "hi", "a", SIO_NO_ACK);
		if (i == 0)
			answer_last(0, 0);
		answer_insert((int)i, STORE_DUPLICATE, &first);
		cr_expect_eq(saw.nroutes, before + (rows[i].news ? 2 : 0), "%zu", i);
		cr_expect(frame_has(frames, "1 42[\"message:sent\"", first.id));
		if (!rows[i].news)
			continue;
		cr_expect_eq(saw.routes[before].kind, ENV_CATCH_UP);
		cr_expect_str_eq(saw.routes[before].user, "ben");
		cr_expect_eq(saw.routes[before].extra, ROUTE_UNREAD);
		cr_expect_eq(saw.routes[before + 1].kind, ENV_CATCH_UP);
		cr_expect_eq(saw.routes[before + 1].extra, ROUTE_PLAIN);
		cr_expect_str_eq(saw.routes[before + 1].user, "anna");
		cr_expect_eq(saw.nframes, frames + 1);
		cr_expect_not_null(anna2->catch_up);
		cr_expect_eq(anna1->catch_up->nsent, i + 1, "it was answered");
	}
	cr_expect(list_empty(&c.due), "the sweep queues what is overdue");
	catch_up_drop(anna1);
	catch_up_drop(anna2);
}

Test(send, clash_and_refusal_have_their_codes)
{
	send_text("m1", "hi", "a", SIO_NO_ACK);
	answer_last(0, 0);
	answer_insert(0, STORE_CLASH, NULL);
	send_text("m1", "hi", "b", SIO_NO_ACK);
	answer_insert(1, STORE_REFUSED, NULL);
	cr_assert_eq(saw.nframes, 2);
	cr_expect(frame_has(0, "1 ", "INVALID_PAYLOAD"));
	cr_expect(frame_has(1, "1 ", "MESSAGE_SEND_FAILED"));
	cr_expect_eq(saw.nroutes, 0);
	cr_expect_eq(stats_get(STAT_messages_failed), 2);
}

/* Whether it is there is not known: devices must not take it for a repeat of
 * what is sent after it. */
Test(send, an_unknown_outcome_begins_a_new_src)
{
	send_text("m1", "one", "a", SIO_NO_ACK);
	answer_last(0, 0);
	send_text("m1", "two", "b", SIO_NO_ACK);
	answer_insert(0, STORE_UNAVAILABLE, NULL);
	answer_insert(1, STORE_UNAVAILABLE, NULL);
	send_text("m1", "three", "c", SIO_NO_ACK);
	send_text("m1", "four", "d", SIO_NO_ACK);
	cr_assert_eq(saw.ninserts, 4);
	cr_expect_str_eq(saw.inserts[1]->src, "h:b:1");
	cr_expect_str_eq(saw.inserts[2]->src, "h:b:1.1");
	cr_expect_str_eq(saw.inserts[3]->src, "h:b:1.1");
	cr_expect_eq(saw.nroutes, 0);
	answer_insert(2, STORE_OK, NULL);
	answer_insert(3, STORE_OK, NULL);
	/* all devices look for the two before they get the third */
	cr_assert_eq(saw.nroutes, 6);
	cr_expect_eq(saw.routes[0].kind, ENV_CATCH_UP);
	cr_expect_str_eq(saw.routes[0].user, "ben");
	cr_expect_eq(saw.routes[1].kind, ENV_CATCH_UP);
	cr_expect_str_eq(saw.routes[1].user, "anna");
	cr_expect_eq(saw.routes[2].kind, ENV_MESSAGE);
	for (int i = 2; i < 6; i++)
		answer_route(i, 0, 1, false);
}

Test(send, asker_gone_meanwhile)
{
	send_text("m1", "hi", "a", 1);
	answer_last(0, 0);
	gone(anna1);
	anna1 = NULL;
	answer_insert(0, STORE_OK, NULL);
	cr_assert_eq(saw.nframes, 1, "only the other device's copy");
	cr_expect(frame_has(0, "2 42[\"message:new\"", "hi"));
	cr_expect_eq(saw.nroutes, 2, "an accepted message is routed all the same");
	answer_route(0, 0, 1, false);
}
