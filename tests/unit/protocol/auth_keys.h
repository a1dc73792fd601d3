/* Keys made for a test, and tokens of whatever kind signed with them. */
#ifndef PW_TEST_AUTH_KEYS_H
#define PW_TEST_AUTH_KEYS_H

#include <jwt.h>
#include <openssl/evp.h>

#include "common/protocol/auth_key.h"

/* Each result is the caller's. */
EVP_PKEY *test_rsa(size_t bits);
EVP_PKEY *test_ec(const char *curve);
char *test_public_pem(EVP_PKEY *pkey);
char *test_private_pem(EVP_PKEY *pkey);
/* The key as the product reads it; the test fails if it is refused. */
struct auth_key *test_public_key(EVP_PKEY *pkey);

/* What a signature is made with. */
struct test_signer {
	const char *alg;	/* "HS256" ... "ES512"; also PS256 ..., and "EdDSA" */
	EVP_PKEY *pkey;		/* or */
	const char *secret;
};
/* HEADER.CLAIMS.SIGNATURE, the first two as they stand, in base64url. */
char *test_token(const char *header, const char *claims,
		 const struct test_signer *by);
/* The same with header {"alg":alg}. */
char *test_token_alg(const char *alg, const char *claims,
		     const struct test_signer *by);
/* The same by somebody else's code; key: the secret, or a private key's PEM. */
char *test_jwt(const char *claims, jwt_alg_t alg, const char *key);

/* Of a token of "anna", at NOW: whether it is good, and nothing left of one that is
 * not. token is freed. */
#define NOW 1767323045
#define LEEWAY 30
void expect_token(const struct auth_key *k, char *token, bool good,
		  const char *what);

#endif
