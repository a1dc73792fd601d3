/* Google's access token: fetched once, kept, renewed, refused. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <criterion/criterion.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "pushd/google_token.h"
#include "tests/unit/pushd/fake_h2_client.h"
#include "tests/unit/pushd/push_keys.h"

#define FORM "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer" \
	"&assertion="
#define WALL_S INT64_C(1700000000)
#define HOUR_MS INT64_C(3600000)

static struct test_key key;
static struct loop *loop;
static struct google_token *token;
static int64_t mono_ms;

/* What the last callback said, and how many there were. */
static size_t calls;
static int last_err;
static char last[64];

static void on_token(void *arg, int err, const char *text)
{
	(void)arg;
	calls++;
	last_err = err;
	snprintf(last, sizeof(last), "%s", text != NULL ? text : "");
}

static void pass(int64_t ms)
{
	mono_ms += ms;
	clock_fake_set(mono_ms * 1000, WALL_S * 1000000 + mono_ms * 1000);
}

static void begin(void)
{
	struct google_token_conf c = { .name = "fcm", .timeout_ms = 5000 };
	char *json, err[256] = "";

	key = test_key_rsa(2048);
	json = test_account_json(&key, "project-1");
	cr_assert_eq(google_account_read(test_file("fcm.json", json),
					 &c.account, err), 0, "%s", err);
	free(json);
	loop = loop_new();
	pass(1000000);
	token = google_token_new(loop, &c, err);
	cr_assert_not_null(token, "%s", err);
	google_account_clear(&c.account);
}

static void end(void)
{
	google_token_free(&token);
	cr_assert_null(token);
	cr_assert_eq(fake_h2_clients(), 0);
	loop_free(&loop);
	test_key_clear(&key);
	test_dir_remove();
}

static void get(void)
{
	google_token_get(token, on_token, NULL);
}

static void answer(const char *text, int life_s)
{
	char body[256];

	snprintf(body, sizeof(body), "{\"access_token\":\"%s\",\"expires_in\":%d,"
		 "\"token_type\":\"Bearer\"}", text, life_s);
	fake_h2_answer(fake_h2_next(NULL), 200, body);
}

/* Asked again until the end-point is asked, too. */
static int64_t until_asked(int64_t step_ms)
{
	int64_t waited = 0;

	while (fake_h2_next(NULL) == NULL && waited < 10 * HOUR_MS) {
		pass(step_ms);
		waited += step_ms;
		get();
	}
	return waited;
}

TestSuite(google_token, .init = begin, .fini = end);

Test(google_token, request_is_a_signed_grant)
{
	struct fake_request *r;
	json_t *claims, *header;

	get();
	cr_assert_eq(calls, 0);
	r = fake_h2_next(NULL);
	cr_assert_not_null(r);
	cr_assert_str_eq(r->url, "https://token.test:8443");
	cr_assert_str_eq(r->method, "POST");
	cr_assert_str_eq(r->path, "/oauth/token");
	cr_assert_str_eq(fake_request_header(r, "content-type"),
			 "application/x-www-form-urlencoded");
	cr_assert_eq(r->timeout_ms, 5000);
	cr_assert_eq(strncmp(r->body, FORM, strlen(FORM)), 0, "%s", r->body);
	claims = test_jwt_claims(r->body + strlen(FORM), &key, "RS256");
	header = test_jwt_header(r->body + strlen(FORM), &key, "RS256");
	cr_assert_not_null(claims);
	cr_assert_str_eq(json_string_value(json_object_get(header, "kid")),
			 "kid-1");
	cr_assert_str_eq(json_string_value(json_object_get(claims, "iss")),
			 "push@test.example");
	cr_assert_str_eq(json_string_value(json_object_get(claims, "scope")),
			 "https://www.googleapis.com/auth/firebase.messaging");
	cr_assert_str_eq(json_string_value(json_object_get(claims, "aud")),
			 "https://token.test:8443/oauth/token");
	cr_assert_eq(json_integer_value(json_object_get(claims, "iat")),
		     WALL_S + mono_ms / 1000);
	cr_assert_eq(json_integer_value(json_object_get(claims, "exp")),
		     WALL_S + mono_ms / 1000 + 3600);
	cr_assert_null(json_object_get(claims, "sub"));
	json_decref(claims);
	json_decref(header);
	answer("t1", 3599);
	cr_assert_eq(calls, 1);
	cr_assert_eq(last_err, 0);
	cr_assert_str_eq(last, "t1");
}

Test(google_token, five_hundred_ask_and_one_fetch_serves_them)
{
	for (int i = 0; i < 500; i++)
		get();
	cr_assert_eq(calls, 0);
	cr_assert_eq(fake_h2_sent(), 1);
	answer("t1", 3600);
	cr_assert_eq(calls, 500);
	cr_assert_str_eq(last, "t1");
	for (int i = 0; i < 500; i++)
		get();
	cr_assert_eq(calls, 1000);
	cr_assert_eq(fake_h2_sent(), 1);
}

