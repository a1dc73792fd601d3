#include "pushd/notification.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "common/base/siphash.h"
#include "common/protocol/json_out.h"
#include "pushd/json_text.h"
#include "pushd/text_cut.h"

#define BADGE_MAX INT32_MAX	/* notification_count is an int32 */

/* One notification being written. */
struct draft {
	const struct push_event *event;
	const struct device *device;
	struct notification *n;
	const char *sound;
	struct buf title, body;	/* whole */
	struct buf scratch;
	int64_t badge, now_s;
	bool of_match;		/* the collapse id is the match's */
	size_t text_max;	/* bytes that title, body and content may have */
	size_t member_max;	/* and other members of data */
};

static void cut_out(struct buf *out, struct slice text, size_t max)
{
	if (text.n <= max) {
		json_out_str(out, text.p, text.n);
		return;
	}
	text.n = max < sizeof(TEXT_ELLIPSIS) - 1 ? 0 :
		text_cut(text, max - (sizeof(TEXT_ELLIPSIS) - 1));
	json_out_str(out, text.p, text.n);
	if (text.n > 0) {
		out->len--;	/* the quote */
		buf_adds(out, TEXT_ELLIPSIS "\"");
	}
}

/* The next member of the object that is being written. */
static void name_out(struct buf *out, const char *name)
{
	if (out->p[out->len - 1] != '{')
		buf_addc(out, ',');
	json_out_cstr(out, name);
	buf_addc(out, ':');
}

/* As text: FCM takes nothing else, and an app reads both alike. */
static void number_out(struct buf *out, int64_t v)
{
	buf_addc(out, '"');
	json_out_int(out, v);
	buf_addc(out, '"');
}

/* FCM refuses the whole message for one of these; aps is APNs' own. */
static bool forbidden(const char *key)
{
	return *key == '\0' || strcmp(key, "aps") == 0 ||
	       strcmp(key, "from") == 0 || strcmp(key, "message_type") == 0 ||
	       strncasecmp(key, "google", 6) == 0 ||
	       strncasecmp(key, "gcm", 3) == 0;
}

/* The member's text in scratch; false: it is left out. */
static bool member_text(struct draft *d, const json_t *v, size_t max)
{
	buf_clear(&d->scratch);
	return json_text_plain(v, &d->scratch) ||
	       (!json_is_null(v) && json_text(v, max, &d->scratch));
}

/* "name":"value" for all that data has. */
static void members_out(struct draft *d)
{
	struct buf *out = &d->n->body;
	json_t *data = d->event->data;
	const char *key;
	json_t *v;

	if (!json_is_string(json_object_get(data, "type"))) {
		name_out(out, "type");
		json_out_cstr(out, d->event->type);
	}
	if (d->n->silent && d->badge >= 0 &&
	    json_object_get(data, "badge") == NULL) {
		name_out(out, "badge");
		number_out(out, d->badge);
	}
	json_object_foreach(data, key, v) {
		size_t max = strcmp(key, "content") == 0 ? d->text_max :
							   d->member_max;

		if (forbidden(key) || !member_text(d, v, max) ||
		    (strcmp(key, "type") == 0 && !json_is_string(v)))
			continue;
		name_out(out, key);
		cut_out(out, buf_slice(&d->scratch), max);
	}
}

static void text_members(struct draft *d)
{
	struct buf *out = &d->n->body;

	buf_adds(out, "{\"title\":");
	cut_out(out, buf_slice(&d->title), d->text_max);
	buf_adds(out, ",\"body\":");
	cut_out(out, buf_slice(&d->body), d->text_max);
	buf_addc(out, '}');
}

/* "aps":{…}; alert: with the text, which FCM adds itself. */
static void aps_out(struct draft *d, bool alert)
{
	struct buf *out = &d->n->body;

	buf_adds(out, "\"aps\":{");
	if (d->n->silent) {
		name_out(out, "content-available");
		buf_addc(out, '1');
	} else if (alert) {
		name_out(out, "alert");
		text_members(d);
	}
	if (d->badge >= 0) {
		name_out(out, "badge");
		json_out_int(out, d->badge);
	}
	if (!d->n->silent && *d->sound != '\0') {
		name_out(out, "sound");
		json_out_cstr(out, d->sound);
	}
	if (!d->n->silent && d->of_match) {
		name_out(out, "thread-id");
		json_out_cstr(out, d->n->collapse_id);
	}
	buf_addc(out, '}');
}

static void fcm_android(struct draft *d)
{
	struct buf *out = &d->n->body;
	int64_t ttl = d->n->expires_s - d->now_s;

	/* Data alone at high priority, with nothing shown, costs an app its
	 * high priority. */
	buf_printf(out, ",\"android\":{\"priority\":\"%s\",\"ttl\":\"%llds\"",
		   d->n->silent ? "NORMAL" : "HIGH",
		   (long long)(ttl > 0 ? ttl : 0));
	if (*d->n->collapse_id != '\0') {
		name_out(out, "collapse_key");
		json_out_cstr(out, d->n->collapse_id);
	}
	if (!d->n->silent) {
		buf_adds(out, ",\"notification\":{");
		if (*d->sound != '\0') {
			name_out(out, "sound");
			json_out_cstr(out, d->sound);
		}
		if (*d->n->collapse_id != '\0') {
			name_out(out, "tag");
			json_out_cstr(out, d->n->collapse_id);
		}
		if (d->badge > 0) {
			name_out(out, "notification_count");
			json_out_int(out, d->badge);
		}
		buf_addc(out, '}');
	}
	buf_addc(out, '}');
}

