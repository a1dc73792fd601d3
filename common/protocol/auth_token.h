/* The only file that knows libjwt. (stack.md 5: what it does not check) */
#ifndef PW_AUTH_TOKEN_H
#define PW_AUTH_TOKEN_H

#include "common/base/base.h"

struct auth_key;	/* HS256 secret */

struct auth_claims {
	char user_id[PW_ID_MAX + 1];	/* claim userId, else sub */
	int64_t expires_at_s;		/* exp, seconds since the epoch; 0: none */
};

/* NULL when the secret is empty. Copied. */
struct auth_key *auth_key_hs256(const char *secret);
void auth_key_free(struct auth_key **k);

/* Signature, alg (must be the key's), exp and nbf at now_s with leeway_s, and a
 * non-empty user id without control characters. 0 or -EACCES. */
int auth_token_verify(const struct auth_key *k, const char *token, int64_t now_s,
		      unsigned leeway_s, struct auth_claims *out) MUST_CHECK;
/* A HS256 token; expires_at_s 0: no exp. free() it. NULL on failure. */
char *auth_token_sign(const struct auth_key *k, const char *user_id,
		      int64_t now_s, int64_t expires_at_s);

#endif
