/* Long-polling transport: a session's packets as answers to its GETs and as
 * bodies of its POSTs, at most one of each at a time. Loop thread only.
 * (socketio.md 3, 5) */
#ifndef PW_POLLING_H
#define PW_POLLING_H

#include "common/base/base.h"

enum close_reason;
struct conn;
struct eio_session;
struct eio_sessions;
struct farewells;
struct polling;
struct pollings;

/* Both outlive it. */
struct pollings *pollings_new(struct eio_sessions *sessions,
			      struct farewells *farewells);
/* Ends the sessions that are on polling. */
void pollings_free(struct pollings **ps);

/* NULL: the session is on another transport. Borrowed until a call below ended
 * the session, or the loop's turn. */
struct polling *polling_of(const struct eio_session *s);

/* What conn.c reports. A connection that serves a session's request is its
 * until the answer is written: polling_answered(), or failed: polling_lost(). */

/* Opens a session; c is its first GET. */
struct polling *polling_open(struct pollings *ps, struct conn *c);
/* c is a GET, to be answered when there is something, by conn_answer(). False:
 * there is one already. That one is answered, the session ended, and c is to be
 * refused: 400 without a body. */
bool polling_get(struct polling *p, struct conn *c) MUST_CHECK;
/* c begins a POST. False as above; the first one's connection was cut. */
bool polling_post(struct polling *p, struct conn *c) MUST_CHECK;
/* A GET waits, or is being answered. */
bool polling_polled(const struct polling *p);
/* The connection whose POST it is; NULL: none. */
struct conn *polling_posting(const struct polling *p);
/* The body of c's POST is whole; c is free to be answered, and free of p. False:
 * the session is not here any more. */
bool polling_posted(struct polling *p, struct slice body) MUST_CHECK;
/* c's POST is refused, the session goes on. */
void polling_post_refused(struct polling *p);
/* c's GET was answered wholly. */
void polling_answered(struct polling *p);
/* c is gone, or of no more use, with its request: that ends the session. */
void polling_lost(struct polling *p, struct conn *c, enum close_reason why);
/* The client broke a rule: ends the session. */
void polling_misused(struct polling *p);

#endif
