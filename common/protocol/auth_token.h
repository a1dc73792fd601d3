/* Users' tokens: JSON Web Tokens (RFC 7519) in compact form (RFC 7515, section
 * 3.1), checked by the one algorithm of the key: what a token says of its own
 * algorithm can only have it refused (RFC 8725, section 3.1). */
#ifndef PW_AUTH_TOKEN_H
#define PW_AUTH_TOKEN_H

#include "common/base/base.h"

struct auth_key;

/* Longer ones are refused unread. */
#define AUTH_TOKEN_MAX 8192

struct auth_claims {
	char user_id[PW_ID_MAX + 1];	/* claim userId, else sub */
	int64_t expires_at_s;		/* exp, seconds since the epoch; 0: none */
};

/* Header (alg must be the key's; typ, if any, JWT or at+jwt; no crit), signature,
 * exp and nbf at now_s with leeway_s, and a non-empty user id without control
 * characters. 0 or -EACCES. */
int auth_token_verify(const struct auth_key *k, const char *token, int64_t now_s,
		      unsigned leeway_s, struct auth_claims *out) MUST_CHECK;
/* A HS256 token; expires_at_s 0: no exp. free() it. NULL when k is a public key,
 * or user_id no UTF-8. */
char *auth_token_sign(const struct auth_key *k, const char *user_id,
		      int64_t now_s, int64_t expires_at_s);

#endif