Test(google_token, renewed_early_while_the_old_one_serves)
{
	get();
	answer("t1", 3600);
	pass(HOUR_MS - GOOGLE_RENEW_EARLY_MS - 1);
	get();
	cr_assert_eq(fake_h2_sent(), 1);
	pass(1);
	for (int i = 0; i < 10; i++)
		get();
	cr_assert_eq(fake_h2_sent(), 2);
	cr_assert_eq(calls, 12);
	cr_assert_str_eq(last, "t1");
	answer("t2", 3600);
	cr_assert_eq(calls, 12);
	get();
	cr_assert_str_eq(last, "t2");
}

Test(google_token, a_short_life_is_renewed_in_its_last_fifth)
{
	get();
	answer("t1", 100);
	pass(79999);
	get();
	cr_assert_eq(fake_h2_sent(), 1);
	pass(1);
	get();
	cr_assert_eq(fake_h2_sent(), 2);
}

Test(google_token, life_counts_from_the_question)
{
	get();
	pass(60000);
	answer("t1", 100);
	pass(39999);
	get();
	cr_assert_str_eq(last, "t1");
	pass(1);
	get();
	cr_assert_eq(calls, 2);	/* waits for the fetch that the last one began */
	cr_assert_eq(fake_h2_sent(), 2);
	answer("t2", 100);
	cr_assert_str_eq(last, "t2");
}

Test(google_token, without_the_end_point_the_old_one_serves_to_its_end)
{
	size_t asked;

	get();
	answer("t1", 3600);
	pass(HOUR_MS - 200000);
	get();
	fake_h2_fail(fake_h2_next(NULL), -ETIMEDOUT);
	/* each second, for 199 s more: the end-point stays silent */
	for (int i = 0; i < 199; i++) {
		pass(1000);
		get();
		cr_assert_eq(last_err, 0);
		cr_assert_str_eq(last, "t1");
		if (fake_h2_next(NULL) != NULL)
			fake_h2_answer(fake_h2_next(NULL), 503, "");
	}
	asked = fake_h2_sent();
	/* backoff to 5 s, with jitter: about 80 of them */
	cr_assert(asked > 30 && asked < 140, "%zu", asked);
	pass(1000);
	get();
	if (fake_h2_next(NULL) != NULL)
		fake_h2_answer(fake_h2_next(NULL), 500, "");
	cr_assert_eq(last_err, -EAGAIN);
	cr_assert_str_eq(last, "");
	until_asked(100);
	answer("t2", 3600);
	cr_assert_eq(last_err, 0);
	cr_assert_str_eq(last, "t2");
}

Test(google_token, failures_back_off)
{
	int64_t longest = 0;

	get();
	for (int i = 0; i < 30; i++) {
		int64_t waited;

		fake_h2_fail(fake_h2_next(NULL), -ENOTCONN);
		cr_assert_eq(last_err, -EAGAIN);
		waited = until_asked(10);
		cr_assert_leq(waited, 5010);
		longest = waited > longest ? waited : longest;
	}
	cr_assert_geq(longest, 1000);
	answer("t1", 3600);
	cr_assert_str_eq(last, "t1");
}

Test(google_token, a_refusal_holds_for_a_minute)
{
	get();
	get();
	fake_h2_answer(fake_h2_next(NULL), 400,
		       "{\"error\":\"invalid_grant\",\"error_description\":\"x\"}");
	cr_assert_eq(calls, 2);
	cr_assert_eq(last_err, -EACCES);
	pass(GOOGLE_REFUSED_MS - 1);
	get();
	cr_assert_eq(calls, 3);
	cr_assert_eq(last_err, -EACCES);
	cr_assert_eq(fake_h2_sent(), 1);
	pass(1);
	get();
	cr_assert_eq(calls, 3);
	cr_assert_eq(fake_h2_sent(), 2);
	answer("t1", 3600);
	cr_assert_eq(last_err, 0);
}

Test(google_token, what_the_provider_refused_is_fetched_anew)
{
	get();
	answer("t1", 3600);
	google_token_refused(token, "t0");
	get();
	cr_assert_str_eq(last, "t1");
	google_token_refused(token, "t1");
	get();
	cr_assert_eq(calls, 2);
	cr_assert_eq(fake_h2_sent(), 2);
	answer("t2", 3600);
	cr_assert_eq(calls, 3);
	cr_assert_str_eq(last, "t2");
	/* late news of the first */
	google_token_refused(token, "t1");
	get();
	cr_assert_str_eq(last, "t2");
	cr_assert_eq(fake_h2_sent(), 2);
}

