#include "common/protocol/auth_token.h"

#include <errno.h>

#include <jansson.h>
#include <jwt.h>

#include "common/protocol/auth_key.h"
#include "tests/unit/protocol/auth_keys.h"
#include "tests/unit/protocol/exact.h"

#define SECRET "a secret for the tests"

static int verify(const char *token, struct auth_claims *out)
{
	struct auth_key *k = auth_key_hs256(SECRET);
	int rc = auth_token_verify(k, token, NOW, LEEWAY, out);

	auth_key_free(&k);
	cr_assert_null(k);
	return rc;
}

Test(auth_token, claims)
{
	static const struct {
		const char *claims;
		const char *user;	/* NULL: refused */
		int64_t exp;
	} rows[] = {
		{ "{\"userId\":\"anna\"}", "anna", 0 },
		{ "{\"sub\":\"anna\"}", "anna", 0 },
		{ "{\"sub\":\"ben\",\"userId\":\"anna\"}", "anna", 0 },
		{ "{\"userId\":\"\xc3\xa4nna\"}", "\xc3\xa4nna", 0 },
		{ "{\"userId\":\"anna\",\"aud\":[1,null,{}]}", "anna", 0 },
		{ "{}", NULL, 0 },
		{ "{\"userId\":\"\"}", NULL, 0 },
		{ "{\"userId\":42}", NULL, 0 },
		{ "{\"userId\":null,\"sub\":\"anna\"}", NULL, 0 },
		{ "{\"userId\":{},\"sub\":\"anna\"}", NULL, 0 },
		{ "{\"userId\":\"an\\nna\"}", NULL, 0 },
		{ "{\"userId\":\"anna\\u007f\"}", NULL, 0 },
		{ "{\"userId\":\"anna\\u0085\"}", NULL, 0 },
		{ "{\"userId\":\"anna\\u00a0\"}", "anna\xc2\xa0", 0 },
		/* exp: NOW - LEEWAY is the first that is over */
		{ "{\"userId\":\"anna\",\"exp\":1767323100}", "anna", 1767323100 },
		{ "{\"userId\":\"anna\",\"exp\":1767323016}", "anna", 1767323016 },
		{ "{\"userId\":\"anna\",\"exp\":1767323015}", NULL, 0 },
		{ "{\"userId\":\"anna\",\"exp\":1767323100.75}", "anna", 1767323100 },
		{ "{\"userId\":\"anna\",\"exp\":1.7673231e9}", "anna", 1767323100 },
		{ "{\"userId\":\"anna\",\"exp\":\"1767323100\"}", NULL, 0 },
		{ "{\"userId\":\"anna\",\"exp\":true}", NULL, 0 },
		{ "{\"userId\":\"anna\",\"exp\":null}", NULL, 0 },
		{ "{\"userId\":\"anna\",\"exp\":0}", NULL, 0 },
		{ "{\"userId\":\"anna\",\"exp\":-5}", NULL, 0 },
		{ "{\"userId\":\"anna\",\"exp\":1e300}", NULL, 0 },
		/* nbf: NOW + LEEWAY is the last that is good */
		{ "{\"userId\":\"anna\",\"nbf\":1767323075}", "anna", 0 },
		{ "{\"userId\":\"anna\",\"nbf\":1767323076}", NULL, 0 },
		{ "{\"userId\":\"anna\",\"nbf\":1767323000.5}", "anna", 0 },
		{ "{\"userId\":\"anna\",\"nbf\":\"0\"}", NULL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *token = test_jwt(rows[i].claims, JWT_ALG_HS256, SECRET);
		struct auth_claims c = { .expires_at_s = -7 };

		if (rows[i].user != NULL) {
			cr_expect_eq(verify(token, &c), 0, "%s", rows[i].claims);
			cr_expect_str_eq(c.user_id, rows[i].user);
			cr_expect_eq(c.expires_at_s, rows[i].exp, "%s",
				     rows[i].claims);
		} else {
			cr_expect_eq(verify(token, &c), -EACCES, "%s",
				     rows[i].claims);
			cr_expect_eq(c.expires_at_s, -7);
		}
		free(token);
	}
}

Test(auth_token, id_length)
{
	char id[PW_ID_MAX + 2];
	char claims[PW_ID_MAX + 40];
	struct auth_claims c;
	char *token;

	memset(id, 'i', sizeof(id));
	id[PW_ID_MAX] = '\0';
	snprintf(claims, sizeof(claims), "{\"userId\":\"%s\"}", id);
	token = test_jwt(claims, JWT_ALG_HS256, SECRET);
	cr_expect_eq(verify(token, &c), 0);
	cr_expect_str_eq(c.user_id, id);
	free(token);
	id[PW_ID_MAX] = 'i';
	id[PW_ID_MAX + 1] = '\0';
	snprintf(claims, sizeof(claims), "{\"userId\":\"%s\"}", id);
	token = test_jwt(claims, JWT_ALG_HS256, SECRET);
	cr_expect_eq(verify(token, &c), -EACCES);
	free(token);
}

#define ANNA "{\"userId\":\"anna\"}"

Test(auth_token, header)
{
	static const struct {
		const char *header;
		bool good;
	} rows[] = {
		{ "{\"alg\":\"HS256\"}", true },
		{ " {\"alg\" : \"HS256\" } ", true },
		{ "{\"alg\":\"HS\\u0032\\u00356\"}", true },
		{ "{\"alg\":\"HS256\",\"typ\":\"JWT\"}", true },
		{ "{\"alg\":\"HS256\",\"typ\":\"jwt\"}", true },
		{ "{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", true },
		{ "{\"alg\":\"HS256\",\"typ\":\"application/at+JWT\"}", true },
		{ "{\"alg\":\"HS256\",\"kid\":\"a\",\"x5u\":\"http://x\"}", true },
		{ "{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"}}", true },
		{ "{\"alg\":\"HS256\",\"typ\":\"\"}", false },
		{ "{\"alg\":\"HS256\",\"typ\":\"application/\"}", false },
		{ "{\"alg\":\"HS256\",\"typ\":\"logout+jwt\"}", false },
		{ "{\"alg\":\"HS256\",\"typ\":null}", false },
		{ "{\"alg\":\"HS256\",\"typ\":1}", false },
		{ "{\"alg\":\"HS256\",\"crit\":[]}", false },
		{ "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", false },
		{ "{\"alg\":\"HS256\",\"crit\":null}", false },
		{ "{\"alg\":\"none\",\"alg\":\"HS256\"}", false },
		{ "{\"alg\":\"HS256\",\"alg\":\"HS256\"}", false },
		{ "{\"alg\":[\"HS256\"]}", false },
		{ "{\"alg\":{\"HS256\":1}}", false },
		{ "{\"alg\":null}", false },
		{ "{\"alg\":256}", false },
		{ "{\"ALG\":\"HS256\"}", false },
		{ "{\"alg\":\"HS256\\u0000\"}", false },
		{ "{\"typ\":\"JWT\"}", false },
		{ "{}", false }, { "[]", false }, { "[\"HS256\"]", false },
		{ "\"HS256\"", false }, { "null", false }, { "HS256", false },
		{ "{\"alg\":\"HS256\"", false },
		{ "{\"alg\":\"HS256\"}}", false },
		{ "{\"alg\":\"HS256\"}{}", false },
		{ "{\"alg\":\"HS256\",}", false },
		{ "{\"alg\":\"HS256\",\"a\":\"\xff\"}", false },
	};
	static const struct test_signer by = { "HS256", .secret = SECRET };
	struct auth_key *k = auth_key_hs256(SECRET);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_token(k, test_token(rows[i].header, ANNA, &by), rows[i].good,
		       rows[i].header);
	auth_key_free(&k);
}

