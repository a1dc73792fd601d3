#include "tests/unit/protocol/auth_keys.h"

#include <errno.h>
#include <stdio.h>

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "common/base/mem.h"
#include "common/protocol/auth_token.h"
#include "common/protocol/base64url.h"
#include "tests/unit/protocol/exact.h"

EVP_PKEY *test_rsa(size_t bits)
{
	EVP_PKEY *p = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", bits);

	cr_assert_not_null(p);
	return p;
}

EVP_PKEY *test_ec(const char *curve)
{
	EVP_PKEY *p = EVP_PKEY_Q_keygen(NULL, NULL, "EC", curve);

	cr_assert_not_null(p);
	return p;
}

static char *bio_text(BIO *b)
{
	char *p = NULL;
	long n = BIO_get_mem_data(b, &p);
	char *text = mem_strndup(p, (size_t)n);

	BIO_free(b);
	return text;
}

char *test_public_pem(EVP_PKEY *pkey)
{
	BIO *b = BIO_new(BIO_s_mem());

	cr_assert_eq(PEM_write_bio_PUBKEY(b, pkey), 1);
	return bio_text(b);
}

char *test_private_pem(EVP_PKEY *pkey)
{
	BIO *b = BIO_new(BIO_s_mem());

	cr_assert_eq(PEM_write_bio_PKCS8PrivateKey(b, pkey, NULL, NULL, 0, NULL,
						   NULL), 1);
	return bio_text(b);
}

struct auth_key *test_public_key(EVP_PKEY *pkey)
{
	char *pem = test_public_pem(pkey), why[AUTH_KEY_WHY_MAX] = "";
	struct auth_key *k = NULL;

	cr_assert_eq(auth_key_public(pem, &k, why), 0, "%s", why);
	free(pem);
	return k;
}

static const EVP_MD *digest_of(const char *alg)
{
	return strcmp(alg + 2, "256") == 0 ? EVP_sha256() :
	       strcmp(alg + 2, "384") == 0 ? EVP_sha384() :
	       strcmp(alg + 2, "512") == 0 ? EVP_sha512() : NULL;
}

/* As JOSE has it: r and s one behind the other. */
static size_t plain_ecdsa(unsigned char *sig, size_t n, int bits)
{
	const unsigned char *p = sig;
	ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &p, (long)n);
	int half = (bits + 7) / 8;

	cr_assert_not_null(s);
	BN_bn2binpad(ECDSA_SIG_get0_r(s), sig, half);
	BN_bn2binpad(ECDSA_SIG_get0_s(s), sig + half, half);
	ECDSA_SIG_free(s);
	return 2 * (size_t)half;
}

static size_t sign_with(EVP_PKEY *pkey, const char *alg, struct slice text,
			unsigned char *sig, size_t room)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pc = NULL;
	size_t n = room;

	cr_assert_eq(EVP_DigestSignInit(c, &pc, digest_of(alg), NULL, pkey), 1);
	if (alg[0] == 'P')
		cr_assert_eq(EVP_PKEY_CTX_set_rsa_padding(
				     pc, RSA_PKCS1_PSS_PADDING), 1);
	cr_assert_eq(EVP_DigestSign(c, sig, &n,
				    (const unsigned char *)text.p, text.n), 1);
	EVP_MD_CTX_free(c);
	return EVP_PKEY_is_a(pkey, "EC") ?
	       plain_ecdsa(sig, n, EVP_PKEY_get_bits(pkey)) : n;
}

char *test_token(const char *header, const char *claims,
		 const struct test_signer *by)
{
	unsigned char sig[1024];
	struct buf b = { 0 };
	unsigned hn = 0;
	size_t n = 0;
	char *token;

	base64url_encode(&b, slice_of(header));
	buf_addc(&b, '.');
	base64url_encode(&b, slice_of(claims));
	if (by->pkey != NULL)
		n = sign_with(by->pkey, by->alg, buf_slice(&b), sig, sizeof(sig));
	else if (HMAC(digest_of(by->alg), by->secret, (int)strlen(by->secret),
		      (unsigned char *)b.p, b.len, sig, &hn) != NULL)
		n = hn;
	cr_assert_neq(n, 0);
	buf_addc(&b, '.');
	base64url_encode(&b, (struct slice){ (char *)sig, n });
	token = mem_strndup(b.p, b.len);
	buf_free(&b);
	return token;
}

char *test_token_alg(const char *alg, const char *claims,
		     const struct test_signer *by)
{
	char header[100];

	snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", alg);
	return test_token(header, claims, by);
}

char *test_jwt(const char *claims, jwt_alg_t alg, const char *key)
{
	jwt_t *jwt = NULL;
	char *token;

	cr_assert_eq(jwt_new(&jwt), 0);
	cr_assert_eq(jwt_add_grants_json(jwt, claims), 0, "%s", claims);
	cr_assert_eq(jwt_set_alg(jwt, alg, (const unsigned char *)key,
				 (int)strlen(key)), 0);
	token = jwt_encode_str(jwt);
	cr_assert_not_null(token);
	jwt_free(jwt);
	return token;
}

void expect_token(const struct auth_key *k, char *token, bool good,
		  const char *what)
{
	struct auth_claims c = { .expires_at_s = -7 };
	int rc = auth_token_verify(k, token, NOW, LEEWAY, &c);

	cr_expect_eq(rc, good ? 0 : -EACCES, "%s, key of %s", what,
		     auth_key_alg(k));
	if (good)
		cr_expect_str_eq(c.user_id, "anna");
	else
		cr_expect_eq(c.expires_at_s, -7, "untouched");
	cr_expect_eq(ERR_peek_error(), 0, "%s", what);
	free(token);
}
