/* What is sent to FCM, and what becomes of the answers. */
#include <errno.h>

#include "pushd/google_token.h"
#include "tests/unit/pushd/sender_world.h"

#define FCM "https://fcm.test"
#define TOKENS "https://token.test:8443"

static void begin_fcm(void)
{
	struct sender_conf c = conf("fcm", FCM);
	struct google_account a;
	char *json, err[256] = "";

	loop = loop_new();
	pass(1000000);
	key = test_key_rsa(2048);
	json = test_account_json(&key, "project-1");
	cr_assert_eq(google_account_read(test_file("a.json", json), &a, err), 0);
	free(json);
	sender = sender_new_fcm(loop, &c, &a, err);
	cr_assert_not_null(sender, "%s", err);
	google_account_clear(&a);
}
TestSuite(sender_fcm, .init = begin_fcm, .fini = end_sender);

static void issue(const char *token)
{
	char body[128];

	snprintf(body, sizeof(body), "{\"access_token\":\"%s\","
		 "\"expires_in\":3600}", token);
	cr_assert_not_null(fake_h2_next(TOKENS));
	fake_h2_answer(fake_h2_next(TOKENS), 200, body);
}

Test(sender_fcm, request)
{
	struct fake_request *r;

	send_body("tok", "{\"message\":{}}");
	cr_assert_eq(sender_pending(sender), 1);
	cr_assert_null(fake_h2_next(FCM));
	issue("at-1");
	r = fake_h2_next(FCM);
	cr_assert_not_null(r);
	cr_assert_str_eq(r->method, "POST");
	cr_assert_str_eq(r->path, "/v1/projects/project-1/messages:send");
	cr_assert_str_eq(fake_request_header(r, "authorization"), "Bearer at-1");
	cr_assert_str_eq(fake_request_header(r, "content-type"),
			 "application/json");
	cr_assert_eq(r->nheaders, 2);
	cr_assert_not(r->headers[0].unique);	/* HPACK is to know it */
	cr_assert_str_eq(r->body, "{\"message\":{}}");
	cr_assert_eq(r->timeout_ms, 7000);
	pass(20);
	fake_h2_answer(r, 200, "{\"name\":\"projects/project-1/messages/1\"}");
	cr_assert_eq(calls, 1);
	cr_last(OUTCOME_OK, "");
	cr_assert_eq(last_us, 20000);
	cr_assert_eq(sender_pending(sender), 0);
}

Test(sender_fcm, a_thousand_wait_for_one_token_and_all_are_sent)
{
	for (int i = 0; i < 1000; i++)
		send_to("tok");
	cr_assert_eq(fake_h2_sent(), 1);
	issue("at-1");
	cr_assert_eq(fake_h2_waiting(FCM), 1000);
	while (fake_h2_next(FCM) != NULL)
		fake_h2_answer(fake_h2_next(FCM), 200, "{}");
	cr_assert_eq(calls, 1000);
	cr_assert_eq(sender_pending(sender), 0);
}

Test(sender_fcm, a_refused_token_is_renewed_once_for_all)
{
	for (int i = 0; i < 3; i++)
		send_to("tok");
	issue("at-1");
	for (int i = 0; i < 3; i++)
		fake_h2_answer(fake_h2_next(FCM), 401,
			       "{\"error\":{\"status\":\"UNAUTHENTICATED\"}}");
	cr_assert_eq(calls, 0);
	cr_assert_eq(fake_h2_waiting(TOKENS), 1);
	issue("at-2");
	cr_assert_eq(fake_h2_waiting(FCM), 3);
	for (int i = 0; i < 3; i++) {
		struct fake_request *r = fake_h2_next(FCM);

		cr_assert_str_eq(fake_request_header(r, "authorization"),
				 "Bearer at-2");
		fake_h2_answer(r, 200, "{}");
	}
	cr_assert_eq(calls, 3);
	cr_last(OUTCOME_OK, "");
	cr_assert_eq(fake_h2_sent(), 2 + 6);
}

Test(sender_fcm, late_news_of_the_old_token_fetch_no_other)
{
	send_to("a");
	send_to("b");
	issue("at-1");
	fake_h2_answer(fake_h2_next(FCM), 401, "");
	issue("at-2");
	/* b's, sent with the first token, then a's second try */
	fake_h2_answer(fake_h2_next(FCM), 401, "");
	cr_assert_null(fake_h2_next(TOKENS));
	cr_assert_eq(fake_h2_waiting(FCM), 2);
	fake_h2_answer(fake_h2_next(FCM), 200, "{}");
	fake_h2_answer(fake_h2_next(FCM), 200, "{}");
	cr_assert_eq(calls, 2);
}

Test(sender_fcm, refused_twice_is_the_operators)
{
	send_to("tok");
	issue("at-1");
	fake_h2_answer(fake_h2_next(FCM), 401, "");
	issue("at-2");
	fake_h2_answer(fake_h2_next(FCM), 401,
		       "{\"error\":{\"status\":\"UNAUTHENTICATED\"}}");
	cr_assert_eq(calls, 1);
	cr_last(OUTCOME_CONFIG, "UNAUTHENTICATED");
	cr_assert_null(fake_h2_next(NULL));
}

