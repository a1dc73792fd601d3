#include "common/protocol/auth_key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include "common/base/mem.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX (AUTH_KEY_SIGNATURE_MAX * 8)	/* 0.35 ms a token */
#define RSA_EXPONENT_BITS_MAX 64
#define P256_BYTES 32		/* of r, and of s */
#define P256_DER_MAX (2 + 2 * (2 + 1 + P256_BYTES))

enum kind { HS256, RS256, ES256 };

struct auth_key {
	enum kind kind;
	EVP_PKEY_CTX *verify;	/* of a public key: set up once */
	unsigned bits;
	size_t n;
	unsigned char secret[];
};

struct auth_key *auth_key_hs256(const char *secret)
{
	size_t n = strlen(secret);
	struct auth_key *k;

	if (n == 0)
		return NULL;
	k = mem_zalloc(sizeof(*k) + n);
	k->kind = HS256;
	k->n = n;
	memcpy(k->secret, secret, n);
	return k;
}

void auth_key_free(struct auth_key **kp)
{
	struct auth_key *k = *kp;

	if (k == NULL)
		return;
	EVP_PKEY_CTX_free(k->verify);
	explicit_bzero(k->secret, k->n);
	free(k);
	*kp = NULL;
}

const char *auth_key_alg(const struct auth_key *k)
{
	static const char *const names[] = {
		[HS256] = "HS256", [RS256] = "RS256", [ES256] = "ES256",
	};

	return names[k->kind];
}

unsigned auth_key_bits(const struct auth_key *k)
{
	return k->bits;
}

/* --- reading a public key --- */

/* What people give by mistake, before OpenSSL says no more than that it is bad. */
static const char *wrong_pem(const char *pem)
{
	static const char begin[] = "-----BEGIN PUBLIC KEY-----";
	const char *at;

	if (strstr(pem, "PRIVATE KEY-----") != NULL)
		return "is a private key; give its public half (openssl pkey "
		       "-pubout) and leave this one with whoever signs";
	if (strstr(pem, "CERTIFICATE-----") != NULL)
		return "is a certificate; give its public key (openssl x509 "
		       "-noout -pubkey)";
	if (strstr(pem, "-----BEGIN RSA PUBLIC KEY-----") != NULL)
		return "is a PKCS #1 key; convert it (openssl rsa "
		       "-RSAPublicKey_in -pubout)";
	at = strstr(pem, begin);
	if (at == NULL)
		return "is no public key in PEM form (-----BEGIN PUBLIC "
		       "KEY-----)";
	if (strstr(at + sizeof(begin) - 1, "-----BEGIN") != NULL)
		return "holds more than one key; one is wanted";
	return NULL;
}

static EVP_PKEY *parse(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *pkey;

	if (bio == NULL)
		return NULL;
	pkey = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	BIO_free(bio);
	return pkey;
}

/* By an exponent of 1 everybody could sign; a long one makes checking slow. */
static bool good_exponent(const EVP_PKEY *pkey)
{
	BIGNUM *e = NULL;
	bool good;

	if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) != 1)
		return false;
	good = BN_is_odd(e) && !BN_is_one(e) &&
	       BN_num_bits(e) <= RSA_EXPONENT_BITS_MAX;
	BN_free(e);
	return good;
}

static int judge_rsa(const EVP_PKEY *pkey, char why[AUTH_KEY_WHY_MAX])
{
	int bits = EVP_PKEY_get_bits(pkey);

	if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
		snprintf(why, AUTH_KEY_WHY_MAX, "is an RSA key of %d bits; %d to "
			 "%d are allowed", bits, RSA_BITS_MIN, RSA_BITS_MAX);
	else if (!good_exponent(pkey))
		snprintf(why, AUTH_KEY_WHY_MAX, "is an RSA key whose exponent is "
			 "1, even, or longer than %d bits",
			 RSA_EXPONENT_BITS_MAX);
	else
		return 0;
	return -EINVAL;
}

static bool is_p256(const EVP_PKEY *pkey)
{
	char group[32];

	return EVP_PKEY_is_a(pkey, "EC") &&
	       EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) == 1 &&
	       strcmp(group, "prime256v1") == 0;
}

/* By the point at infinity everybody could sign, and it can be read. */
static bool good_point(EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(pkey, NULL);
	bool good = c != NULL && EVP_PKEY_public_check(c) == 1;

	EVP_PKEY_CTX_free(c);
	return good;
}

static int judge(EVP_PKEY *pkey, enum kind *kind, char why[AUTH_KEY_WHY_MAX])
{
	if (EVP_PKEY_is_a(pkey, "RSA")) {
		*kind = RS256;
		return judge_rsa(pkey, why);
	}
	*kind = ES256;
	if (!is_p256(pkey))
		snprintf(why, AUTH_KEY_WHY_MAX, "is neither an RSA key (RS256) nor "
			 "an EC key on the curve P-256 (ES256)");
	else if (!good_point(pkey))
		snprintf(why, AUTH_KEY_WHY_MAX, "is an EC key whose point is none "
			 "that signs");
	else
		return 0;
	return -EINVAL;
}

