/* What is sent to APNs, and what becomes of the answers. */
#include "common/base/clock.h"
#include "tests/unit/pushd/sender_world.h"

#define HEX "00aaFF0123456789abcdef"

static struct sender *new_apns(const char *name, const char *topic)
{
	struct sender_conf c = conf(name, "https://apns.test");
	struct apns_conf a = { .key_pem = key.pem, .key_id = "ABC1234567",
			       .team_id = "TEAM123456", .topic = topic };
	char err[256] = "";
	struct sender *s = sender_new_apns(loop, &c, &a, err);

	cr_assert_not_null(s, "%s", err);
	return s;
}

static void begin_apns(void)
{
	loop = loop_new();
	pass(1000000);
	key = test_key_ec("P-256");
	sender = new_apns("apns", "com.example.app");
}
TestSuite(sender_apns, .init = begin_apns, .fini = end_sender);

Test(sender_apns, request)
{
	struct fake_request *r;
	const char *bearer;
	json_t *claims;

	send_body(HEX, "{\"aps\":{}}");
	r = fake_h2_next(NULL);
	cr_assert_not_null(r);
	cr_assert_str_eq(r->url, "https://apns.test");
	cr_assert_str_eq(r->method, "POST");
	cr_assert_str_eq(r->path, "/3/device/" HEX);
	cr_assert_str_eq(fake_request_header(r, "apns-topic"), "com.example.app");
	cr_assert_str_eq(fake_request_header(r, "apns-push-type"), "alert");
	cr_assert_str_eq(fake_request_header(r, "apns-priority"), "10");
	cr_assert_str_eq(fake_request_header(r, "apns-expiration"), "1700003600");
	cr_assert_str_eq(fake_request_header(r, "apns-collapse-id"), "match-1");
	cr_assert_str_eq(r->body, "{\"aps\":{}}");
	bearer = fake_request_header(r, "authorization");
	cr_assert_eq(strncmp(bearer, "bearer ", 7), 0);
	claims = test_jwt_claims(bearer + 7, &key, "ES256");
	cr_assert_not_null(claims);
	cr_assert_str_eq(json_string_value(json_object_get(claims, "iss")),
			 "TEAM123456");
	json_decref(claims);
	fake_h2_answer(r, 200, "");
	cr_last(OUTCOME_OK, "");
	cr_assert_eq(calls, 1);
}

