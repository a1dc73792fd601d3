/* message:send: the order of a stream, what is asked of whom, who is told what,
 * and how much one client may send. */
#include "tests/unit/chat/send_world.h"

Test(send, held_until_the_match_and_last_are_known)
{
	saw.match_async = true;
	send_text("m1", "one", "a", SIO_NO_ACK);
	send_text("m1", "two", "b", SIO_NO_ACK);
	cr_expect_eq(saw.ninserts, 0);
	saw.match_async = false;
	saw.match.cb(saw.match.arg, 0, &the_match);
	cr_expect_eq(saw.nlast, 1, "one query for the stream's first use");
	cr_expect_eq(saw.ninserts, 0);
	send_text("m1", "three", "c", SIO_NO_ACK);
	answer_last(0, 5000000 + 50);	/* ahead of our clock by 50 ms */
	cr_assert_eq(saw.ninserts, 3);
	for (int i = 0; i < 3; i++) {
		const char *const want[] = { "one", "two", "three" };
		const struct message *m = saw.inserts[i];

		cr_expect_eq(strncmp(m->content.p, want[i], m->content.n), 0);
		cr_expect_eq(m->sent_at_ms, 5000051 + i, "after what was sent");
		cr_expect_str_eq(m->recipient_id, "ben");
		cr_expect_eq(m->owe, m->pos + 10000000);
		cr_expect_eq(m->chg, m->pos);
		cr_expect_str_eq(m->src, "h:b:1");
	}
	cr_expect_lt(saw.inserts[0]->pos, saw.inserts[1]->pos);
	cr_expect_eq(saw.nframes, 0, "nothing is said before it is durable");
	for (int i = 0; i < 3; i++)
		answer_insert(i, STORE_UNAVAILABLE, NULL);
}

Test(send, a_stranger_costs_no_store_query)
{
	send_text("m2", "hi", "a", 7);
	cr_expect_eq(saw.nlast, 0);
	cr_assert_eq(saw.nframes, 2);
	cr_expect(frame_has(0, "1 42[\"error\"", "\"code\":\"INVALID_MATCH\""));
	cr_expect(frame_has(0, "1 ", "\"tempId\":\"a\""));
	cr_expect_eq(stats_get(STAT_messages_failed), 0);
	cr_expect(frame_has(1, "1 ack7 {\"ok\":false", "INVALID_MATCH"));
}

Test(send, stored_is_told_and_routed)
{
	ben = device("ben", 3);
	send_text("m1", "hi", "a", 4);
	answer_last(0, 0);
	answer_insert(0, STORE_OK, NULL);
	cr_assert_eq(saw.nframes, 4);
	cr_expect(frame_has(0, "1 42[\"message:sent\"", "\"tempId\":\"a\""));
	cr_expect(frame_has(1, "1 ack4 {\"ok\":true", "\"messageId\""));
	cr_expect(frame_has(2, "3 42[\"message:new\"", "\"content\":\"hi\""));
	cr_expect_null(strstr(saw.frames[2], "tempId"));
	cr_expect(frame_has(3, "2 42[\"message:new\"", "\"tempId\":\"a\""),
		  "the sender's other device, not the asking one");
	cr_assert_eq(saw.nroutes, 2);
	cr_expect_eq(saw.routes[0].kind, ENV_MESSAGE);
	cr_expect_str_eq(saw.routes[0].user, "ben");
	cr_expect_eq(saw.routes[0].extra, ROUTE_UNREAD);
	cr_expect_eq(saw.routes[1].kind, ENV_OWN_COPY);
	cr_expect_str_eq(saw.routes[1].user, "anna");
	cr_expect_eq(device_pending_count(ben), 1);
	cr_expect_eq(saw.seen_message_at, saw.inserts[0]->sent_at_ms);
	answer_route(0, 0, 0, false);
	cr_expect(list_empty(&c.due), "ben has it here: no push");
}

Test(send, recipient_who_is_just_connecting_counts_as_present)
{
	ben = device("ben", 3);
	ben->accepted = false;
	ben->user->registered = false;
	send_text("m1", "one", "a", SIO_NO_ACK);
	answer_last(0, 0);
	answer_insert(0, STORE_OK, NULL);
	cr_expect_eq(device_pending_count(ben), 0, "it is in the store for him");
	answer_route(0, 0, 0, false);
	cr_expect(list_empty(&c.due));
}

Test(send, what_was_sent_before_is_not_sent_again)
{
	struct envelope e = {
		.kind = ENV_MESSAGE, .user_id = SLICE("ben"),
		.event = SLICE("42[\"x\"]"),
		.id = SLICE("0123456789abcdef01234567"),
		.match_id = SLICE("m1"), .sender_id = SLICE("anna"),
		.src = SLICE("h:b:2"), .pos = 4000000000,
	};

	ben = device("ben", 3);
	chat_deliver(&c, &e);
	chat_deliver(&c, &e);
	cr_assert_eq(saw.nframes, 1);
	cr_expect_eq(device_pending_count(ben), 1);
	e.pos--;
	chat_deliver(&c, &e);
	cr_expect_eq(saw.nframes, 1, "his stream was sent further");
	e.pos = 4000000001;
	chat_deliver(&c, &e);
	e.src = SLICE("h:b:3");
	e.pos = 1;
	e.id = SLICE("0123456789abcdef01234568");
	chat_deliver(&c, &e);
	cr_expect_eq(saw.nframes, 3, "another stream");
	cr_expect(frame_has(2, "3 42[\"x\",\"1.", "\"]"));
}

