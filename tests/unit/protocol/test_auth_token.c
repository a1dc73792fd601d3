#include "common/protocol/auth_token.h"

#include <errno.h>

#include <jansson.h>
#include <jwt.h>

#include "tests/unit/protocol/exact.h"

#define SECRET "a secret for the tests"
#define NOW 1767323045
#define LEEWAY 30

/* A token with these claims as they stand, signed with alg. */
static char *forge(const char *claims, jwt_alg_t alg, const char *secret)
{
	jwt_t *jwt = NULL;
	char *token;

	cr_assert_eq(jwt_new(&jwt), 0);
	cr_assert_eq(jwt_add_grants_json(jwt, claims), 0, "%s", claims);
	cr_assert_eq(jwt_set_alg(jwt, alg, (const unsigned char *)secret,
				 (int)strlen(secret)), 0);
	token = jwt_encode_str(jwt);
	cr_assert_not_null(token);
	jwt_free(jwt);
	return token;
}

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
		char *token = forge(rows[i].claims, JWT_ALG_HS256, SECRET);
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
	token = forge(claims, JWT_ALG_HS256, SECRET);
	cr_expect_eq(verify(token, &c), 0);
	cr_expect_str_eq(c.user_id, id);
	free(token);
	id[PW_ID_MAX] = 'i';
	id[PW_ID_MAX + 1] = '\0';
	snprintf(claims, sizeof(claims), "{\"userId\":\"%s\"}", id);
	token = forge(claims, JWT_ALG_HS256, SECRET);
	cr_expect_eq(verify(token, &c), -EACCES);
	free(token);
}

Test(auth_token, other_keys_and_algorithms)
{
	static const struct {
		jwt_alg_t alg;
		const char *secret;
	} rows[] = {
		{ JWT_ALG_HS256, "another secret" },
		{ JWT_ALG_HS384, SECRET },
		{ JWT_ALG_HS512, SECRET },
	};
	struct auth_claims c;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *token = forge("{\"userId\":\"anna\"}", rows[i].alg,
				    rows[i].secret);

		cr_expect_eq(verify(token, &c), -EACCES, "row %zu", i);
		free(token);
	}
	/* {"alg":"none"} {"userId":"anna"} */
	cr_expect_eq(verify("eyJhbGciOiJub25lIn0.eyJ1c2VySWQiOiJhbm5hIn0.", &c),
		     -EACCES);
	cr_expect_eq(verify("eyJhbGciOiJub25lIn0.eyJ1c2VySWQiOiJhbm5hIn0.AA", &c),
		     -EACCES);
	cr_expect_null(auth_key_hs256(""));
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

/* Any single changed character breaks it, or leaves the same bytes (the last
 * one of a segment has spare bits): never another user. */
Test(auth_token, altered)
{
	struct auth_key *k = auth_key_hs256(SECRET);
	char *token = auth_token_sign(k, "anna", NOW, NOW + 3600);

	for (size_t i = 0; token[i] != '\0'; i++) {
		char was = token[i];
		struct auth_claims c;

		token[i] = was == 'A' ? 'B' : 'A';
		if (auth_token_verify(k, token, NOW, 0, &c) == 0)
			cr_expect_str_eq(c.user_id, "anna");
		token[i] = was;
	}
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