Test(google_token, answers)
{
	static char long_token[GOOGLE_TOKEN_MAX + 64];
	const struct {
		int status;
		const char *body;
		int err;
		const char *token;
	} rows[] = {
		{ 200, "{\"access_token\":\"a.b-c_d/e~\",\"expires_in\":3599}", 0,
		  "a.b-c_d/e~" },
		{ 200, "{\"access_token\":\"t\"}", 0, "t" },
		{ 200, "", -EAGAIN, "" },
		{ 200, "{", -EAGAIN, "" },
		{ 200, "[]", -EAGAIN, "" },
		{ 200, "{\"access_token\":\"\",\"expires_in\":9}", -EAGAIN, "" },
		{ 200, "{\"access_token\":7,\"expires_in\":9}", -EAGAIN, "" },
		{ 200, "{\"access_token\":\"a b\",\"expires_in\":9}", -EAGAIN, "" },
		{ 200, "{\"access_token\":\"a\\r\\nx: y\",\"expires_in\":9}",
		  -EAGAIN, "" },
		{ 200, "{\"access_token\":\"t\",\"expires_in\":0}", -EAGAIN, "" },
		{ 200, "{\"access_token\":\"t\",\"expires_in\":-5}", -EAGAIN, "" },
		{ 200, "{\"access_token\":\"t\",\"expires_in\":\"9\"}", -EAGAIN,
		  "" },
		{ 200, long_token, -EAGAIN, "" },
		{ 302, "", -EAGAIN, "" },
		{ 400, "{\"error\":\"invalid_grant\"}", -EACCES, "" },
		{ 401, "{\"error\":\"invalid_client\"}", -EACCES, "" },
		{ 403, "<html>", -EACCES, "" },
		{ 404, "", -EACCES, "" },
		{ 408, "", -EAGAIN, "" },
		{ 429, "{\"error\":\"rate_limit_exceeded\"}", -EAGAIN, "" },
		{ 500, "", -EAGAIN, "" },
		{ 503, "{\"error\":\"backend_error\"}", -EAGAIN, "" },
	};

	memset(long_token, 'x', sizeof(long_token) - 1);
	memcpy(long_token, "{\"access_token\":\"", 17);
	memcpy(long_token + sizeof(long_token) - 3, "\"}", 2);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		pass(2 * GOOGLE_REFUSED_MS);
		google_token_refused(token, last);
		calls = 0;
		get();
		cr_assert_not_null(fake_h2_next(NULL), "row %zu", i);
		fake_h2_answer(fake_h2_next(NULL), rows[i].status, rows[i].body);
		cr_assert_eq(calls, 1);
		cr_assert_eq(last_err, rows[i].err, "row %zu: %d", i, last_err);
		cr_assert_str_eq(last, rows[i].token, "row %zu: %s", i, last);
	}
}

Test(google_token, the_log_has_a_line_per_change_and_no_secret)
{
	char *log;
	size_t lines = 0;

	test_capture();
	for (int i = 0; i < 5; i++) {
		get();
		fake_h2_fail(fake_h2_next(NULL), -ETIMEDOUT);
		pass(60000);
	}
	for (int i = 0; i < 5; i++) {
		get();
		fake_h2_answer(fake_h2_next(NULL), 400,
			       "{\"error\":\"invalid_grant\","
			       "\"error_description\":\"a\\u0007secret\"}");
		pass(60000);
	}
	get();
	fake_h2_answer(fake_h2_next(NULL), 400, "{\"error\":\"SECRET words\"}");
	pass(60000);
	get();
	answer("the-secret-token", 3600);
	log = test_captured();
	for (const char *p = log; *p != '\0'; p++)
		lines += *p == '\n';
	cr_assert_eq(lines, 4, "%s", log);
	cr_assert_not_null(strstr(log, "Connection timed out"), "%s", log);
	cr_assert_not_null(strstr(log, "invalid_grant (HTTP 400)"), "%s", log);
	cr_assert_not_null(strstr(log, "had again"), "%s", log);
	cr_assert_null(strstr(log, "secret"), "%s", log);
	cr_assert_null(strstr(log, "SECRET"), "%s", log);
	cr_assert_null(strstr(log, "eyJ"), "%s", log);
	free(log);
}

Test(google_token, freeing_answers_those_who_wait)
{
	get();
	get();
	google_token_free(&token);
	cr_assert_eq(calls, 2);
	cr_assert_eq(last_err, -ECANCELED);
}

Test(google_token, bad_configurations)
{
	struct google_account a = {
		.project_id = mem_strdup("p"),
		.client_email = mem_strdup("e@x"),
		.private_key = mem_strdup("BAD SECRET"),
		.private_key_id = mem_strdup(""),
		.token_uri = mem_strdup("https://x"),
	};
	struct google_token_conf c = { .name = "fcm", .account = a };
	char err[256];

	cr_assert_null(google_token_new(loop, &c, err));
	cr_assert_str_eq(err, "private_key is not a private key in PEM");
	c.account.private_key = key.pem;
	c.ca_file = "/nowhere";
	cr_assert_null(google_token_new(loop, &c, err));
	cr_assert_str_eq(err, "cannot read /nowhere");
	google_account_clear(&a);
	cr_assert_null(a.private_key);
}