Test(sender_apns, silent_ones_and_those_without_a_collapse_id)
{
	static const struct {
		const char *collapse, *header;
	} rows[] = {
		{ "m", "m" }, { "", NULL }, { "a b", NULL }, { "a\nb: c", NULL },
		{ "\xc3\xa9", NULL },
		{ "0123456789012345678901234567890123456789012345678901234567890123",
		  "0123456789012345678901234567890123456789012345678901234567890123" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct notification n = { .token = HEX, .priority = 5,
					  .silent = true };
		const char *got;

		snprintf(n.collapse_id, sizeof(n.collapse_id), "%s",
			 rows[i].collapse);
		sender_send(sender, &n, on_outcome, &calls);
		got = fake_request_header(fake_h2_next(NULL), "apns-collapse-id");
		if (rows[i].header == NULL)
			cr_assert_null(got, "row %zu: %s", i, got);
		else
			cr_assert_str_eq(got, rows[i].header);
		cr_assert_str_eq(fake_request_header(fake_h2_next(NULL),
						     "apns-push-type"),
				 "background");
		cr_assert_str_eq(fake_request_header(fake_h2_next(NULL),
						     "apns-priority"), "5");
		fake_h2_answer(fake_h2_next(NULL), 200, "");
	}
}

Test(sender_apns, each_has_an_id_of_its_own)
{
	static char seen[100][40];

	for (int i = 0; i < 100; i++) {
		struct fake_request *r;
		const char *id;

		send_to(HEX);
		r = fake_h2_next(NULL);
		id = fake_request_header(r, "apns-id");
		cr_assert_eq(strlen(id), 36);
		for (int k = 0; k < 36; k++)
			cr_assert_not_null(strchr(k == 8 || k == 13 || k == 18 ||
						  k == 23 ? "-" :
						  "0123456789abcdef", id[k]));
		cr_assert_eq(id[14], '4');
		for (int k = 0; k < i; k++)
			cr_assert_str_neq(id, seen[k]);
		snprintf(seen[i], sizeof(seen[i]), "%s", id);
		for (size_t k = 0; k < r->nheaders; k++)
			cr_assert_eq(r->headers[k].unique,
				     strcmp(r->headers[k].name, "apns-id") == 0 ||
				     strcmp(r->headers[k].name,
					    "apns-expiration") == 0 ||
				     strcmp(r->headers[k].name,
					    "apns-collapse-id") == 0);
		fake_h2_answer(r, 200, "");
	}
}

Test(sender_apns, nothing_is_signed_for_each)
{
	char *first;

	send_to(HEX);
	first = mem_strdup(fake_request_header(fake_h2_next(NULL),
					       "authorization"));
	fake_h2_answer(fake_h2_next(NULL), 200, "");
	for (int i = 0; i < 100; i++) {
		send_to(HEX);
		cr_assert_str_eq(fake_request_header(fake_h2_next(NULL),
						     "authorization"), first);
		fake_h2_answer(fake_h2_next(NULL), 200, "");
	}
	free(first);
}

/* To the moment at which the next token is signed, with iat now. */
static void to_next_token(void)
{
	struct fake_request *r;
	json_t *claims;
	int64_t age_s;

	send_to(HEX);
	r = fake_h2_next(NULL);
	claims = test_jwt_claims(fake_request_header(r, "authorization") + 7,
				 &key, "ES256");
	age_s = clock_wall_us() / 1000000 -
		json_integer_value(json_object_get(claims, "iat"));
	json_decref(claims);
	fake_h2_answer(r, 200, "");
	pass(age_s < 20 * 60 ? (40 * 60 - age_s) * 1000 :
			       (80 * 60 - age_s) * 1000);
	calls = 0;
}

#define EXPIRED "{\"reason\":\"ExpiredProviderToken\"}"

Test(sender_apns, an_expired_token_is_signed_anew_but_for_the_floor)
{
	char *first;

	to_next_token();
	send_to(HEX);
	first = mem_strdup(fake_request_header(fake_h2_next(NULL),
					       "authorization"));
	/* signed a moment ago: another one would not do better */
	fake_h2_answer(fake_h2_next(NULL), 403, EXPIRED);
	cr_assert_eq(calls, 1);
	cr_last(OUTCOME_CONFIG, "ExpiredProviderToken");
	cr_assert_null(fake_h2_next(NULL));

	pass(20 * 60000);
	send_to(HEX);
	send_to(HEX);
	fake_h2_answer(fake_h2_next(NULL), 403, EXPIRED);
	fake_h2_answer(fake_h2_next(NULL), 403, EXPIRED);
	cr_assert_eq(calls, 1);
	for (int i = 0; i < 2; i++) {
		cr_assert_str_neq(fake_request_header(fake_h2_next(NULL),
						      "authorization"), first);
		fake_h2_answer(fake_h2_next(NULL), 200, "");
	}
	cr_assert_eq(calls, 3);
	cr_last(OUTCOME_OK, "");
	free(first);
}

Test(sender_apns, refused_twice_is_the_operators)
{
	to_next_token();
	send_to(HEX);
	fake_h2_answer(fake_h2_next(NULL), 200, "");
	pass(20 * 60000);
	send_to(HEX);
	fake_h2_answer(fake_h2_next(NULL), 403, EXPIRED);
	fake_h2_answer(fake_h2_next(NULL), 403, EXPIRED);
	cr_assert_eq(calls, 2);
	cr_last(OUTCOME_CONFIG, "ExpiredProviderToken");
	cr_assert_null(fake_h2_next(NULL));
}

Test(sender_apns, too_many_updates_keep_the_token)
{
	char *first;

	send_to(HEX);
	first = mem_strdup(fake_request_header(fake_h2_next(NULL),
					       "authorization"));
	fake_h2_answer(fake_h2_next(NULL), 429,
		       "{\"reason\":\"TooManyProviderTokenUpdates\"}");
	cr_last(OUTCOME_PAUSE, "TooManyProviderTokenUpdates");
	send_to(HEX);
	cr_assert_str_eq(fake_request_header(fake_h2_next(NULL),
					     "authorization"), first);
	fake_h2_answer(fake_h2_next(NULL), 200, "");
	free(first);
}

Test(sender_apns, a_device_token_that_is_none_is_not_asked_about)
{
	static char digits[202];
	const char *rows[] = { "", "xyz", "00/../11", "00aa ", "00aa\r\n", digits };

	memset(digits, 'a', 201);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		calls = 0;
		send_to(rows[i]);
		cr_assert_eq(calls, 0);
		turn();
		cr_assert_eq(calls, 1, "row %zu", i);
		cr_last(OUTCOME_DELETE, "BadDeviceToken");
		cr_assert(last.refused_address);
		cr_assert(last.unasked);
	}
	cr_assert_eq(fake_h2_sent(), 0);
	digits[200] = '\0';
	send_to(digits);
	cr_assert_eq(fake_h2_sent(), 1);
}

Test(sender_apns, when_a_device_is_gone)
{
	send_to(HEX);
	fake_h2_answer(fake_h2_next(NULL), 410, "{\"reason\":\"Unregistered\","
		       "\"timestamp\":1699999999123}");
	cr_last(OUTCOME_DELETE, "Unregistered");
	cr_assert_eq(last.dead_since_ms, INT64_C(1699999999123));
}

Test(sender_apns, bad_configurations)
{
	static const struct {
		const char *url, *topic, *key_id, *err;
	} rows[] = {
		{ "http://apns.test", "com.x", "ABC1234567",
		  "http://apns.test is no https:// URL" },
		{ "https://apns.test", "", "ABC1234567",
		  "the topic is no bundle id" },
		{ "https://apns.test", "com.x\r\nx: y", "ABC1234567",
		  "the topic is no bundle id" },
		{ "https://apns.test", "com.x", "A",
		  "the key id is not 10 letters and digits" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sender_conf c = conf("apns", rows[i].url);
		struct apns_conf a = { .key_pem = key.pem,
				       .key_id = rows[i].key_id,
				       .team_id = "TEAM123456",
				       .topic = rows[i].topic };
		char err[256];

		cr_assert_null(sender_new_apns(loop, &c, &a, err));
		cr_assert_str_eq(err, rows[i].err);
	}
}
