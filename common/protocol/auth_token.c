#include "common/protocol/auth_token.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/protocol/auth_key.h"
#include "common/protocol/base64url.h"

#define SECONDS_MAX 9e15	/* a double counts seconds exactly below 2^53 */

/* What a token consists of; in base64url, borrowed. */
struct parts {
	struct slice header;
	struct slice claims;
	struct slice signature;
	struct slice signed_text;	/* the first two, and the dot between */
};

/* Three parts, none of them empty. */
static bool split(const char *token, struct parts *out)
{
	size_t n = strnlen(token, AUTH_TOKEN_MAX + 1);
	const char *end = token + n, *one, *two;

	if (n > AUTH_TOKEN_MAX)
		return false;
	one = memchr(token, '.', n);
	if (one == NULL)
		return false;
	two = memchr(one + 1, '.', (size_t)(end - one - 1));
	if (two == NULL)
		return false;
	out->header = (struct slice){ token, (size_t)(one - token) };
	out->claims = (struct slice){ one + 1, (size_t)(two - one - 1) };
	out->signature = (struct slice){ two + 1, (size_t)(end - two - 1) };
	out->signed_text = (struct slice){ token, (size_t)(two - token) };
	return out->header.n > 0 && out->claims.n > 0 && out->signature.n > 0;
}

/* An object in which no name comes twice (RFC 7515, section 4), or NULL. */
static json_t *read_object(struct slice text)
{
	char json[AUTH_TOKEN_MAX];
	ssize_t n = base64url_decode(text, json, sizeof(json));
	json_t *v;

	if (n < 0)
		return NULL;
	v = json_loadb(json, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(v)) {
		json_decref(v);
		return NULL;
	}
	return v;
}

/* A token of users, not one of the same issuer for another purpose (RFC 8725,
 * section 3.11); "application/" may be left out (RFC 7515, section 4.1.9). */
static bool good_type(const json_t *typ)
{
	static const char media[] = "application/";
	const char *s = json_string_value(typ);

	if (typ == NULL)
		return true;
	if (s == NULL)
		return false;
	if (strncasecmp(s, media, sizeof(media) - 1) == 0)
		s += sizeof(media) - 1;
	return strcasecmp(s, "JWT") == 0 || strcasecmp(s, "at+jwt") == 0;
}

static bool good_header(const struct auth_key *k, struct slice text)
{
	json_t *header = read_object(text);
	const char *alg = json_string_value(json_object_get(header, "alg"));
	bool good = alg != NULL && strcmp(alg, auth_key_alg(k)) == 0 &&
		    json_object_get(header, "crit") == NULL &&
		    good_type(json_object_get(header, "typ"));

	json_decref(header);
	return good;
}

static bool good_signature(const struct auth_key *k, const struct parts *p)
{
	char signature[AUTH_KEY_SIGNATURE_MAX];
	ssize_t n = base64url_decode(p->signature, signature, sizeof(signature));

	return n > 0 && auth_key_verify(k, p->signed_text,
					(struct slice){ signature, (size_t)n });
}

/* A NumericDate (RFC 7519 2): an integer or a real number. 1: read, 0: absent, -EACCES: not a date. */
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
	struct parts p;
	json_t *claims;
	int rc;

	if (!split(token, &p) || !good_header(k, p.header) ||
	    !good_signature(k, &p))
		return -EACCES;
	claims = read_object(p.claims);
	rc = claims != NULL ? check_claims(claims, now_s, leeway_s, out) : -EACCES;
	json_decref(claims);
	return rc;
}

static char *claims_text(const char *user_id, int64_t now_s, int64_t expires_at_s)
{
	json_t *claims = json_pack("{s:s, s:I}", "userId", user_id, "iat",
				   (json_int_t)now_s);
	char *text = NULL;

	if (claims != NULL &&
	    (expires_at_s == 0 ||
	     json_object_set_new(claims, "exp", json_integer(expires_at_s)) == 0))
		text = json_dumps(claims, JSON_COMPACT);
	json_decref(claims);
	return text;
}

char *auth_token_sign(const struct auth_key *k, const char *user_id,
		      int64_t now_s, int64_t expires_at_s)
{
	unsigned char mac[AUTH_KEY_MAC_LEN];
	struct buf b = { 0 };
	char *token = NULL;
	char *claims = claims_text(user_id, now_s, expires_at_s);

	if (claims == NULL)
		return NULL;
	base64url_encode(&b, SLICE("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"));
	buf_addc(&b, '.');
	base64url_encode(&b, slice_of(claims));
	if (auth_key_sign(k, buf_slice(&b), mac) == 0) {
		buf_addc(&b, '.');
		base64url_encode(&b, (struct slice){ (char *)mac, sizeof(mac) });
		token = mem_strndup(b.p, b.len);
	}
	buf_free(&b);
	free(claims);
	return token;
}
