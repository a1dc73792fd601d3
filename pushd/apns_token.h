/* The provider token of an APNs key: a JWT, ES256 ("Establishing a token-based
 * connection to APNs"). Apple refuses tokens older than an hour and those renewed
 * more often than each 20 minutes, counted per key over all hosts: its iat is
 * the start of a 40-minute step of the wall clock, offset by the key id, so that all
 * pushds of a key sign for the same time, and no token lives longer than 50. Pure
 * but for the clock that it is told. */
#ifndef PW_PUSHD_APNS_TOKEN_H
#define PW_PUSHD_APNS_TOKEN_H

#include "common/base/base.h"

struct apns_token;

#define APNS_ID_LEN 10

/* pem: PKCS#8 EC P-256 (.p8), copied. NULL with a sentence in err when it is no
 * such key; key_id and team_id are APNS_ID_LEN letters and digits. */
struct apns_token *apns_token_new(const char *pem, const char *key_id,
				  const char *team_id, char err[256]);
/* Borrowed until the next call. now_ms: wall clock. */
const char *apns_token_get(struct apns_token *t, int64_t now_ms);
/* ExpiredProviderToken: the next get signs anew with iat now, unless the last
 * was signed less than 20 minutes ago: then it stays, and the caller's second
 * try would be in vain. */
void apns_token_refused(struct apns_token *t, int64_t now_ms);
/* Wipes the key. NULLs *t. */
void apns_token_free(struct apns_token **t);

#endif
