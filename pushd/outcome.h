/* What a provider's answer means and what is done about it: one table of every
 * status and reason. Pure.
 * FCM: https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
 * APNs: "Handling notification responses from APNs" */
#ifndef PW_PUSHD_OUTCOME_H
#define PW_PUSHD_OUTCOME_H

#include "pushd/device.h"

enum outcome_kind {
	OUTCOME_OK,
	OUTCOME_RETRY,		/* this notification again, later */
	OUTCOME_PAUSE,		/* the provider asks all of us to wait (quota,
				 * overload): retry, and the breaker opens */
	OUTCOME_RENEW,		/* the credential's token was refused: renew it
				 * and send again at once, once; then CONFIG */
	OUTCOME_CONFIG,		/* credentials or settings are wrong for all of
				 * this sender's: alert, breaker opens, kept */
	OUTCOME_DELETE,		/* the token is no more: delete it */
	OUTCOME_REJECT,		/* this notification never will be taken: alert,
				 * dead letter; tokens are kept */
	OUTCOME__COUNT
};

#define OUTCOME_REASON_MAX 64

struct outcome {
	enum outcome_kind kind;
	char reason[OUTCOME_REASON_MAX];	/* the provider's word
				 * ("UNREGISTERED", "BadDeviceToken"), "http_503"
				 * when it said none that is known, "timeout" and
				 * the like without an answer; always one of the
				 * table's, else "other" (so that a peer makes no
				 * new series of metrics). Empty: ok */
	int64_t retry_after_ms;	/* RETRY, PAUSE: what was said, at most a day;
				 * -1: nothing */
	int64_t dead_since_ms;	/* APNs 410: since when; 0: not said */
	bool this_device;	/* RETRY: it had too many; says nothing of others */
	bool refused_address;	/* counts for the invalidation guard */
	bool unasked;		/* the sender's own: says nothing of the provider */
};

/* status: HTTP; body: the answer's, may be anything. retry_after: that header's
 * value, seconds or an HTTP date, empty when absent (RFC 9110, 10.2.3).
 * now_ms: wall clock, for the date. */
void outcome_of_answer(enum provider p, int status, struct slice body,
		       struct slice retry_after, int64_t now_ms,
		       struct outcome *out);
/* No answer. Negative errno: those of h2_client; -EACCES: no token can be had
 * for our credentials; -ENOENT: no sender for this device; -EMSGSIZE: of
 * notification_make(). Others are RETRY. */
void outcome_of_error(int err, struct outcome *out);
/* For metrics: the names of the kinds, "ok", "retry", ... */
extern const char *const outcome_kind_names[OUTCOME__COUNT];
/* Every reason that outcome.reason can be of this provider, NULL-terminated:
 * metrics have a counter each. */
const char *const *outcome_reasons(enum provider p);

#endif