/* For iPhones that the app registered with FCM. */
static void fcm_apns(struct draft *d)
{
	struct buf *out = &d->n->body;

	buf_adds(out, ",\"apns\":{\"headers\":{\"apns-push-type\":");
	json_out_cstr(out, d->n->silent ? "background" : "alert");
	buf_adds(out, ",\"apns-priority\":");
	number_out(out, d->n->priority);
	buf_adds(out, ",\"apns-expiration\":");
	number_out(out, d->n->expires_s);
	if (*d->n->collapse_id != '\0') {
		name_out(out, "apns-collapse-id");
		json_out_cstr(out, d->n->collapse_id);
	}
	buf_adds(out, "},\"payload\":{");
	aps_out(d, false);
	buf_adds(out, "}}");
}

/* Returns what counts of it. */
static size_t write_fcm(struct draft *d)
{
	struct buf *out = &d->n->body;
	size_t token;

	buf_clear(out);
	buf_adds(out, "{\"message\":{\"token\":");
	token = out->len;
	json_out_cstr(out, d->device->token);
	token = out->len - token;
	if (!d->n->silent) {
		buf_adds(out, ",\"notification\":");
		text_members(d);
	}
	buf_adds(out, ",\"data\":{");
	members_out(d);
	buf_addc(out, '}');
	fcm_android(d);
	fcm_apns(d);
	buf_adds(out, "}}");
	return out->len - token;
}

static size_t write_apns(struct draft *d)
{
	struct buf *out = &d->n->body;

	buf_clear(out);
	buf_addc(out, '{');
	aps_out(d, true);
	members_out(d);
	buf_addc(out, '}');
	return out->len;
}

static bool fits(struct draft *d)
{
	return (d->device->provider == PROVIDER_FCM ? write_fcm(d) :
						      write_apns(d)) <=
	       NOTIFICATION_MAX;
}

/* Lets *max be the most, of least to NOTIFICATION_MAX, with which it fits. False
 * when there is none: *max is least. */
static bool shrink(struct draft *d, size_t *max, size_t least)
{
	size_t low = least, high = NOTIFICATION_MAX;

	*max = least;
	if (!fits(d))
		return false;
	while (low < high) {
		*max = (low + high + 1) / 2;
		if (fits(d))
			low = *max;
		else
			high = *max - 1;
	}
	*max = low;
	return fits(d);
}

static int write_body(struct draft *d)
{
	d->text_max = d->member_max = SIZE_MAX;
	if (fits(d) || shrink(d, &d->text_max, NOTIFICATION_TEXT_LEAST) ||
	    shrink(d, &d->member_max, NOTIFICATION_MEMBER_LEAST))
		return 0;
	return -EMSGSIZE;
}

/* Collapse ids are HTTP headers. */
static bool header_text(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	}
	return s.n > 0;
}

/* prefix keeps kinds of notification apart. */
static void collapse_id(struct notification *n, const char *prefix,
			struct slice id)
{
	static const uint64_t fixed[2] = { 0 };	/* the same in every pushd */
	size_t room = sizeof(n->collapse_id);

	if (id.n == 0)
		n->collapse_id[0] = '\0';
	else if (header_text(id) && strlen(prefix) + id.n <= COLLAPSE_ID_MAX)
		snprintf(n->collapse_id, room, "%s%.*s", prefix, (int)id.n,
			 id.p);
	else
		snprintf(n->collapse_id, room, "%s%016llx", prefix,
			 (unsigned long long)siphash13(fixed, id.p, id.n));
}

static void set_collapse_id(struct draft *d)
{
	const json_t *match = json_object_get(d->event->data, "matchId");
	const char *prefix = d->n->silent ? "read:" : "";

	buf_clear(&d->scratch);
	d->of_match = json_text_plain(match, &d->scratch) && d->scratch.len > 0;
	collapse_id(d->n, prefix, d->of_match ? buf_slice(&d->scratch) :
						slice_of(d->event->key));
}

static int64_t expiry_s(const struct push_event *e, int64_t now_s)
{
	int64_t s = e->expires_at_ms / 1000;

	if (s > now_s + NOTIFICATION_LIFE_MAX_S)
		return now_s + NOTIFICATION_LIFE_MAX_S;
	return s > 0 ? s : 0;
}

int notification_make(const struct push_event *e, const struct device *dev,
		      const struct templates *t, int64_t badge, int64_t now_ms,
		      struct notification *n)
{
	struct draft d = { .event = e, .device = dev, .n = n,
			   .badge = badge > BADGE_MAX ? BADGE_MAX : badge,
			   .now_s = now_ms / 1000 };
	int rc;

	n->provider = dev->provider;
	n->token = dev->token;
	n->device_id = dev->id;
	n->silent = strcmp(e->type, PUSH_TYPE_READ) == 0;
	n->priority = n->silent ? 5 : 10;
	n->expires_s = expiry_s(e, d.now_s);
	set_collapse_id(&d);
	if (!n->silent) {
		d.sound = templates_sound(t, e->type, dev->locale);
		templates_text(t, e->type, dev->locale, e->data, &d.title,
			       &d.body);
	}
	rc = write_body(&d);
	buf_free(&d.title);
	buf_free(&d.body);
	buf_free(&d.scratch);
	return rc;
}

void notification_free(struct notification *n)
{
	buf_free(&n->body);
}