Test(sender_fcm, third_party_errors_are_not_the_tokens_fault)
{
	send_to("tok");
	issue("at-1");
	fake_h2_answer(fake_h2_next(FCM), 401, "{\"error\":{\"status\":"
		"\"UNAUTHENTICATED\",\"details\":[{\"@type\":"
		"\"type.googleapis.com/google.firebase.fcm.v1.FcmError\","
		"\"errorCode\":\"THIRD_PARTY_AUTH_ERROR\"}]}}");
	cr_assert_eq(calls, 1);
	cr_assert_str_eq(last.reason, "THIRD_PARTY_AUTH_ERROR");
	cr_assert_null(fake_h2_next(TOKENS));
}

Test(sender_fcm, without_an_access_token)
{
	static const struct {
		int status;		/* of the token end-point; 0: none */
		enum outcome_kind kind;
		const char *reason;
	} rows[] = {
		{ 0, OUTCOME_RETRY, "not_connected" },
		{ 503, OUTCOME_RETRY, "not_connected" },
		{ 400, OUTCOME_CONFIG, "credentials" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fake_request *r;

		pass(100000);
		calls = 0;
		send_to("tok");
		r = fake_h2_next(TOKENS);
		cr_assert_not_null(r);
		if (rows[i].status == 0)
			fake_h2_fail(r, -ECONNRESET);
		else
			fake_h2_answer(r, rows[i].status, "");
		turn();
		cr_assert_eq(calls, 1);
		cr_last(rows[i].kind, rows[i].reason);
	}
	/* refused for a minute: known at once, but told in the next turn */
	send_to("tok");
	cr_assert_eq(calls, 1);
	cr_assert_eq(sender_pending(sender), 1);
	turn();
	cr_assert_eq(calls, 2);
	cr_last(OUTCOME_CONFIG, "credentials");
	cr_assert_null(fake_h2_next(NULL));
}

Test(sender_fcm, answers_go_through_the_table)
{
	send_to("a");
	send_to("b");
	send_to("c");
	issue("at-1");
	fake_h2_answer_after(fake_h2_next(FCM), 503,
			     "{\"error\":{\"status\":\"UNAVAILABLE\"}}", "7");
	cr_last(OUTCOME_RETRY, "UNAVAILABLE");
	cr_assert_eq(last.retry_after_ms, 7000);
	fake_h2_answer(fake_h2_next(FCM), 404, "{\"error\":{\"details\":[{"
		"\"@type\":\"type.googleapis.com/google.firebase.fcm.v1.FcmError\","
		"\"errorCode\":\"UNREGISTERED\"}]}}");
	cr_last(OUTCOME_DELETE, "UNREGISTERED");
	fake_h2_fail(fake_h2_next(FCM), -ETIMEDOUT);
	cr_last(OUTCOME_RETRY, "timeout");
	cr_assert_eq(calls, 3);
}

Test(sender_fcm, a_device_token_that_is_none_is_not_asked_about)
{
	static char too_long[TOKEN_MAX + 2];
	const char *rows[] = { "", "a\nb", "a\x7f", "\x01", "a\r\nx: y", too_long };

	memset(too_long, 'a', sizeof(too_long) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		calls = 0;
		send_to(rows[i]);
		cr_assert_eq(calls, 0);
		turn();
		cr_assert_eq(calls, 1, "row %zu", i);
		cr_last(OUTCOME_DELETE, "INVALID_ARGUMENT");
		cr_assert(last.refused_address);
		cr_assert(last.unasked);
		cr_assert_eq(last.dead_since_ms, 0);
	}
	cr_assert_eq(fake_h2_sent(), 0);
}

Test(sender_fcm, freeing_answers_all)
{
	send_to("waits for a token");
	sender_free(&sender);
	cr_assert_eq(calls, 1);
	cr_last(OUTCOME_RETRY, "canceled");
}

Test(sender_fcm, freeing_answers_what_was_sent)
{
	send_to("a");
	send_to("b");
	issue("at-1");
	send_to("\n");
	sender_free(&sender);
	cr_assert_eq(calls, 3);
}

static size_t idle_calls;

static void on_idle(void *arg)
{
	idle_calls++;
	cr_assert_eq(sender_pending(arg), 0);
}

Test(sender_fcm, retired_tells_when_nothing_is_pending)
{
	sender_retire(sender, on_idle, sender);
	cr_assert_eq(idle_calls, 1);
	send_to("a");
	issue("at-1");
	send_to("b");
	fake_h2_answer(fake_h2_next(FCM), 200, "{}");
	cr_assert_eq(idle_calls, 1);
	fake_h2_answer(fake_h2_next(FCM), 200, "{}");
	cr_assert_eq(idle_calls, 2);
}
