/* Users and matches of the app (PostgreSQL), cached and kept coherent by
 * LISTEN/NOTIFY (design M8). Loop thread only. Strings handed to callbacks are
 * borrowed until the callback returns. */
#ifndef PW_DIRECTORY_H
#define PW_DIRECTORY_H

#include "common/base/base.h"

struct loop;
struct directory;

struct directory_conf {
	const char *url;
	const char *name;	/* worker's name for application_name */
	unsigned timeout_ms;
	unsigned stale_max_ms;	/* M8: entries serve this long when PG is down */
	size_t cache_max;	/* entries of each cache, oldest use leaves */
	unsigned flush_ms;	/* last_seen / last_message_at coalescing, 1000 */
};

struct match {
	const char *id;
	const char *user_a;
	const char *user_b;
	bool live;		/* false: unmatched */
};

struct directory *directory_new(struct loop *l, const struct directory_conf *c);
/* What waits gets -ECANCELED. Pending writes are lost: directory_flush()
 * before. */
void directory_free(struct directory **d);

/* err: 0 and m; 0 and m NULL: no such match; -EAGAIN: cannot know now (down).
 * A connection that was lost just now is given a second to come back.
 * Unlike elsewhere, cb may run before this returns: a cache hit is the common
 * case and costs no detour. */
typedef void directory_match_cb(void *arg, int err, const struct match *m);
void directory_match(struct directory *d, const char *match_id,
		     directory_match_cb *cb, void *arg);
/* The others of all live matches of a user. Exactly once, later; -EAGAIN as
 * above. Not cached; what is asked in one turn of the loop is one query. */
typedef void directory_peers_cb(void *arg, int err, const char *const *user_ids,
				size_t n);
void directory_peers(struct directory *d, const char *user_id,
		     directory_peers_cb *cb, void *arg);
/* err 0: the user's first name, "" when there is none; -EAGAIN as above. Like
 * directory_match(), cb may run before this returns. */
typedef void directory_name_cb(void *arg, int err, const char *name);
void directory_name(struct directory *d, const char *user_id,
		    directory_name_cb *cb, void *arg);

/* Which of n others have a live match with user_id, and their users.last_seen
 * in ms since the epoch (0: never, no such user, or no match); is[i] and seen[i]
 * belong to others[i], which are copied and differ from each other. Not cached.
 * Exactly once, later; err 0 or -EAGAIN. */
typedef void directory_matched_cb(void *arg, int err, const bool *is,
				  const int64_t *seen, size_t n);
void directory_matched(struct directory *d, const char *user_id,
		       const char *const *others, size_t n,
		       directory_matched_cb *cb, void *arg);
/* Coalesced: the latest time per row wins, many rows a statement. */
void directory_seen(struct directory *d, const char *user_id, int64_t at_ms);
void directory_message_at(struct directory *d, const char *match_id,
			  int64_t at_ms);
/* Writes what is pending now; cb when the server answered, or with an error. */
void directory_flush(struct directory *d, void (*cb)(void *arg, int err),
		     void *arg);

/* What an operator should know of the database, asked now: text says what it is,
 * or what is wrong with it, todo what to do about that ("": nothing). err 0, or as
 * pg_cb; then both are "". Borrowed. Exactly once, later. */
typedef void directory_look_cb(void *arg, int err, const char *text,
			       const char *todo);
void directory_look(struct directory *d, directory_look_cb *cb, void *arg);
/* Changes are heard: proven within the last seconds. */
bool directory_listening(const struct directory *d);

#endif
