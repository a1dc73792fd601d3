/* What users' tokens are checked by: one key and, by its kind, one algorithm (RFC
 * 7518, section 3). A public key is parsed once: that takes ten times as long as
 * checking a signature by it. Not for two threads at a time. */
#ifndef PW_AUTH_KEY_H
#define PW_AUTH_KEY_H

#include "common/base/base.h"

struct auth_key;

#define AUTH_KEY_PEM_MAX 16384
#define AUTH_KEY_WHY_MAX 128
#define AUTH_KEY_MAC_LEN 32
/* The longest signature: of RSA with 8192 bits, the largest key that is taken. */
#define AUTH_KEY_SIGNATURE_MAX 1024

/* HS256. NULL when the secret is empty. Copied. */
struct auth_key *auth_key_hs256(const char *secret);
/* RS256 for RSA of 2048 to 8192 bits, ES256 for EC on P-256: the public key alone,
 * in PEM form (SubjectPublicKeyInfo). 0, or -EINVAL with what is wrong in why, to
 * stand behind the key's name: "is a private key; ...". */
int auth_key_public(const char *pem, struct auth_key **out,
		    char why[AUTH_KEY_WHY_MAX]) MUST_CHECK;
void auth_key_free(struct auth_key **k);

/* "HS256", "RS256" or "ES256". */
const char *auth_key_alg(const struct auth_key *k);
/* Of a public key; 0: a secret. */
unsigned auth_key_bits(const struct auth_key *k);
/* Is this the signature of text? Of any length. */
bool auth_key_verify(const struct auth_key *k, struct slice text,
		     struct slice signature) MUST_CHECK;
/* -EPERM: by a public key nothing can be signed. */
int auth_key_sign(const struct auth_key *k, struct slice text,
		  unsigned char mac_out[AUTH_KEY_MAC_LEN]) MUST_CHECK;

#endif