Test(send, last_is_asked_again_after_another_stay)
{
	send_text("m1", "one", "a", SIO_NO_ACK);
	answer_last(0, 0);
	answer_insert(0, STORE_UNAVAILABLE, NULL);
	send_text("m1", "two", "b", SIO_NO_ACK);
	cr_expect_eq(saw.nlast, 1);
	answer_insert(1, STORE_UNAVAILABLE, NULL);
	gone(anna1);
	gone(anna2);
	anna1 = device("anna", 1);
	anna2 = device("anna", 2);
	send_text("m1", "three", "c", SIO_NO_ACK);
	cr_assert_eq(saw.nlast, 2, "he may have sent elsewhere meanwhile");
	answer_last(0, 6000000);
	cr_assert_eq(saw.ninserts, 3);
	cr_expect_eq(saw.inserts[2]->sent_at_ms, 6000001);
	answer_insert(2, STORE_UNAVAILABLE, NULL);
}

Test(send, waiting_events_of_one_client_are_bounded)
{
	char big[90];
	int n = 0;

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	saw.match_async = true;
	while (saw.nframes == 0 && n < 100000) {
		send_text("m1", big, NULL, SIO_NO_ACK);
		n++;
	}
	cr_expect(frame_has(0, "1 42[\"error\"", "RATE_LIMITED"));
	cr_expect_gt(n, 1000);
	cr_expect_leq(n, 8193);
	saw.nframes = 0;
	saw.match_async = false;
	c.down = true;		/* the first is answered, the rest refused */
	gone(anna1);
	anna1 = NULL;
	saw.match.cb(saw.match.arg, -EAGAIN, NULL);
	cr_expect_eq(c.ops, 0);
}

/* Limits of three, one more each 50 ms. */
static void limit_to_three(void)
{
	struct rate_conf rate = rate_conf(20, 3);

	send_rates_free(&c.send_rates);
	send_rates_init(&c.send_rates, &rate, 10);
}

Test(send, too_fast_is_told_when_to_come_back)
{
	limit_to_three();
	saw.match_async = true;		/* the three wait and say nothing */
	for (int i = 0; i < 3; i++)
		send_text("m1", "hi", "a", SIO_NO_ACK);
	cr_assert_eq(saw.nframes, 0);
	clock_fake_set(1000000 + 9000, 5000000000);
	send_text("m1", "hi", "a", 7);	/* a resend counts like any other */
	cr_assert_eq(saw.nframes, 2);
	cr_expect(frame_has(0, "1 42[\"error\"", "\"code\":\"RATE_LIMITED\""));
	cr_expect(frame_has(0, "1 ", "\"retryAfter\":41,\"tempId\":\"a\""));
	cr_expect(frame_has(1, "1 ack7 {\"ok\":false", "\"retryAfter\":41"));
	clock_fake_set(1000000 + 50000, 5000000000);
	send_text("m1", "hi", "b", SIO_NO_ACK);
	cr_expect_eq(saw.nframes, 2, "one more after 50 ms");
	saw.match_async = false;
	saw.match_err = -EAGAIN;
	saw.match.cb(saw.match.arg, -EAGAIN, NULL);
}

Test(send, a_wrong_payload_costs_nothing)
{
	json_t *j = json_pack("{s:s}", "matchId", "m1");

	limit_to_three();
	for (int i = 0; i < 10; i++)
		ev_send(anna1, j, SIO_NO_ACK);
	json_decref(j);
	for (int i = 0; i < 10; i++)
		cr_expect(frame_has(i, "1 42", "INVALID_PAYLOAD"));
}

/* Devices share a bucket, and neither leaving nor another user refills it. */
Test(send, the_bucket_is_the_users)
{
	struct device *first = anna1;
	limit_to_three();
	saw.match_err = -EAGAIN;
	for (int i = 0; i < 3; i++)
		send_text("m1", "hi", "a", SIO_NO_ACK);
	anna1 = anna2;
	send_text("m1", "hi", "a", SIO_NO_ACK);
	cr_assert_eq(saw.nframes, 4);
	cr_expect(frame_has(2, "1 ", "SERVICE_UNAVAILABLE"));
	cr_expect(frame_has(3, "2 ", "RATE_LIMITED"), "%s", saw.frames[3]);
	gone(first);
	gone(anna2);
	anna1 = device("anna", 4);
	anna2 = device("anna", 5);
	send_text("m1", "hi", "a", SIO_NO_ACK);
	cr_expect(frame_has(4, "4 ", "RATE_LIMITED"), "%s", saw.frames[4]);
}
