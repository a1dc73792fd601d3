/* Devices of users, in PostgreSQL: read for each event, dead tokens deleted.
 * Loop thread only. */
#ifndef PW_PUSHD_DEVICES_H
#define PW_PUSHD_DEVICES_H

#include "pushd/device.h"

struct devices;
struct loop;

#define DEVICES_MAX 100		/* of a user; the newest ones (updated_at) */

/* state: on each change; may be NULL. */
struct devices *devices_new(struct loop *l, const char *url,
			    unsigned timeout_ms, void (*state)(void *arg, bool up),
			    void *arg);
/* Those of a user that have a token and a provider we know, newest first, each
 * token once; rows and what they point to are borrowed until return. What is
 * asked in a loop turn, and while two queries are out, is one query. Exactly
 * once, never before this returns. err: as pg_cb's; a user id that the column
 * cannot hold has no devices. */
typedef void devices_cb(void *arg, int err, const struct device *d, size_t n);
void devices_of(struct devices *s, const char *user_id, devices_cb *cb,
		void *arg);
/* Removes the row if it is as it was read: with this token and this updated_at.
 * Copied; grouped; repeated until PostgreSQL has answered. Not every row can be
 * deleted (a view's, one that others refer to): what is refused is logged once
 * a change of reason, and forgotten. */
void devices_delete(struct devices *s, const struct device *d);
bool devices_up(const struct devices *s);
/* Pending callbacks get -ECANCELED before this returns; what is not deleted yet
 * is not. NULLs *s. Not from within a callback. */
void devices_free(struct devices **s);

#endif
