/* Tokens of every algorithm against keys of every kind. */
#include "common/protocol/auth_token.h"

#include <errno.h>


#include "common/protocol/base64url.h"
#include "tests/unit/protocol/auth_keys.h"
#include "tests/unit/protocol/exact.h"

#define SECRET "a secret for the tests"
#define ANNA "{\"userId\":\"anna\"}"

/* A key of each kind, and what signs for it. */
struct world {
	EVP_PKEY *rsa, *ec;
	struct {
		struct auth_key *key;
		struct test_signer by;
		char *pem;	/* of a public key */
	} kinds[3];
};

static struct world make_world(void)
{
	struct world w = { .rsa = test_rsa(2048), .ec = test_ec("P-256") };

	w.kinds[0].key = auth_key_hs256(SECRET);
	w.kinds[0].by = (struct test_signer){ "HS256", .secret = SECRET };
	w.kinds[1].key = test_public_key(w.rsa);
	w.kinds[1].by = (struct test_signer){ "RS256", .pkey = w.rsa };
	w.kinds[1].pem = test_public_pem(w.rsa);
	w.kinds[2].key = test_public_key(w.ec);
	w.kinds[2].by = (struct test_signer){ "ES256", .pkey = w.ec };
	w.kinds[2].pem = test_public_pem(w.ec);
	return w;
}

static void free_world(struct world *w)
{
	for (size_t i = 0; i < ARRAY_SIZE(w->kinds); i++) {
		auth_key_free(&w->kinds[i].key);
		free(w->kinds[i].pem);
	}
	EVP_PKEY_free(w->rsa);
	EVP_PKEY_free(w->ec);
}

/* Signed by the right key, in the way that the key is for: the algorithm's name
 * alone decides. */
Test(auth_algorithms, every_name_against_every_key)
{
	static const char *const names[] = {
		"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256",
		"ES384", "ES512", "ES256K", "PS256", "PS384", "PS512", "EdDSA",
		"Ed25519", "none", "None", "NONE", "nOnE", "", " ", "hs256",
		"rs256", "es256", "HS256 ", " RS256", "ES256\\u0000", "HS25",
		"RS2566", "RS256\\n", "dir", "RSA1_5", "A128KW", "null",
	};
	struct world w = make_world();

	for (size_t i = 0; i < ARRAY_SIZE(w.kinds); i++)
		for (size_t j = 0; j < ARRAY_SIZE(names); j++)
			expect_token(w.kinds[i].key,
			       test_token_alg(names[j], ANNA, &w.kinds[i].by),
			       strcmp(names[j], w.kinds[i].by.alg) == 0, names[j]);
	free_world(&w);
}

/* Honest about how it was signed: by every algorithm that a key is good for, with
 * every key, and by HMAC with what everybody knows of a public one. */
