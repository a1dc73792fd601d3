/* Signs JWTs with a private key (RFC 7515, RFC 7518: RS256, ES256). The only
 * file of pushd that knows libjwt. */
#ifndef PW_PUSHD_JWT_SIGN_H
#define PW_PUSHD_JWT_SIGN_H

#include "common/base/base.h"

#define JWT_ERR_MAX 96

enum jwt_kind {
	JWT_RS256,	/* RSA, 2048 bits or more (RFC 7518, 3.3) */
	JWT_ES256,	/* EC, P-256 */
	JWT__KINDS
};

struct jwt_key;

/* pem: an unencrypted private key, PKCS#8 or the older forms; copied. NULL with
 * a phrase in err ("is not a private key in PEM") that quotes nothing of it. */
struct jwt_key *jwt_key_new(enum jwt_kind kind, const char *pem,
			    char err[JWT_ERR_MAX]);
/* claims: a JSON object; kid: "" for none. A new string, free()d by the caller
 * after jwt_wipe(). NULL when OpenSSL fails, or claims is no JSON. Costs some ms of
 * CPU with RSA: not for each request. */
char *jwt_sign(const struct jwt_key *k, const char *kid, const char *claims);
/* Wipes and frees a token, NULLs *token. NULL inside is harmless. */
void jwt_wipe(char **token);
/* Wipes the key. NULLs *k. */
void jwt_key_free(struct jwt_key **k);

#endif
