#include "common/protocol/auth_token.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <jwt.h>

#include "common/base/mem.h"

#define TOKEN_MAX 8192
#define SECONDS_MAX 9e15	/* a double counts seconds exactly below 2^53 */

struct auth_key {
	jwt_alg_t alg;
	size_t n;
	unsigned char bytes[];
};

struct auth_key *auth_key_hs256(const char *secret)
{
	size_t n = strlen(secret);
	struct auth_key *k;

	/* libjwt takes an empty key for "no signature wanted" */
	if (n == 0)
		return NULL;
	k = mem_alloc(sizeof(*k) + n);
	k->alg = JWT_ALG_HS256;
	k->n = n;
	memcpy(k->bytes, secret, n);
	return k;
}

void auth_key_free(struct auth_key **kp)
{
	struct auth_key *k = *kp;

	if (k == NULL)
		return;
	explicit_bzero(k->bytes, k->n);
	free(k);
	*kp = NULL;
}

/* Three segments of base64url. libjwt is more generous. */
static bool looks_like_token(const char *t)
{
	size_t n = strnlen(t, TOKEN_MAX + 1);
	unsigned dots = 0;

	if (n == 0 || n > TOKEN_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = t[i];

		if (c == '.') {
			if (i == 0 || t[i - 1] == '.')
				return false;
			dots++;
		} else if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || c == '-' || c == '_')) {
			return false;
		}
	}
	return dots == 2 && t[n - 1] != '.';
}

/* The claims of a token that k signed; NULL otherwise. libjwt verifies by the
 * algorithm that the token names, so it is compared afterwards. */
static json_t *verified_claims(const struct auth_key *k, const char *token)
{
	json_t *claims = NULL;
	char *text = NULL;
	jwt_t *jwt = NULL;

	if (jwt_decode(&jwt, token, k->bytes, (int)k->n) != 0)
		return NULL;
	if (jwt_get_alg(jwt) == k->alg)
		text = jwt_get_grants_json(jwt, NULL);
	if (text != NULL)
		claims = json_loads(text, 0, NULL);
	free(text);
	jwt_free(jwt);
	return claims;
}

/* A NumericDate (RFC 7519 2): an integer or a real number; libjwt reads other
 * types as 0. 1: read, 0: absent, -EACCES: not a date. */
static int read_date(const json_t *claims, const char *name, int64_t *out)
{
	const json_t *v = json_object_get(claims, name);
	double seconds;

	if (v == NULL)
		return 0;
	if (!json_is_number(v))
		return -EACCES;
	seconds = json_number_value(v);
	if (!(seconds >= 1 && seconds < SECONDS_MAX))
		return -EACCES;
	*out = (int64_t)seconds;
	return 1;
}

/* C0, DEL and C1 (U+0080 to U+009F); jansson has checked the UTF-8. */
static bool has_control(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c < 0x20 || c == 0x7f)
			return true;
		if (c == 0xc2 && i + 1 < n && (unsigned char)s[i + 1] < 0xa0)
			return true;
	}
	return false;
}

/* userId, else sub. One that is present with a wrong type does not fall back:
 * whoever signed it meant it. */
static int read_user(const json_t *claims, struct auth_claims *out)
{
	const json_t *v = json_object_get(claims, "userId");
	size_t n;

	if (v == NULL)
		v = json_object_get(claims, "sub");
	if (!json_is_string(v))
		return -EACCES;
	n = json_string_length(v);
	if (n == 0 || n > PW_ID_MAX || has_control(json_string_value(v), n))
		return -EACCES;
	memcpy(out->user_id, json_string_value(v), n + 1);
	return 0;
}

static int check_claims(const json_t *claims, int64_t now_s, unsigned leeway_s,
			struct auth_claims *out)
{
	struct auth_claims c = { .expires_at_s = 0 };
	int64_t not_before = 0;

	if (!json_is_object(claims))
		return -EACCES;
	if (read_date(claims, "exp", &c.expires_at_s) < 0 ||
	    read_date(claims, "nbf", &not_before) < 0)
		return -EACCES;
	if (c.expires_at_s != 0 && now_s >= c.expires_at_s + (int64_t)leeway_s)
		return -EACCES;
	if (now_s + (int64_t)leeway_s < not_before)
		return -EACCES;
	if (read_user(claims, &c) != 0)
		return -EACCES;
	*out = c;
	return 0;
}

int auth_token_verify(const struct auth_key *k, const char *token, int64_t now_s,
		      unsigned leeway_s, struct auth_claims *out)
{
	json_t *claims;
	int rc;

	if (!looks_like_token(token))
		return -EACCES;
	claims = verified_claims(k, token);
	rc = check_claims(claims, now_s, leeway_s, out);
	json_decref(claims);
	return rc;
}

char *auth_token_sign(const struct auth_key *k, const char *user_id,
		      int64_t now_s, int64_t expires_at_s)
{
	char *text = NULL;
	jwt_t *jwt = NULL;

	if (jwt_new(&jwt) != 0)
		return NULL;
	if (jwt_add_grant(jwt, "userId", user_id) == 0 &&
	    jwt_add_grant_int(jwt, "iat", (long)now_s) == 0 &&
	    (expires_at_s == 0 ||
	     jwt_add_grant_int(jwt, "exp", (long)expires_at_s) == 0) &&
	    jwt_set_alg(jwt, k->alg, k->bytes, (int)k->n) == 0)
		text = jwt_encode_str(jwt);
	jwt_free(jwt);
	return text;
}