Test(auth_algorithms, every_algorithm_against_every_key)
{
	struct world w = make_world();
	EVP_PKEY *rsa2 = test_rsa(2048), *ec2 = test_ec("P-256");
	EVP_PKEY *p384 = test_ec("P-384");
	const struct test_signer signers[] = {
		{ "HS256", .secret = SECRET }, { "HS384", .secret = SECRET },
		{ "HS512", .secret = SECRET }, { "HS256", .secret = "another" },
		{ "HS256", .secret = w.kinds[1].pem },
		{ "HS512", .secret = w.kinds[1].pem },
		{ "HS256", .secret = w.kinds[2].pem },
		{ "HS256", .secret = "" },
		{ "RS256", .pkey = w.rsa }, { "RS384", .pkey = w.rsa },
		{ "RS512", .pkey = w.rsa }, { "PS256", .pkey = w.rsa },
		{ "PS512", .pkey = w.rsa }, { "RS256", .pkey = rsa2 },
		{ "ES256", .pkey = w.ec }, { "ES384", .pkey = w.ec },
		{ "ES512", .pkey = w.ec }, { "ES256", .pkey = ec2 },
		{ "ES256", .pkey = p384 }, { "ES384", .pkey = p384 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(w.kinds); i++) {
		const struct test_signer *own = &w.kinds[i].by;

		for (size_t j = 0; j < ARRAY_SIZE(signers); j++) {
			const struct test_signer *by = &signers[j];
			bool good = strcmp(by->alg, own->alg) == 0 &&
				    by->pkey == own->pkey &&
				    (own->secret == NULL ||
				     strcmp(by->secret, own->secret) == 0);

			/* as it is, and under the name that the key is for */
			expect_token(w.kinds[i].key, test_token_alg(by->alg, ANNA, by),
			       good, by->alg);
			expect_token(w.kinds[i].key, test_token_alg(own->alg, ANNA, by),
			       good, by->alg);
		}
	}
	EVP_PKEY_free(rsa2);
	EVP_PKEY_free(ec2);
	EVP_PKEY_free(p384);
	free_world(&w);
}

/* libjwt's own, of each kind. */
Test(auth_algorithms, made_by_another_library)
{
	static const jwt_alg_t algs[] = { JWT_ALG_HS256, JWT_ALG_RS256,
					  JWT_ALG_ES256 };
	struct world w = make_world();
	char *pems[] = { strdup(SECRET), test_private_pem(w.rsa),
			 test_private_pem(w.ec) };

	for (size_t i = 0; i < ARRAY_SIZE(algs); i++)
		for (size_t j = 0; j < ARRAY_SIZE(algs); j++)
			expect_token(w.kinds[j].key, test_jwt(ANNA, algs[i], pems[i]),
			       i == j, "libjwt");
	for (size_t i = 0; i < ARRAY_SIZE(pems); i++)
		free(pems[i]);
	free_world(&w);
}

Test(auth_algorithms, unsigned_ones)
{
	/* {"alg":"none"} {"userId":"anna"}; and {"alg":ALG}, by the key's */
	static const char *const names[] = { "none", "HS256", "RS256", "ES256" };
	static const char *const endings[] = { "", ".", ".AA", ".AAAA", ".e30",
					       ".." };
	struct world w = make_world();

	for (size_t i = 0; i < ARRAY_SIZE(w.kinds); i++)
		for (size_t j = 0; j < ARRAY_SIZE(names); j++)
			for (size_t e = 0; e < ARRAY_SIZE(endings); e++) {
				char *t = test_token_alg(names[j], ANNA,
							 &w.kinds[i].by);
				char *cut = malloc(strlen(t) + 1);

				strcpy(cut, t);
				strcpy(strrchr(cut, '.'), endings[e]);
				expect_token(w.kinds[i].key, cut, false, names[j]);
				free(t);
			}
	free_world(&w);
}

static char *with_signature(const char *token, const unsigned char *sig, size_t n)
{
	struct buf b = { 0 };
	char *made;

	buf_add(&b, token, (size_t)(strrchr(token, '.') + 1 - token));
	base64url_encode(&b, (struct slice){ (const char *)sig, n });
	made = strdup(buf_str(&b));
	buf_free(&b);
	return made;
}

/* The bytes of a good signature; with some more or fewer; r and s exchanged; and
 * numbers that OpenSSL must not take. */
Test(auth_algorithms, signatures_of_other_lengths_and_values)
{
	static const unsigned char order[32] = {
		0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
		0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
	};
	struct world w = make_world();

	for (size_t i = 0; i < ARRAY_SIZE(w.kinds); i++) {
		const struct auth_key *k = w.kinds[i].key;
		char *t = test_token_alg(w.kinds[i].by.alg, ANNA, &w.kinds[i].by);
		unsigned char sig[600] = { 0 }, other[600];
		ssize_t n = base64url_decode(slice_of(strrchr(t, '.') + 1), sig,
					     sizeof(sig));

		cr_assert_eq(n, i == 0 ? 32 : i == 1 ? 256 : 64);
		for (size_t len = 0; len <= 2 * (size_t)n; len++)
			expect_token(k, with_signature(t, sig, len), len == (size_t)n,
			       "length");
		/* one zero before it; the same number */
		memcpy(other + 1, sig, (size_t)n);
		other[0] = 0;
		expect_token(k, with_signature(t, other, (size_t)n + 1), false, "0x00");
		memset(other, 0, sizeof(other));
		expect_token(k, with_signature(t, other, (size_t)n), false, "zeros");
		memset(other, 0xff, sizeof(other));
		expect_token(k, with_signature(t, other, (size_t)n), false, "ones");
		for (ssize_t at = 0; at < n; at += n / 16) {
			memcpy(other, sig, (size_t)n);
			other[at] ^= 1;
			expect_token(k, with_signature(t, other, (size_t)n), false, "bit");
		}
		if (i == 2) {
			memcpy(other, sig + 32, 32);
			memcpy(other + 32, sig, 32);
			expect_token(k, with_signature(t, other, 64), false, "s||r");
			memcpy(other, order, 32);
			memcpy(other + 32, order, 32);
			expect_token(k, with_signature(t, other, 64), false, "the order");
			memcpy(other, sig, 64);
			memset(other + 32, 0, 32);
			expect_token(k, with_signature(t, other, 64), false, "s = 0");
			memcpy(other, sig, 64);
			memset(other, 0, 32);
			expect_token(k, with_signature(t, other, 64), false, "r = 0");
		}
		free(t);
	}
	free_world(&w);
}

/* r and s of ECDSA have leading zeros now and then, and their top bit set half of
 * the time. */
Test(auth_algorithms, many_of_es256)
{
	EVP_PKEY *ec = test_ec("P-256");
	struct auth_key *k = test_public_key(ec);

	for (int i = 0; i < 1500; i++)
		expect_token(k, test_token_alg("ES256", ANNA, &(struct test_signer){
			"ES256", .pkey = ec }), true, "ES256");
	auth_key_free(&k);
	EVP_PKEY_free(ec);
}

/* Every truncation, and any single changed character: another writing of the same
 * bytes is refused, too. */
Test(auth_algorithms, cut_or_altered)
{
	struct world w = make_world();

	for (size_t i = 0; i < ARRAY_SIZE(w.kinds); i++) {
		const struct auth_key *k = w.kinds[i].key;
		char *t = test_token_alg(w.kinds[i].by.alg, ANNA, &w.kinds[i].by);
		struct auth_claims c;

		for (size_t at = 0; t[at] != '\0'; at++) {
			char was = t[at];

			expect_token(k, strndup(t, at), false, "cut");
			t[at] = was == 'A' ? 'B' : 'A';
			cr_expect_eq(auth_token_verify(k, t, NOW, 0, &c), -EACCES,
				     "%zu", at);
			t[at] = '=';
			cr_expect_eq(auth_token_verify(k, t, NOW, 0, &c), -EACCES,
				     "%zu", at);
			t[at] = was;
		}
		expect_token(k, t, true, "as it was");
	}
	free_world(&w);
}

Test(auth_algorithms, public_keys_sign_nothing)
{
	struct world w = make_world();

	cr_expect_null(auth_token_sign(w.kinds[1].key, "anna", NOW, 0));
	cr_expect_null(auth_token_sign(w.kinds[2].key, "anna", NOW, 0));
	cr_expect_null(auth_token_sign(w.kinds[0].key, "\xff", NOW, 0));
	free_world(&w);
}

