/* When APNs' provider token is signed anew. */
#include <stdlib.h>

#include <criterion/criterion.h>

#include "common/base/mem.h"
#include "pushd/apns_token.h"
#include "tests/unit/pushd/push_keys.h"

#define MIN INT64_C(60000)
#define NOW (INT64_C(1700000000) * 1000)

static struct test_key key;
static struct apns_token *token;
static char *last;

static void begin(void)
{
	char err[256];

	key = test_key_ec("P-256");
	token = apns_token_new(key.pem, "ABC1234567", "TEAM123456", err);
	cr_assert_not_null(token, "%s", err);
}

static void end(void)
{
	apns_token_free(&token);
	cr_assert_null(token);
	test_key_clear(&key);
	free(last);
}

static int64_t iat(const char *jwt)
{
	json_t *c = test_jwt_claims(jwt, &key, "ES256");
	int64_t v;

	cr_assert_not_null(c);
	v = json_integer_value(json_object_get(c, "iat")) * 1000;
	json_decref(c);
	return v;
}

/* Whether this get signed another. */
static bool changes(int64_t now_ms)
{
	const char *t = apns_token_get(token, now_ms);
	bool is = last == NULL || strcmp(t, last) != 0;

	free(last);
	last = mem_strdup(t);
	return is;
}

/* The first moment at or after now at which a step of this key begins. */
static int64_t step_after(int64_t now_ms)
{
	char err[256];
	struct apns_token *t = apns_token_new(key.pem, "ABC1234567",
					      "TEAM123456", err);
	int64_t step = iat(apns_token_get(t, now_ms)) + 40 * MIN;

	apns_token_free(&t);
	return step;
}

TestSuite(apns_token, .init = begin, .fini = end);

Test(apns_token, claims_are_apples)
{
	const char *jwt = apns_token_get(token, NOW);
	json_t *header = test_jwt_header(jwt, &key, "ES256");
	json_t *claims = test_jwt_claims(jwt, &key, "ES256");

	cr_assert_str_eq(json_string_value(json_object_get(header, "kid")),
			 "ABC1234567");
	cr_assert_str_eq(json_string_value(json_object_get(claims, "iss")),
			 "TEAM123456");
	cr_assert_eq(json_object_size(claims), 2);
	cr_assert(iat(jwt) <= NOW && iat(jwt) > NOW - 40 * MIN);
	json_decref(header);
	json_decref(claims);
}

Test(apns_token, all_hosts_sign_for_the_same_time)
{
	char err[256];
	struct apns_token *other = apns_token_new(key.pem, "ABC1234567",
						  "TEAM123456", err);
	int64_t step = step_after(NOW);

	cr_assert_eq(iat(apns_token_get(token, step)), step);
	cr_assert_eq(iat(apns_token_get(other, step + 39 * MIN)), step);
	apns_token_free(&other);
}

Test(apns_token, one_serves_a_step)
{
	int64_t step = step_after(NOW), now = step;

	cr_assert(changes(now));
	for (; now < step + 40 * MIN; now += 1000)
		cr_assert_not(changes(now), "after %lld s",
			      (long long)(now - step) / 1000);
	cr_assert(changes(now));
	cr_assert_eq(iat(last), step + 40 * MIN);
}

Test(apns_token, none_is_older_than_50_minutes_or_renewed_without_need)
{
	/* started at each minute of a step; asked each 10 s for 5 hours */
	for (int start = 0; start < 40; start++) {
		int64_t t0 = step_after(NOW) + start * MIN, at = t0, signs = 0;
		int64_t now_iat = 0;
		char err[256];

		apns_token_free(&token);
		token = apns_token_new(key.pem, "ABC1234567", "TEAM123456", err);
		for (int64_t now = t0; now < t0 + 300 * MIN; now += 10000) {
			if (changes(now)) {
				/* the first one's age decides, if it was late */
				cr_assert(signs < 2 || now - at >= 20 * MIN,
					  "start %d: %lld ms", start,
					  (long long)(now - at));
				signs++;
				at = now;
				now_iat = iat(last);
			}
			cr_assert(now - now_iat <= 50 * MIN, "start %d", start);
		}
		cr_assert(signs >= 7 && signs <= 9, "start %d: %lld", start,
			  (long long)signs);
	}
}

/* The age of the second token at its making, and which step's it is, when a
 * process began at this minute of a step. */
