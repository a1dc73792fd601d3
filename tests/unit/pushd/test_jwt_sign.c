/* Which keys are taken, and what they sign. */
#include <stdlib.h>

#include <criterion/criterion.h>

#include "pushd/jwt_sign.h"
#include "tests/unit/pushd/push_keys.h"

Test(jwt_sign, both_kinds_verify_by_their_public_key)
{
	static const char *const algs[] = { "RS256", "ES256" };
	struct test_key keys[] = { test_key_rsa(2048), test_key_ec("P-256") };
	struct test_key others[] = { test_key_rsa(2048), test_key_ec("P-256") };

	for (int i = 0; i < 2; i++) {
		char err[JWT_ERR_MAX];
		struct jwt_key *k = jwt_key_new((enum jwt_kind)i, keys[i].pem,
						err);
		char *jwt;
		json_t *claims, *header;

		cr_assert_not_null(k, "%s", err);
		jwt = jwt_sign(k, "the-key", "{\"iss\":\"me\",\"iat\":1700000000}");
		claims = test_jwt_claims(jwt, &keys[i], algs[i]);
		header = test_jwt_header(jwt, &keys[i], algs[i]);
		cr_assert_not_null(claims);
		cr_assert_str_eq(json_string_value(json_object_get(claims, "iss")),
				 "me");
		cr_assert_eq(json_integer_value(json_object_get(claims, "iat")),
			     1700000000);
		cr_assert_eq(json_object_size(claims), 2);
		cr_assert_str_eq(json_string_value(json_object_get(header, "kid")),
				 "the-key");
		cr_assert_str_eq(json_string_value(json_object_get(header, "alg")),
				 algs[i]);
		cr_assert_null(test_jwt_claims(jwt, &others[i], algs[i]));
		json_decref(claims);
		json_decref(header);
		jwt_wipe(&jwt);
		cr_assert_null(jwt);

		jwt = jwt_sign(k, "", "{}");
		header = test_jwt_header(jwt, &keys[i], algs[i]);
		cr_assert_null(json_object_get(header, "kid"));
		json_decref(header);
		jwt_wipe(&jwt);
		cr_assert_null(jwt_sign(k, "", "no JSON"));
		jwt_key_free(&k);
		cr_assert_null(k);
		test_key_clear(&keys[i]);
		test_key_clear(&others[i]);
	}
}

Test(jwt_sign, other_keys_are_refused)
{
	struct test_key rsa = test_key_rsa(2048), small = test_key_rsa(1024);
	struct test_key ec = test_key_ec("P-256"), p384 = test_key_ec("P-384");
	char *half = strndup(rsa.pem, strlen(rsa.pem) / 2);
	struct {
		enum jwt_kind kind;
		const char *pem, *err;
	} rows[] = {
		{ JWT_RS256, "", "is not a private key in PEM" },
		{ JWT_RS256, "hello", "is not a private key in PEM" },
		{ JWT_RS256, half, "is not a private key in PEM" },
		{ JWT_RS256, rsa.public_pem, "is not a private key in PEM" },
		{ JWT_ES256, ec.public_pem, "is not a private key in PEM" },
		{ JWT_RS256, ec.pem, "is not an RSA key" },
		{ JWT_RS256, small.pem, "is shorter than 2048 bits" },
		{ JWT_ES256, rsa.pem, "is not an EC key on the curve P-256" },
		{ JWT_ES256, p384.pem, "is not an EC key on the curve P-256" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char err[JWT_ERR_MAX] = "";

		cr_assert_null(jwt_key_new(rows[i].kind, rows[i].pem, err),
			       "row %zu", i);
		cr_assert_str_eq(err, rows[i].err, "row %zu: %s", i, err);
	}
	free(half);
	test_key_clear(&rsa);
	test_key_clear(&small);
	test_key_clear(&ec);
	test_key_clear(&p384);
}
