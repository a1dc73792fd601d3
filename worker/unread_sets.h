/* The unread counters of a user (M9), made anew. In Redis they are:
 *   pw:ur:<match>:<user>    set of message ids, at most 1,000
 *   unread:<match>:<user>   its size, the reference's
 *   pw:urb:<user>           hash match -> size, and "" -> 0: they are whole. It
 *                           never is without that field: where it is lost, the
 *                           route script counts nothing
 *   pw:urt:<user>           token of whoever makes them anew just now; removed
 *                           by what would have changed them
 *   pw:urx:<user>           the hash, put aside as it was in doubt
 * Loop thread only. */
#ifndef PW_UNREAD_SETS_H
#define PW_UNREAD_SETS_H

#include "common/base/base.h"

struct redis;

/* Of each callback: err as redis_cb, exactly once, later. */

/* Begins, with a token of the caller's or of somebody who has begun already:
 * what is read from the store from now on can be what unread_sets_replace()
 * takes. token NULL: they are whole, there is nothing to do. in_doubt: they are
 * not, even if they say so. user_id and token are copied. */
typedef void unread_begun_cb(void *arg, int err, const char *token);
void unread_sets_begin(struct redis *r, const char *user_id, const char *token,
		       bool in_doubt, unread_begun_cb *cb, void *arg);
/* n pairs of match and message id: all that the user has not read. done: his
 * counters are whole; false: they changed since the token was given out, begin
 * again. Copied. */
typedef void unread_replaced_cb(void *arg, int err, bool done);
void unread_sets_replace(struct redis *r, const char *user_id,
			 const char *token, const struct slice *pairs, size_t n,
			 unread_replaced_cb *cb, void *arg);
/* Before the connection is up. */
void unread_sets_init(struct redis *r);

#endif
