/* What Redis knows of a notification: which devices had it, and the user's badge,
 * in one round trip. Keys: pw:pd:<key>, set of device ids, MARKS_TTL_S;
 * pw:urb:<user> (written by the workers, M9). Loop thread only. */
#ifndef PW_PUSHD_MARKS_H
#define PW_PUSHD_MARKS_H

#include "common/base/base.h"

#define MARKS_TTL_S 172800

struct marks;
struct redis;

/* redis is borrowed, and not up yet: its scripts are loaded as it comes up. It is
 * freed first. */
struct marks *marks_new(struct redis *r);
/* badge: total unread; -1 when the counts are not whole (ask the store). had:
 * ids of devices that were notified already, borrowed until return. err not 0:
 * Redis did not answer (as redis_cb's); badge is -1, n 0. */
struct marks_answer {
	int err;
	int64_t badge;
	const struct slice *had;
	size_t n;
};
/* Of each callback: exactly once, never before the call returns. */
typedef void marks_cb(void *arg, const struct marks_answer *a);
/* keys: of one notification, or of several (n of them, at least 1): had is then
 * their union. */
void marks_get(struct marks *m, const char *user_id, const char *const *keys,
	       size_t n, marks_cb *cb, void *arg);
/* These devices (at least 1) had it: after success, never before. */
void marks_had(struct marks *m, const char *key, const char *const *device_ids,
	       size_t n, void (*cb)(void *arg, int err), void *arg);
void marks_free(struct marks **m);

#endif
