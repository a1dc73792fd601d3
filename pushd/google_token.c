#include "pushd/google_token.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "common/backend/backoff.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "pushd/h2_client.h"
#include "pushd/jwt_sign.h"

#define SCOPE "https://www.googleapis.com/auth/firebase.messaging"
/* RFC 7523, 2.1; in a form's encoding. A JWT needs none. */
#define FORM "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer" \
	"&assertion="
#define ASSERTION_S 3600	/* at most an hour */
#define LIFE_USUAL_S 3600	/* when the answer does not say (RFC 6749, 5.1) */
#define LIFE_MAX_S 86400
#define PING_MS 3600000		/* its connection is idle between fetches */
#define WHY_MAX 96

struct waiter {
	struct list node;
	google_token_cb *cb;
	void *arg;
};

struct google_token {
	struct h2_client *http;
	struct jwt_key *key;
	char *name;
	char *email;
	char *key_id;
	char *uri;
	const char *path;	/* of the URI, within it */
	unsigned timeout_ms;

	char *token;		/* NULL: none */
	int64_t ends_ms;	/* monotonic, as all here */
	int64_t renew_ms;

	bool fetching;
	int64_t asked_ms;
	int64_t next_ms;	/* not asked again before */
	int error;		/* of the last fetch: 0, -EACCES, -EAGAIN */
	struct backoff backoff;
	struct list waiters;
	char logged[WHY_MAX];	/* what the log knows of it; "": all is well */
};

/* The authority alone, as h2_client wants it. */
static struct h2_client *connect_to(struct loop *l,
				    const struct google_token_conf *c,
				    const char *path, char err[256])
{
	const char *uri = c->account.token_uri;
	char *url = mem_strndup(uri, (size_t)(path - uri));
	struct h2_client_conf h = {
		.name = c->name,
		.url = url,
		.ca_file = c->ca_file,
		.connections = 1,
		.timeout_ms = c->timeout_ms,
		.ping_ms = PING_MS,
	};
	struct h2_client *http = h2_client_new(l, &h, err);

	free(url);
	return http;
}

struct google_token *google_token_new(struct loop *l,
				      const struct google_token_conf *c,
				      char err[256])
{
	const struct google_account *a = &c->account;
	const char *wrong = google_account_wrong(a);
	char why[JWT_ERR_MAX];
	struct google_token *t;
	struct h2_client *http;
	struct jwt_key *key;
	size_t authority;

	if (wrong != NULL) {
		snprintf(err, 256, "%s", wrong);
		return NULL;
	}
	key = jwt_key_new(JWT_RS256, a->private_key, why);
	if (key == NULL) {
		snprintf(err, 256, "private_key %s", why);
		return NULL;
	}
	authority = strlen("https://") +
		    strcspn(a->token_uri + strlen("https://"), "/?");
	http = connect_to(l, c, a->token_uri + authority, err);
	if (http == NULL) {
		jwt_key_free(&key);
		return NULL;
	}
	t = mem_zalloc(sizeof(*t));
	t->http = http;
	t->key = key;
	t->name = mem_strdup(c->name);
	t->email = mem_strdup(a->client_email);
	t->key_id = mem_strdup(a->private_key_id);
	t->uri = mem_strdup(a->token_uri);
	t->path = t->uri[authority] == '/' ? t->uri + authority : "/";
	t->timeout_ms = c->timeout_ms;
	backoff_init(&t->backoff);
	list_init(&t->waiters);
	return t;
}

static bool valid(const struct google_token *t, int64_t now_ms)
{
	return t->token != NULL && now_ms < t->ends_ms;
}

/* A callback may ask again: those wait for the next fetch. */
static void answer_all(struct google_token *t, int err)
{
	struct list answered, *n;

	list_init(&answered);
	list_splice(&answered, &t->waiters);
	while ((n = list_shift(&answered)) != NULL) {
		struct waiter *w = LIST_ENTRY(n, struct waiter, node);

		/* one of the others may have found it refused */
		w->cb(w->arg, err == 0 && t->token == NULL ? -EAGAIN : err,
		      err == 0 ? t->token : NULL);
		free(w);
	}
}

static void fetched(struct google_token *t, char *token, int64_t life_s)
{
	int64_t life_ms = life_s * 1000;
	int64_t early = life_ms / 5 < GOOGLE_RENEW_EARLY_MS ?
		life_ms / 5 : GOOGLE_RENEW_EARLY_MS;

	jwt_wipe(&t->token);
	t->token = token;
	t->ends_ms = t->asked_ms + life_ms;
	t->renew_ms = t->ends_ms - early;
	t->next_ms = 0;
	t->error = 0;
	backoff_init(&t->backoff);
	if (t->logged[0] != '\0')
		log_info("%s: access tokens are to be had again", t->name);
	t->logged[0] = '\0';
	answer_all(t, 0);
}

/* What is known serves on; one line per change. */
static void failed(struct google_token *t, int error, const char *why)
{
	t->error = error;
	t->next_ms = clock_mono_ms() +
		     (error == -EACCES ? GOOGLE_REFUSED_MS :
					 (int64_t)backoff_next(&t->backoff));
	if (strcmp(t->logged, why) != 0) {
		snprintf(t->logged, sizeof(t->logged), "%s", why);
		if (error == -EACCES)
			log_err("%s: the account is refused an access token reason=\"%s\"",
				t->name, why);
		else
			log_warn("%s: cannot get an access token reason=\"%s\"",
				 t->name, why);
	}
	answer_all(t, error);
}

