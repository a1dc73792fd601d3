/* One notification for one device, as its provider wants it. Pure.
 * FCM HTTP v1 messages:send; APNs "Generating a remote notification". */
#ifndef PW_PUSHD_NOTIFICATION_H
#define PW_PUSHD_NOTIFICATION_H

#include "common/protocol/push_event.h"
#include "pushd/device.h"
#include "pushd/templates.h"

#define NOTIFICATION_MAX 4096	/* bytes of payload, both providers */
#define NOTIFICATION_LIFE_MAX_S 2419200	/* FCM: four weeks; APNs takes 30 days */
#define COLLAPSE_ID_MAX 64	/* APNs' limit */

struct notification {
	enum provider provider;
	struct buf body;		/* JSON */
	/* APNs: its headers. Both: what the log and --dry-run say. */
	char collapse_id[COLLAPSE_ID_MAX + 1];	/* of the match, else of the
					 * event's key (a hash of what no header
					 * can carry); "": none */
	const char *token;		/* borrowed from the device */
	const char *device_id;		/* the same */
	int64_t expires_s;		/* UNIX time */
	unsigned priority;		/* APNs: 10, or 5 for a silent one */
	bool silent;			/* background, no text */
};

/* What is told: title and body of the templates, badge, sound, collapse id, time
 * to live, priority; and data as in the reference: type and every member, as
 * strings. A member named type takes the place of the event's; lists and objects
 * are JSON text; null, empty keys, "aps" and keys that FCM forbids are left out.
 *   badge   total unread; -1: not known, left out
 *   now_ms  wall clock
 * e->expires_at_ms must be set (0 is "now or never").
 *
 * An event of PUSH_TYPE_READ is silent: the new badge (in data, too), and which
 * messages. Its collapse id is not the match's, or it would take the place of a
 * newer message's alert.
 *
 * Larger than NOTIFICATION_MAX: title, body and data's content are cut at a
 * character boundary ("…"), down to NOTIFICATION_TEXT_LEAST bytes; then data's
 * longest members, down to NOTIFICATION_MEMBER_LEAST: strings are cut, lists
 * keep their first elements, objects go. -EMSGSIZE when that is not enough. What
 * counts is the JSON without FCM's token: FCM itself counts keys and values
 * only, but an iPhone gets them as JSON.
 *
 * *out is overwritten but for body's memory: zero it before the first use, then
 * one serves all. */
#define NOTIFICATION_TEXT_LEAST 128
#define NOTIFICATION_MEMBER_LEAST PW_ID_MAX
int notification_make(const struct push_event *e, const struct device *d,
		      const struct templates *t, int64_t badge, int64_t now_ms,
		      struct notification *out) MUST_CHECK;
void notification_free(struct notification *n);

#endif
