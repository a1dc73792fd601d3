#include "pushd/jwt_sign.h"

#include <stdio.h>
#include <stdlib.h>

#include <jwt.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "common/base/mem.h"

#define RSA_BITS_MIN 2048

struct jwt_key {
	enum jwt_kind kind;
	size_t n;
	char pem[];	/* n bytes and a NUL */
};

/* Without it OpenSSL would ask at the terminal. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static EVP_PKEY *parse(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *pkey;

	if (bio == NULL)
		return NULL;
	pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	ERR_clear_error();
	return pkey;
}

static const char *wrong_kind(enum jwt_kind kind, const EVP_PKEY *pkey)
{
	char group[32];

	if (kind == JWT_RS256) {
		if (!EVP_PKEY_is_a(pkey, "RSA"))
			return "is not an RSA key";
		if (EVP_PKEY_get_bits(pkey) < RSA_BITS_MIN)
			return "is shorter than 2048 bits";
		return NULL;
	}
	if (!EVP_PKEY_is_a(pkey, "EC") ||
	    EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) != 1 ||
	    strcmp(group, "prime256v1") != 0)
		return "is not an EC key on the curve P-256";
	return NULL;
}

char *jwt_sign(const struct jwt_key *k, const char *kid, const char *claims)
{
	static const jwt_alg_t algs[JWT__KINDS] = {
		[JWT_RS256] = JWT_ALG_RS256,
		[JWT_ES256] = JWT_ALG_ES256,
	};
	char *token = NULL;
	jwt_t *jwt = NULL;

	if (jwt_new(&jwt) != 0)
		return NULL;
	/* libjwt keeps a copy of the key until jwt_free(), which wipes it */
	if ((*kid == '\0' || jwt_add_header(jwt, "kid", kid) == 0) &&
	    jwt_add_grants_json(jwt, claims) == 0 &&
	    jwt_set_alg(jwt, algs[k->kind], (const unsigned char *)k->pem,
			(int)k->n) == 0)
		token = jwt_encode_str(jwt);
	jwt_free(jwt);
	return token;
}

void jwt_wipe(char **tp)
{
	if (*tp == NULL)
		return;
	explicit_bzero(*tp, strlen(*tp));
	free(*tp);
	*tp = NULL;
}

static struct jwt_key *copy(enum jwt_kind kind, const char *pem)
{
	size_t n = strlen(pem);
	struct jwt_key *k = mem_alloc(sizeof(*k) + n + 1);

	k->kind = kind;
	k->n = n;
	memcpy(k->pem, pem, n + 1);
	return k;
}

void jwt_key_free(struct jwt_key **kp)
{
	struct jwt_key *k = *kp;

	if (k == NULL)
		return;
	explicit_bzero(k->pem, k->n);
	free(k);
	*kp = NULL;
}

struct jwt_key *jwt_key_new(enum jwt_kind kind, const char *pem,
			    char err[JWT_ERR_MAX])
{
	EVP_PKEY *pkey = parse(pem);
	const char *wrong = "is not a private key in PEM";
	struct jwt_key *k = NULL;
	char *tried;

	if (pkey != NULL)
		wrong = wrong_kind(kind, pkey);
	EVP_PKEY_free(pkey);
	if (wrong == NULL) {
		k = copy(kind, pem);
		tried = jwt_sign(k, "", "{}");
		if (tried == NULL) {
			wrong = "cannot be signed with";
			jwt_key_free(&k);
		}
		jwt_wipe(&tried);
	}
	if (wrong != NULL)
		snprintf(err, JWT_ERR_MAX, "%s", wrong);
	return k;
}
