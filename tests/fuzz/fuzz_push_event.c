/* push_event_parse, and what notification_make makes of it: what any service of
 * the app may put into the push queue. What comes out is what both providers
 * take: JSON within their size, FCM's data all strings. */
#include "common/protocol/push_event.h"

#include <errno.h>

#include "pushd/notification.h"
#include "tests/fuzz/fuzz.h"

#define NOW_MS 1767323045678

static bool header_text(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] > '~')
			return false;
	return n <= COLLAPSE_ID_MAX;
}

static void check_event(const struct push_event *e)
{
	size_t user = strlen(e->user_id), type = strlen(e->type);

	CHECK(user >= 1 && user <= PW_ID_MAX);
	CHECK(type >= 1 && type <= PUSH_TYPE_MAX);
	CHECK(json_is_object(e->data));
	CHECK(memchr(e->key, '\0', sizeof(e->key)) != NULL);
	CHECK(e->queued_at_ms >= 0 && e->expires_at_ms >= 0);
}

static void check_members(json_t *data)
{
	const char *key;
	json_t *v;

	CHECK(json_is_object(data));
	json_object_foreach(data, key, v) {
		CHECK(strcmp(key, "from") != 0 && *key != '\0');
		CHECK(json_is_string(v) || strcmp(key, "aps") == 0);
	}
	CHECK(json_is_string(json_object_get(data, "type")));
}

static void check_notification(const struct notification *n, const char *token)
{
	json_t *root = json_loadb(n->body.p, n->body.len,
				  JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
	json_t *message = json_object_get(root, "message");

	CHECK(root != NULL);
	CHECK(header_text(n->collapse_id));
	CHECK(n->expires_s >= 0);
	if (n->provider == PROVIDER_APNS) {
		CHECK(n->body.len <= NOTIFICATION_MAX);
		CHECK(json_is_object(json_object_get(root, "aps")));
		check_members(root);
	} else {
		CHECK(n->body.len <= NOTIFICATION_MAX + strlen(token) + 2);
		check_members(json_object_get(message, "data"));
	}
	json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const locales[] = { "", "de-AT", "pt_BR.UTF-8", "x-" };
	static struct templates *templates;
	static struct notification out;
	char err[TEMPLATES_ERR_MAX], why[128];
	struct device d = { .id = "d", .token = "token",
			    .locale = locales[chosen(data, n, 4)] };
	struct push_event e;
	int rc;

	if (templates == NULL)
		CHECK(templates_load(NULL, &templates, err) == 0);
	rc = push_event_parse((struct slice){ (const char *)data, n }, &e, why);
	CHECK(rc == 0 || rc == -EBADMSG);
	if (rc != 0) {
		CHECK(memchr(why, '\0', sizeof(why)) != NULL);
		return 0;
	}
	check_event(&e);
	for (d.provider = 0; d.provider < PROVIDER__COUNT; d.provider++) {
		rc = notification_make(&e, &d, templates,
				       (int64_t)chosen(data, n, 9) - 1, NOW_MS,
				       &out);
		CHECK(rc == 0 || rc == -EMSGSIZE);
		if (rc == 0)
			check_notification(&out, d.token);
	}
	push_event_clear(&e);
	return 0;
}