Test(auth_token, claims_that_are_none)
{
	static const char *const bad[] = {
		"[]", "[\"anna\"]", "\"anna\"", "null", "anna", "{", ANNA "x",
		"{\"userId\":\"anna\",\"userId\":\"anna\"}",
		"{\"userId\":\"anna\",\"n\":99999999999999999999}",
		"{\"userId\":\"anna\",\"a\":\"\xc3\"}",
		"{\"userId\":\"anna\\u0000\"}",
	};
	static const struct test_signer by = { "HS256", .secret = SECRET };
	struct auth_key *k = auth_key_hs256(SECRET);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		expect_token(k, test_token_alg("HS256", bad[i], &by), false, bad[i]);
	auth_key_free(&k);
}

/* The longest that is read: with a header that is the longer. */
Test(auth_token, length)
{
	static const struct test_signer by = { "HS256", .secret = SECRET };
	struct auth_key *k = auth_key_hs256(SECRET);
	char header[AUTH_TOKEN_MAX] = "{\"alg\":\"HS256\",\"x\":\"";
	size_t base = strlen(header), n = 0;
	char *t;

	for (size_t pad = 6000; n <= AUTH_TOKEN_MAX; pad++) {
		memset(header + base, 'x', pad);
		strcpy(header + base + pad, "\"}");
		t = test_token(header, ANNA, &by);
		n = strlen(t);
		expect_token(k, t, n <= AUTH_TOKEN_MAX, "length");
	}
	auth_key_free(&k);
}

Test(auth_token, sign_and_every_truncation)
{
	struct auth_key *k = auth_key_hs256(SECRET);
	char *token = auth_token_sign(k, "anna", NOW, NOW + 3600);
	struct auth_claims c;

	cr_assert_not_null(token);
	cr_assert_eq(auth_token_verify(k, token, NOW, 0, &c), 0);
	cr_expect_str_eq(c.user_id, "anna");
	cr_expect_eq(c.expires_at_s, NOW + 3600);
	cr_expect_eq(auth_token_verify(k, token, NOW + 3599, 0, &c), 0);
	cr_expect_eq(auth_token_verify(k, token, NOW + 3600, 0, &c), -EACCES);
	for (size_t n = strlen(token); n-- > 0;) {
		char *cut = strndup(token, n);

		cr_expect_eq(auth_token_verify(k, cut, NOW, 0, &c), -EACCES);
		free(cut);
	}
	free(token);
	token = auth_token_sign(k, "anna", NOW, 0);
	cr_assert_eq(auth_token_verify(k, token, NOW + 1000000, 0, &c), 0);
	cr_expect_eq(c.expires_at_s, 0);
	free(token);
	auth_key_free(&k);
}

Test(auth_token, garbage)
{
	static const char *const bad[] = {
		"", ".", "..", "...", "a.b", "a..c", ".b.c", "a.b.c.d",
		"a.b.c", "a b.c.d", "a.b.c=", "\xff.\xff.\xff", "null",
		"e30.e30.e30",
	};
	struct auth_claims c;
	char *huge = malloc(20001);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_expect_eq(verify(bad[i], &c), -EACCES, "%s", bad[i]);
	memset(huge, 'A', 20000);
	huge[20000] = '\0';
	huge[10] = huge[20] = '.';
	cr_expect_eq(verify(huge, &c), -EACCES);
	free(huge);
}
