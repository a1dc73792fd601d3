/* APNs: "Sending notification requests to APNs". */
#include "pushd/sender.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "pushd/apns_token.h"
#include "pushd/sender_impl.h"

#define TOKEN_DIGITS_MAX 200
#define TOPIC_MAX 255
#define UUID_BYTES 16
#define UUID_LEN 36
#define UUIDS_AT_ONCE 16	/* 256 bytes: getrandom() is never short */

struct sender_apns {
	struct sender base;
	struct apns_token *token;
	char *topic;
	/* for ids: a system call for some of them */
	unsigned char random[UUIDS_AT_ONCE][UUID_BYTES];
	unsigned unused;
};

static struct sender_apns *apns_of(struct sender *s)
{
	return CONTAINER_OF(s, struct sender_apns, base);
}

/* It stands in the path. */
static bool apns_is_token(const char *token)
{
	size_t n = strspn(token, "0123456789abcdefABCDEF");

	return n > 0 && n <= TOKEN_DIGITS_MAX && token[n] == '\0';
}

static int64_t now_ms(void)
{
	return clock_wall_us() / 1000;
}

/* Random (RFC 9562, version 4), in lower case. */
static void make_uuid(struct sender_apns *a, char out[UUID_LEN + 1])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char *b;
	char *p = out;

	if (a->unused == 0) {
		if (getrandom(a->random, sizeof(a->random), 0) !=
		    (ssize_t)sizeof(a->random))
			log_fatal("getrandom failed");
		a->unused = UUIDS_AT_ONCE;
	}
	b = a->random[--a->unused];
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	for (int i = 0; i < UUID_BYTES; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = hex[b[i] >> 4];
		*p++ = hex[b[i] & 15];
	}
	*p = '\0';
}

/* Fit for a header: 1 to max visible characters. */
static bool is_visible(const char *s, size_t max)
{
	size_t n = 0;

	while (s[n] > ' ' && s[n] < 0x7f)
		n++;
	return n > 0 && n <= max && s[n] == '\0';
}

static void apns_submit(struct sender *s, struct flight *f)
{
	struct sender_apns *a = apns_of(s);
	/* a match id may be anything */
	bool has_collapse_id = is_visible(f->collapse_id, COLLAPSE_ID_MAX);
	char id[UUID_LEN + 1], expires[24], priority[12];

	sender_authorize(s, "bearer", apns_token_get(a->token, now_ms()));
	make_uuid(a, id);
	snprintf(expires, sizeof(expires), "%lld", (long long)f->expires_s);
	snprintf(priority, sizeof(priority), "%u", f->priority);

	const struct h2_header headers[] = {
		{ "authorization", s->authorization, false },
		{ "apns-topic", a->topic, false },
		{ "apns-push-type", f->silent ? "background" : "alert", false },
		{ "apns-priority", priority, false },
		{ "apns-expiration", expires, true },
		{ "apns-id", id, true },
		{ "apns-collapse-id", f->collapse_id, true },	/* last */
	};
	flight_request(f, headers, ARRAY_SIZE(headers) -
				   !has_collapse_id);
}

static bool apns_renew(struct sender *s, const struct flight *f)
{
	struct sender_apns *a = apns_of(s);

	/* another one's answer may have had it renewed by now */
	if (f->serial == s->serial)
		apns_token_refused(a->token, now_ms());
	sender_authorize(s, "bearer", apns_token_get(a->token, now_ms()));
	return f->serial != s->serial;
}

static void apns_free(struct sender *s)
{
	struct sender_apns *a = apns_of(s);

	sender_clear(s);
	apns_token_free(&a->token);
	free(a->topic);
	free(a);
}

static const struct sender_ops apns_ops = {
	.is_token = apns_is_token,
	.path_prefix = "/3/device/",
	.no_token_reason = "BadDeviceToken",
	.submit = apns_submit,
	.renew = apns_renew,
	.free = apns_free,
};

struct sender *sender_new_apns(struct loop *l, const struct sender_conf *c,
			       const struct apns_conf *apns, char err[256])
{
	struct apns_token *token;
	struct sender_apns *a;

	if (!is_visible(apns->topic, TOPIC_MAX)) {
		snprintf(err, 256, "the topic is no bundle id");
		return NULL;
	}
	token = apns_token_new(apns->key_pem, apns->key_id, apns->team_id, err);
	if (token == NULL)
		return NULL;
	a = mem_zalloc(sizeof(*a));
	if (sender_init(&a->base, &apns_ops, PROVIDER_APNS, l, c, c->name,
			err) != 0) {
		apns_token_free(&token);
		free(a);
		return NULL;
	}
	a->token = token;
	a->topic = mem_strdup(apns->topic);
	return &a->base;
}
