/* The access token of a Google service account (OAuth 2.0 JWT bearer grant, RFC
 * 7523, 2.1): fetched when first needed, kept, renewed early. One fetch in
 * flight; all who ask meanwhile wait for it. While the token end-point fails
 * the old token serves until it ends; attempts back off with jitter. Nothing of
 * key or token is ever logged. Loop thread only. */
#ifndef PW_PUSHD_GOOGLE_TOKEN_H
#define PW_PUSHD_GOOGLE_TOKEN_H

#include "common/base/base.h"

struct google_token;
struct loop;

#define GOOGLE_RENEW_EARLY_MS 300000	/* before its end, or a fifth of a short life */
#define GOOGLE_REFUSED_MS 60000
#define GOOGLE_TOKEN_MAX 8192		/* bytes of an access token */

struct google_account {
	char *project_id;
	char *client_email;
	char *private_key;	/* PEM, PKCS#8 */
	char *private_key_id;	/* "": none */
	char *token_uri;	/* https://... */
};
/* From a service account's JSON file (the one that Firebase's console hands
 * out); without token_uri Google's own. Warns in the log when everybody may read
 * it. 0, or -errno / -EINVAL with "file: ..." in err, which quotes nothing of the
 * key. */
int google_account_read(const char *path, struct google_account *out,
			char err[256]) MUST_CHECK;
/* The project becomes part of a path, the URI an authority: NULL, or what is
 * wrong: "project_id is ...". The key is google_token_new()'s to judge. */
const char *google_account_wrong(const struct google_account *a);
/* Wipes the key. */
void google_account_clear(struct google_account *a);

struct google_token_conf {
	const char *name;	/* of whom, for log lines: "fcm" */
	struct google_account account;	/* copied */
	const char *ca_file;
	unsigned timeout_ms;	/* of a fetch */
};
/* err 0: token is valid, borrowed until return. -EACCES: the end-point refused the
 * account (invalid_grant...); it is not asked again for GOOGLE_REFUSED_MS, all
 * get this at once meanwhile. -EAGAIN: it cannot be reached, or it is not time to
 * try again. */
typedef void google_token_cb(void *arg, int err, const char *token);
/* NULL with a sentence in err when key or URI are of no use. */
struct google_token *google_token_new(struct loop *l,
				      const struct google_token_conf *c,
				      char err[256]);
/* cb runs exactly once; before this returns unless a fetch must be waited for.
 * Renewal needs somebody who asks: idle, nothing is fetched. */
void google_token_get(struct google_token *t, google_token_cb *cb, void *arg);
/* This one was refused (401): the next get fetches another. A token that is not
 * the current one is ignored. */
void google_token_refused(struct google_token *t, const char *token);
/* Waiting callbacks get -ECANCELED. NULLs *t. From a LOOP_REAP task, as
 * h2_client_free(). */
void google_token_free(struct google_token **t);

#endif
