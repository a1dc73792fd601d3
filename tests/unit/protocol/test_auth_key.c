#include "common/protocol/auth_key.h"

#include <errno.h>
#include <stdio.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include "tests/unit/protocol/auth_keys.h"
#include "tests/unit/protocol/exact.h"

static void expect_good(EVP_PKEY *pkey, const char *alg, unsigned bits)
{
	struct auth_key *k = test_public_key(pkey);
	unsigned char mac[AUTH_KEY_MAC_LEN];

	cr_expect_str_eq(auth_key_alg(k), alg);
	cr_expect_eq(auth_key_bits(k), bits);
	cr_expect_eq(auth_key_sign(k, SLICE("text"), mac), -EPERM);
	cr_expect_eq(ERR_peek_error(), 0);
	auth_key_free(&k);
	cr_expect_null(k);
	EVP_PKEY_free(pkey);
}

Test(auth_key, the_kind_of_the_key_decides)
{
	struct auth_key *k = auth_key_hs256("secret");

	cr_expect_str_eq(auth_key_alg(k), "HS256");
	cr_expect_eq(auth_key_bits(k), 0);
	auth_key_free(&k);
	cr_expect_null(auth_key_hs256(""));
	expect_good(test_rsa(2048), "RS256", 2048);
	expect_good(test_ec("P-256"), "ES256", 256);
}

static void expect_refused(const char *pem, const char *what)
{
	char why[AUTH_KEY_WHY_MAX] = "";
	struct auth_key *k = NULL;

	cr_expect_eq(auth_key_public(pem, &k, why), -EINVAL, "%s", what);
	cr_expect_str_eq(why, what);
	cr_expect_null(k);
	cr_expect_eq(ERR_peek_error(), 0, "nothing for others to stumble over");
}

/* Its PEM is judged; both are freed. */
static void expect_wrong(EVP_PKEY *pkey, const char *what)
{
	char *pem = test_public_pem(pkey);

	expect_refused(pem, what);
	free(pem);
	EVP_PKEY_free(pkey);
}

Test(auth_key, of_another_kind_or_size)
{
	static const char kind[] = "is neither an RSA key (RS256) nor an EC key on "
				   "the curve P-256 (ES256)";
	static const char *const curves[] = { "P-224", "P-384", "P-521",
					      "secp256k1", "brainpoolP256r1" };

	expect_wrong(test_rsa(1024), "is an RSA key of 1024 bits; 2048 to 8192 are "
				     "allowed");
	expect_wrong(test_rsa(2040), "is an RSA key of 2040 bits; 2048 to 8192 are "
				     "allowed");
	for (size_t i = 0; i < ARRAY_SIZE(curves); i++)
		expect_wrong(test_ec(curves[i]), kind);
	expect_wrong(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), kind);
	expect_wrong(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), kind);
}

/* A public RSA key with this modulus, or its first n bits, and exponent. */
static EVP_PKEY *made_rsa(const EVP_PKEY *of, const char *exponent, int bits)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	BIGNUM *modulus = NULL, *e = NULL;
	EVP_PKEY *made = NULL;
	OSSL_PARAM *params;

	cr_assert_eq(EVP_PKEY_get_bn_param(of, OSSL_PKEY_PARAM_RSA_N, &modulus), 1);
	cr_assert_neq(BN_hex2bn(&e, exponent), 0);
	cr_assert_eq(BN_lshift(modulus, modulus, bits - BN_num_bits(modulus)), 1);
	OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, modulus);
	OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, e);
	params = OSSL_PARAM_BLD_to_param(b);
	cr_assert_eq(EVP_PKEY_fromdata_init(c), 1);
	cr_assert_eq(EVP_PKEY_fromdata(c, &made, EVP_PKEY_PUBLIC_KEY, params), 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(b);
	EVP_PKEY_CTX_free(c);
	BN_free(modulus);
	BN_free(e);
	return made;
}

/* 1: what is signed is its own signature. */
Test(auth_key, exponents_and_sizes_that_nobody_makes)
{
	static const char what[] = "is an RSA key whose exponent is 1, even, or "
				   "longer than 64 bits";
	EVP_PKEY *rsa = test_rsa(2048);

	expect_wrong(made_rsa(rsa, "1", 2048), what);
	expect_wrong(made_rsa(rsa, "10000", 2048), what);
	expect_wrong(made_rsa(rsa, "10000000000000001", 2048), what);
	expect_good(made_rsa(rsa, "3", 2048), "RS256", 2048);
	expect_good(made_rsa(rsa, "8000000000000001", 2048), "RS256", 2048);
	expect_good(made_rsa(rsa, "10001", 3072), "RS256", 3072);
	expect_good(made_rsa(rsa, "10001", 8192), "RS256", 8192);
	expect_wrong(made_rsa(rsa, "10001", 8193), "is an RSA key of 8193 bits; "
						   "2048 to 8192 are allowed");
	EVP_PKEY_free(rsa);
}