/* An RFC 6749 error code; what else a peer may say is none of the log's. */
static void error_code(const json_t *root, int status, char why[WHY_MAX])
{
	const char *code = json_string_value(json_object_get(root, "error"));
	size_t n = code != NULL ?
		strspn(code, "abcdefghijklmnopqrstuvwxyz_") : 0;

	if (n > 0 && n <= 40 && code[n] == '\0')
		snprintf(why, WHY_MAX, "%s (HTTP %d)", code, status);
	else
		snprintf(why, WHY_MAX, "HTTP %d", status);
}

/* Goes into a header: visible characters only. */
static bool is_token(const char *s)
{
	size_t n = 0;

	while (s != NULL && s[n] > ' ' && s[n] < 0x7f)
		n++;
	return n > 0 && n <= GOOGLE_TOKEN_MAX && s[n] == '\0';
}

static void read_token(struct google_token *t, const json_t *root)
{
	const char *token =
		json_string_value(json_object_get(root, "access_token"));
	const json_t *life = json_object_get(root, "expires_in");
	json_int_t life_s = life == NULL ? LIFE_USUAL_S :
					   json_integer_value(life);

	if (!is_token(token) || life_s < 1)
		failed(t, -EAGAIN, "the answer has no access token");
	else
		fetched(t, mem_strdup(token),
			life_s < LIFE_MAX_S ? life_s : LIFE_MAX_S);
}

static bool is_refusal(int status)
{
	return status >= 400 && status < 500 && status != 408 && status != 429;
}

static void wipe(json_t *root)
{
	json_t *token = json_object_get(root, "access_token");
	const char *text = json_string_value(token);

	if (text != NULL)
		explicit_bzero((char *)(uintptr_t)text,
			       json_string_length(token));
	json_decref(root);
}

static void on_answer(void *arg, int err, const struct h2_response *r)
{
	struct google_token *t = arg;
	char why[WHY_MAX];
	json_t *root;

	t->fetching = false;
	if (err == -ECANCELED)	/* google_token_free() */
		return;
	if (err != 0) {
		snprintf(why, sizeof(why), "%s", strerror(-err));
		failed(t, -EAGAIN, why);
		return;
	}
	root = json_loadb(r->body.p != NULL ? r->body.p : "", r->body.n, 0,
			  NULL);
	if (r->status == 200) {
		read_token(t, root);
	} else {
		error_code(root, r->status, why);
		failed(t, is_refusal(r->status) ? -EACCES : -EAGAIN, why);
	}
	wipe(root);
}

static char *assertion(const struct google_token *t)
{
	json_int_t now_s = clock_wall_us() / 1000000;
	json_t *claims = json_pack("{s:s,s:s,s:s,s:I,s:I}", "iss", t->email,
				   "scope", SCOPE, "aud", t->uri, "iat", now_s,
				   "exp", now_s + ASSERTION_S);
	char *text = json_dumps(claims, JSON_COMPACT);
	char *jwt = text != NULL ? jwt_sign(t->key, t->key_id, text) : NULL;

	free(text);
	json_decref(claims);
	return jwt;
}

static void fetch(struct google_token *t)
{
	static const struct h2_header headers[] = {
		{ "content-type", "application/x-www-form-urlencoded", false },
		{ "accept", "application/json", false },
	};
	char *jwt = assertion(t);
	struct h2_request r = {
		.method = "POST",
		.path = t->path,
		.headers = headers,
		.nheaders = ARRAY_SIZE(headers),
		.timeout_ms = t->timeout_ms,
	};
	char *body;
	size_t size;

	if (jwt == NULL)	/* the key was tried when it was read */
		log_fatal("%s: cannot sign with the account's key", t->name);
	size = strlen(FORM) + strlen(jwt) + 1;
	body = mem_alloc(size);
	snprintf(body, size, "%s%s", FORM, jwt);
	r.body = slice_of(body);
	t->fetching = true;
	t->asked_ms = clock_mono_ms();
	h2_client_send(t->http, &r, on_answer, t);
	jwt_wipe(&body);
	jwt_wipe(&jwt);
}

void google_token_get(struct google_token *t, google_token_cb *cb, void *arg)
{
	int64_t now = clock_mono_ms();
	bool have = valid(t, now);
	struct waiter *w;

	if (!t->fetching && now >= t->next_ms && (!have || now >= t->renew_ms))
		fetch(t);
	if (have) {
		cb(arg, 0, t->token);
		return;
	}
	if (!t->fetching) {
		cb(arg, t->error, NULL);
		return;
	}
	w = mem_alloc(sizeof(*w));
	w->cb = cb;
	w->arg = arg;
	list_append(&t->waiters, &w->node);
}

void google_token_refused(struct google_token *t, const char *token)
{
	if (t->token != NULL && strcmp(t->token, token) == 0)
		jwt_wipe(&t->token);
}

void google_token_free(struct google_token **tp)
{
	struct google_token *t = *tp;

	if (t == NULL)
		return;
	h2_client_free(&t->http);
	answer_all(t, -ECANCELED);
	jwt_wipe(&t->token);
	jwt_key_free(&t->key);
	free(t->name);
	free(t->email);
	free(t->key_id);
	free(t->uri);
	free(t);
	*tp = NULL;
}