Test(apns_token, the_second_one_comes_20_minutes_later_or_at_50)
{
	static const struct {
		int start, second;
	} rows[] = { { 0, 40 }, { 20, 40 }, { 25, 45 }, { 30, 50 }, { 39, 50 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t step = step_after(NOW);
		int64_t now = step + rows[i].start * MIN;
		char err[256];

		apns_token_free(&token);
		token = apns_token_new(key.pem, "ABC1234567", "TEAM123456", err);
		changes(now);
		do {
			now += 10000;
		} while (!changes(now));
		cr_assert_eq(now, step + rows[i].second * MIN, "row %zu: %lld",
			     i, (long long)(now - step) / MIN);
		cr_assert_eq(iat(last), step + 40 * MIN);
	}
}

Test(apns_token, refusal_signs_anew_but_not_within_20_minutes)
{
	int64_t step = step_after(NOW);

	changes(step);
	apns_token_refused(token, step + 19 * MIN);
	cr_assert_not(changes(step + 19 * MIN));
	apns_token_refused(token, step + 20 * MIN);
	cr_assert(changes(step + 20 * MIN));
	cr_assert_eq(iat(last), step + 20 * MIN);
	/* what was in flight is refused, too */
	apns_token_refused(token, step + 20 * MIN + 5);
	cr_assert_not(changes(step + 20 * MIN + 5));
	/* the next step begins at 40; the floor ends there, too */
	cr_assert_not(changes(step + 40 * MIN - 1));
	cr_assert(changes(step + 40 * MIN));
}

/* When, after a refusal at this minute of a step, the next ones are signed, and
 * for when. Tokens whose iat is less than 20 minutes apart would be too many. */
Test(apns_token, after_a_refusal_back_in_step)
{
	static const struct {
		int refused, at[2], iat[2];
	} rows[] = {
		{ 20, { 40, 80 }, { 40, 80 } },
		{ 25, { 75, 120 }, { 75, 120 } },	/* 40 too early, 80 too late */
		{ 29, { 79, 120 }, { 79, 120 } },
		{ 30, { 80, 120 }, { 80, 120 } },
		{ 39, { 80, 120 }, { 80, 120 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t step = step_after(NOW), now = step;
		char err[256];

		apns_token_free(&token);
		token = apns_token_new(key.pem, "ABC1234567", "TEAM123456", err);
		changes(now);
		now += rows[i].refused * MIN;
		apns_token_refused(token, now);
		cr_assert(changes(now));
		cr_assert_eq(iat(last), now);
		for (int k = 0; k < 2; k++) {
			do {
				now += 10000;
			} while (!changes(now));
			cr_assert_eq(now, step + rows[i].at[k] * MIN,
				     "row %zu.%d: %lld", i, k,
				     (long long)(now - step) / MIN);
			cr_assert_eq(iat(last), step + rows[i].iat[k] * MIN);
		}
	}
}

Test(apns_token, none_is_of_the_future)
{
	int64_t step = step_after(NOW);

	changes(step);
	cr_assert(changes(step - 60 * MIN));	/* the clock was put back */
	cr_assert_leq(iat(last), step - 60 * MIN);
}

Test(apns_token, bad_ids_and_keys_are_refused)
{
	struct test_key rsa = test_key_rsa(2048);
	struct {
		const char *pem, *key_id, *team_id, *err;
	} rows[] = {
		{ key.pem, "ABC123456", "TEAM123456",
		  "the key id is not 10 letters and digits" },
		{ key.pem, "ABC12345678", "TEAM123456",
		  "the key id is not 10 letters and digits" },
		{ key.pem, "ABC\"234567", "TEAM123456",
		  "the key id is not 10 letters and digits" },
		{ key.pem, "ABC1234567", "",
		  "the team id is not 10 letters and digits" },
		{ rsa.pem, "ABC1234567", "TEAM123456",
		  "the key is not an EC key on the curve P-256" },
		{ "x", "ABC1234567", "TEAM123456",
		  "the key is not a private key in PEM" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char err[256] = "";

		cr_assert_null(apns_token_new(rows[i].pem, rows[i].key_id,
					      rows[i].team_id, err));
		cr_assert_str_eq(err, rows[i].err, "row %zu: %s", i, err);
	}
	test_key_clear(&rsa);
}