static EVP_PKEY_CTX *verifier(EVP_PKEY *pkey, enum kind kind)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(pkey, NULL);

	if (c != NULL && EVP_PKEY_verify_init(c) == 1 &&
	    (kind != RS256 ||
	     EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) == 1) &&
	    EVP_PKEY_CTX_set_signature_md(c, EVP_sha256()) == 1)
		return c;
	EVP_PKEY_CTX_free(c);
	return NULL;
}

/* What takes its time: done once. */
static int set_up(struct auth_key *k, EVP_PKEY *pkey, char why[AUTH_KEY_WHY_MAX])
{
	int rc = judge(pkey, &k->kind, why);

	if (rc != 0)
		return rc;
	k->bits = (unsigned)EVP_PKEY_get_bits(pkey);
	k->verify = verifier(pkey, k->kind);
	if (k->verify != NULL)
		return 0;
	snprintf(why, AUTH_KEY_WHY_MAX, "cannot be used: OpenSSL refuses it");
	return -EINVAL;
}

int auth_key_public(const char *pem, struct auth_key **out,
		    char why[AUTH_KEY_WHY_MAX])
{
	const char *wrong = wrong_pem(pem);
	struct auth_key *k;
	EVP_PKEY *pkey;
	int rc = -EINVAL;

	if (wrong != NULL) {
		snprintf(why, AUTH_KEY_WHY_MAX, "%s", wrong);
		return -EINVAL;
	}
	k = mem_zalloc(sizeof(*k));
	pkey = parse(pem);
	if (pkey != NULL)
		rc = set_up(k, pkey, why);
	else
		snprintf(why, AUTH_KEY_WHY_MAX, "is damaged, or of a kind that "
			 "OpenSSL does not know");
	EVP_PKEY_free(pkey);	/* k->verify holds it */
	ERR_clear_error();	/* the TLS of others would find it */
	if (rc == 0)
		*out = k;
	else
		auth_key_free(&k);
	return rc;
}

/* --- signatures --- */

static bool mac_of(const struct auth_key *k, struct slice text,
		   unsigned char out[AUTH_KEY_MAC_LEN])
{
	unsigned n = 0;

	return HMAC(EVP_sha256(), k->secret, (int)k->n,
		    (const unsigned char *)text.p, text.n, out, &n) != NULL &&
	       n == AUTH_KEY_MAC_LEN;
}

static bool verify_mac(const struct auth_key *k, struct slice text,
		       struct slice signature)
{
	unsigned char mac[AUTH_KEY_MAC_LEN];

	return signature.n == sizeof(mac) && mac_of(k, text, mac) &&
	       CRYPTO_memcmp(mac, signature.p, sizeof(mac)) == 0;
}

/* A DER integer of P256_BYTES unsigned big-endian bytes. How long it is. */
static size_t put_integer(unsigned char *out, const char *p)
{
	size_t n = P256_BYTES, sign;

	while (n > 1 && *p == 0) {
		p++;
		n--;
	}
	sign = (unsigned char)*p >> 7;
	out[0] = 0x02;
	out[1] = (unsigned char)(n + sign);
	out[2] = 0;
	memcpy(out + 2 + sign, p, n);
	return 2 + sign + n;
}

/* r and s one behind the other (RFC 7518, section 3.4), as OpenSSL wants them. */
static size_t to_der(const char *rs, unsigned char out[P256_DER_MAX])
{
	size_t n = 2;

	n += put_integer(out + n, rs);
	n += put_integer(out + n, rs + P256_BYTES);
	out[0] = 0x30;
	out[1] = (unsigned char)(n - 2);
	return n;
}

static bool verify_public(const struct auth_key *k, struct slice text,
			  struct slice signature)
{
	unsigned char hash[SHA256_DIGEST_LENGTH], der[P256_DER_MAX];
	const unsigned char *p = (const unsigned char *)signature.p;
	size_t n = signature.n;
	bool good;

	if (k->kind == ES256) {
		if (n != 2 * (size_t)P256_BYTES)
			return false;
		n = to_der(signature.p, der);
		p = der;
	}
	if (SHA256((const unsigned char *)text.p, text.n, hash) == NULL)
		return false;
	good = EVP_PKEY_verify(k->verify, p, n, hash, sizeof(hash)) == 1;
	if (!good)
		ERR_clear_error();
	return good;
}

bool auth_key_verify(const struct auth_key *k, struct slice text,
		     struct slice signature)
{
	return k->kind == HS256 ? verify_mac(k, text, signature) :
				  verify_public(k, text, signature);
}

int auth_key_sign(const struct auth_key *k, struct slice text,
		  unsigned char mac_out[AUTH_KEY_MAC_LEN])
{
	if (k->kind != HS256)
		return -EPERM;
	return mac_of(k, text, mac_out) ? 0 : -EIO;
}
