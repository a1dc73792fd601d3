#include "pushd/apns_token.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "pushd/jwt_sign.h"

#define MIN_MS INT64_C(60000)
#define STEP_MS (40 * MIN_MS)
#define FLOOR_MS (20 * MIN_MS)
#define LIFE_MAX_MS (50 * MIN_MS)

struct apns_token {
	struct jwt_key *key;
	char key_id[APNS_ID_LEN + 1];
	char team_id[APNS_ID_LEN + 1];
	char *token;		/* NULL: none yet */
	int64_t iat_ms;
	int64_t signed_ms;	/* when that was done */
	int64_t offset_ms;	/* of this key's steps: not all keys' at once */
	bool refused;
};

static bool is_id(const char *s)
{
	return strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			 "abcdefghijklmnopqrstuvwxyz0123456789") == APNS_ID_LEN &&
	       s[APNS_ID_LEN] == '\0';
}

/* The same on every host: FNV-1a. */
static int64_t offset_of(const char *key_id)
{
	uint32_t h = 2166136261u;

	for (; *key_id != '\0'; key_id++)
		h = (h ^ (unsigned char)*key_id) * 16777619u;
	return (int64_t)(h % (STEP_MS / 1000)) * 1000;
}

struct apns_token *apns_token_new(const char *pem, const char *key_id,
				  const char *team_id, char err[256])
{
	char why[JWT_ERR_MAX];
	struct apns_token *t;
	struct jwt_key *key;

	if (!is_id(key_id) || !is_id(team_id)) {
		snprintf(err, 256, "the %s id is not %d letters and digits",
			 is_id(key_id) ? "team" : "key", APNS_ID_LEN);
		return NULL;
	}
	key = jwt_key_new(JWT_ES256, pem, why);
	if (key == NULL) {
		snprintf(err, 256, "the key %s", why);
		return NULL;
	}
	t = mem_zalloc(sizeof(*t));
	t->key = key;
	memcpy(t->key_id, key_id, sizeof(t->key_id));
	memcpy(t->team_id, team_id, sizeof(t->team_id));
	t->offset_ms = offset_of(key_id);
	return t;
}

static int64_t step_of(const struct apns_token *t, int64_t now_ms)
{
	return now_ms - (now_ms - t->offset_ms) % STEP_MS;
}

/* In step with other hosts, but for those whose token is less than the floor
 * older than the step: it serves over it. A process that came late into a step
 * has its first token for less than the floor: age counts for more. */
static bool is_old(const struct apns_token *t, int64_t now_ms)
{
	int64_t age = now_ms - t->iat_ms;

	if (age < 0 || age >= LIFE_MAX_MS)	/* < 0: the clock was put back */
		return true;
	return step_of(t, now_ms) - t->iat_ms >= FLOOR_MS &&
	       now_ms - t->signed_ms >= FLOOR_MS;
}

static void sign(struct apns_token *t, int64_t now_ms)
{
	int64_t iat_ms = step_of(t, now_ms);
	char claims[64];
	char *token;

	if (t->token != NULL && t->iat_ms <= now_ms &&
	    iat_ms - t->iat_ms < FLOOR_MS)
		iat_ms = now_ms;
	snprintf(claims, sizeof(claims), "{\"iss\":\"%s\",\"iat\":%lld}",
		 t->team_id, (long long)(iat_ms / 1000));
	token = jwt_sign(t->key, t->key_id, claims);
	if (token == NULL)	/* the key was tried when it was read */
		log_fatal("cannot sign with the APNs key");
	jwt_wipe(&t->token);
	t->token = token;
	t->iat_ms = iat_ms;
	t->signed_ms = now_ms;
	t->refused = false;
}

const char *apns_token_get(struct apns_token *t, int64_t now_ms)
{
	if (t->token == NULL || t->refused || is_old(t, now_ms))
		sign(t, now_ms);
	return t->token;
}

void apns_token_refused(struct apns_token *t, int64_t now_ms)
{
	if (t->token != NULL && now_ms - t->signed_ms >= FLOOR_MS)
		t->refused = true;
}

void apns_token_free(struct apns_token **tp)
{
	struct apns_token *t = *tp;

	if (t == NULL)
		return;
	jwt_wipe(&t->token);
	jwt_key_free(&t->key);
	free(t);
	*tp = NULL;
}
