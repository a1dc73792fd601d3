/* --dry-run: tells what would be sent. */
#include "pushd/sender.h"

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "pushd/sender_impl.h"

/* Where the payloads of the two have what. */
static const char *const data_path[PROVIDER__COUNT][4] = {
	[PROVIDER_FCM] = { "message", "data" },
};
static const char *const texts_path[PROVIDER__COUNT][4] = {
	[PROVIDER_FCM] = { "message", "notification" },
	[PROVIDER_APNS] = { "aps", "alert" },
};
static const char *const badge_path[PROVIDER__COUNT][5] = {
	[PROVIDER_FCM] = { "message", "android", "notification",
			   "notification_count" },
	[PROVIDER_APNS] = { "aps", "badge" },
};

static json_t *at(json_t *payload, const char *const *path)
{
	for (; *path != NULL; path++)
		payload = json_object_get(payload, *path);
	return payload;
}

/* One line of JSON: what people look for in front, then all of it, but for
 * the device's token. */
static void tell(const struct sender *s, const char *device, json_t *payload)
{
	json_t *data = at(payload, data_path[s->provider]);
	json_t *texts = at(payload, texts_path[s->provider]);
	json_t *line = json_pack(
		"{s:s, s:s?, s:O?, s:O?, s:O?, s:O?, s:O?, s:O}",
		"provider", s->provider == PROVIDER_FCM ? "fcm" : "apns",
		"device", device,
		"type", json_object_get(data, "type"),
		"messageId", json_object_get(data, "messageId"),
		"title", json_object_get(texts, "title"),
		"body", json_object_get(texts, "body"),
		"badge", at(payload, badge_path[s->provider]),
		"payload", payload);
	char *text = json_dumps(line, JSON_COMPACT);

	if (text != NULL)
		puts(text);
	fflush(stdout);
	free(text);
	json_decref(line);
}

static void dry_submit(struct sender *s, struct flight *f)
{
	static const struct outcome ok = { .kind = OUTCOME_OK,
					   .retry_after_ms = -1 };
	json_t *payload = json_loadb(f->body.p, f->body.n, 0, NULL);

	log_debug("%s: not sent: bytes=%zu device=\"%s\"", s->name, f->body.n,
		  f->device_id != NULL ? f->device_id : "-");
	json_object_del(json_object_get(payload, "message"), "token");
	if (payload != NULL)
		tell(s, f->device_id, payload);
	json_decref(payload);
	flight_end(f, &ok);
}

static void dry_free(struct sender *s)
{
	sender_clear(s);
	free(s);
}

static const struct sender_ops dry_ops = {
	.submit = dry_submit,
	.free = dry_free,
};

struct sender *sender_new_dry(struct loop *l, enum provider p)
{
	static const char *const names[PROVIDER__COUNT] = {
		[PROVIDER_FCM] = "fcm (dry run)",
		[PROVIDER_APNS] = "apns (dry run)",
	};
	struct sender *s = mem_zalloc(sizeof(*s));
	char err[256];

	if (sender_init(s, &dry_ops, p, l, NULL, names[p], err) != 0)
		log_fatal("%s", err);
	return s;
}
