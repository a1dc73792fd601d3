/* FCM HTTP v1: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send */
#include "pushd/sender.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "pushd/google_token.h"
#include "pushd/sender_impl.h"

struct sender_fcm {
	struct sender base;
	struct google_token *token;
	char *path;
};

static struct sender_fcm *fcm_of(struct sender *s)
{
	return CONTAINER_OF(s, struct sender_fcm, base);
}

/* It stands in the body; nobody was given one with control characters. */
static bool fcm_is_token(const char *token)
{
	size_t n = 0;

	while ((unsigned char)token[n] >= 0x20 && token[n] != 0x7f)
		n++;
	return n > 0 && n <= TOKEN_MAX && token[n] == '\0';
}

static void on_token(void *arg, int err, const char *token)
{
	struct flight *f = arg;
	struct sender *s = f->s;

	if (err != 0) {
		flight_fail(f, err == -EAGAIN ? -ENOTCONN : err);
		return;
	}
	sender_authorize(s, "Bearer", token);
	const struct h2_header headers[] = {
		{ "authorization", s->authorization, false },
		{ "content-type", "application/json", false },
	};
	flight_request(f, headers, ARRAY_SIZE(headers));
}

static void fcm_submit(struct sender *s, struct flight *f)
{
	struct sender_fcm *fcm = fcm_of(s);

	f->path = fcm->path;
	google_token_get(fcm->token, on_token, f);
}

static bool fcm_renew(struct sender *s, const struct flight *f)
{
	/* another one's answer may have had it renewed by now */
	if (f->serial == s->serial)
		google_token_refused(fcm_of(s)->token,
				     s->authorization + strlen("Bearer "));
	return true;
}

static void fcm_free(struct sender *s)
{
	struct sender_fcm *fcm = fcm_of(s);

	google_token_free(&fcm->token);
	sender_clear(s);
	free(fcm->path);
	free(fcm);
}

static const struct sender_ops fcm_ops = {
	.is_token = fcm_is_token,
	.no_token_reason = "INVALID_ARGUMENT",
	.submit = fcm_submit,
	.renew = fcm_renew,
	.free = fcm_free,
};

struct sender *sender_new_fcm(struct loop *l, const struct sender_conf *c,
			      const struct google_account *account,
			      char err[256])
{
	struct google_token_conf t = {
		.name = c->name,
		.account = *account,
		.ca_file = c->ca_file,
		.timeout_ms = c->timeout_ms,
	};
	struct google_token *token = google_token_new(l, &t, err);
	struct sender_fcm *fcm;
	size_t size;

	if (token == NULL)
		return NULL;
	fcm = mem_zalloc(sizeof(*fcm));
	if (sender_init(&fcm->base, &fcm_ops, PROVIDER_FCM, l, c, c->name,
			err) != 0) {
		google_token_free(&token);
		free(fcm);
		return NULL;
	}
	fcm->token = token;
	size = sizeof("/v1/projects//messages:send") +
	       strlen(account->project_id);
	fcm->path = mem_alloc(size);
	snprintf(fcm->path, size, "/v1/projects/%s/messages:send",
		 account->project_id);
	return &fcm->base;
}