/* The point at infinity: who chooses s = 1 knows r. */
Test(auth_key, a_point_that_nobody_makes)
{
	expect_refused("-----BEGIN PUBLIC KEY-----\n"
		       "MBkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDAgAA\n"
		       "-----END PUBLIC KEY-----\n",
		       "is an EC key whose point is none that signs");
}

#define PRIVATE "is a private key; give its public half (openssl pkey -pubout) " \
		"and leave this one with whoever signs"
#define NO_PEM "is no public key in PEM form (-----BEGIN PUBLIC KEY-----)"
#define DAMAGED "is damaged, or of a kind that OpenSSL does not know"
#define TWO "holds more than one key; one is wanted"

Test(auth_key, what_people_give_instead)
{
	static const struct {
		const char *pem, *what;
	} rows[] = {
		{ "", NO_PEM },
		{ "\n", NO_PEM },
		{ "a secret", NO_PEM },
		{ "{\"keys\":[]}", NO_PEM },
		{ "ssh-rsa AAAAB3NzaC1yc2E= me@there", NO_PEM },
		{ "-----BEGIN PUBLIC KEY-----", DAMAGED },
		{ "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", DAMAGED },
		{ "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n",
		  DAMAGED },
		{ "-----BEGIN CERTIFICATE-----\n", "is a certificate; give its "
		  "public key (openssl x509 -noout -pubkey)" },
		{ "-----BEGIN RSA PUBLIC KEY-----\n", "is a PKCS #1 key; convert it "
		  "(openssl rsa -RSAPublicKey_in -pubout)" },
		{ "-----BEGIN RSA PRIVATE KEY-----\n", PRIVATE },
		{ "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
		  "-----END EC PARAMETERS-----\n-----BEGIN EC PRIVATE KEY-----\n",
		  PRIVATE },
		{ "-----BEGIN ENCRYPTED PRIVATE KEY-----\n", PRIVATE },
	};
	EVP_PKEY *pkeys[] = { test_rsa(2048), test_ec("P-256") };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_refused(rows[i].pem, rows[i].what);
	for (size_t i = 0; i < ARRAY_SIZE(pkeys); i++) {
		char *private = test_private_pem(pkeys[i]);
		char *public = test_public_pem(pkeys[i]);
		struct buf both = { 0 };

		expect_refused(private, PRIVATE);
		buf_printf(&both, "%s%s", public, public);
		expect_refused(buf_str(&both), TWO);
		buf_clear(&both);
		buf_printf(&both, "%s%s", public, private);
		expect_refused(buf_str(&both), PRIVATE);
		buf_free(&both);
		free(private);
		free(public);
		EVP_PKEY_free(pkeys[i]);
	}
}

/* With comments before it, other line ends, no line end: it is the same key. And
 * what has lost its end is none. */
Test(auth_key, pem_in_other_clothes_and_cut_off)
{
	EVP_PKEY *pkeys[] = { test_rsa(2048), test_ec("P-256") };

	for (size_t i = 0; i < ARRAY_SIZE(pkeys); i++) {
		char *pem = test_public_pem(pkeys[i]), why[AUTH_KEY_WHY_MAX];
		size_t n = strlen(pem);
		struct buf b = { 0 };
		struct auth_key *k = NULL;

		buf_adds(&b, "\xef\xbb\xbf" "key of the app\r\n");
		for (const char *p = pem; *p != '\0'; p++)
			buf_printf(&b, *p == '\n' ? "\r\n" : "%c", *p);
		cr_expect_eq(auth_key_public(buf_str(&b), &k, why), 0, "%s", why);
		auth_key_free(&k);
		pem[n - 1] = '\0';
		cr_expect_eq(auth_key_public(pem, &k, why), 0, "%s", why);
		auth_key_free(&k);
		for (size_t cut = n - 2; cut > 0; cut--) {
			pem[cut] = '\0';
			cr_expect_eq(auth_key_public(pem, &k, why), -EINVAL,
				     "%zu of %zu", cut, n);
		}
		buf_free(&b);
		free(pem);
		EVP_PKEY_free(pkeys[i]);
	}
}

Test(auth_key, hs256_is_hmac_sha256)
{
	/* RFC 4231, test case 2 */
	static const char mac[] =
		"\x5b\xdc\xc1\x46\xbf\x60\x75\x4e\x6a\x04\x24\x26\x08\x95\x75\xc7"
		"\x5a\x00\x3f\x08\x9d\x27\x39\x83\x9d\xec\x58\xb9\x64\xec\x38\x43";
	struct slice text = SLICE("what do ya want for nothing?");
	struct auth_key *k = auth_key_hs256("Jefe");
	unsigned char made[AUTH_KEY_MAC_LEN];

	cr_expect_eq(auth_key_sign(k, text, made), 0);
	cr_expect_arr_eq(made, mac, sizeof(made));
	for (size_t n = 0; n <= sizeof(mac); n++) {	/* the NUL: one too many */
		struct slice signature = exact(mac, n);

		cr_expect_eq(auth_key_verify(k, text, signature),
			     n == sizeof(made), "%zu bytes", n);
		free((void *)(uintptr_t)signature.p);
	}
	auth_key_free(&k);
}
