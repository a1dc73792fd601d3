/* What the master asks this worker (IPC_QUERY): a table of questions. Answers
 * may come later, from a backend; a bounded number is waited for at a time.
 * Question: {"cmd":name,"args":[text…]}. Answer: an object, by name
 *   user ID                  {"devices": [{"sid", "transport", "since"}], "more": n}
 *                            that are not listed
 *   disconnect ID            {"closed": n} sockets of the user here
 *   disconnect_elsewhere ID  {"instances", "deaf"}: workers of other hosts that
 *                            were told to, and those that hold him and could not
 *                            be; or {"elsewhere_unknown": why}
 *   token ID                 {"token", "user", "expires_at"}
 *   hosts                    {"hosts": [node…]} other than this with a living
 *                            worker; or {"unknown": why}
 *   check                    {"checks": […]} (check.h)
 *   taken WHAT               {} when the last RELOAD ("reload") or LOG ("log") has
 *                            come, and counts: messages come in order
 * or {"error": why}. Loop thread only. */
#ifndef PW_WORKER_QUERIES_H
#define PW_WORKER_QUERIES_H

#include "common/base/base.h"

struct chat;
struct worker_queries;

struct worker_queries_conf {
	struct chat *chat;	/* borrowed; its conf.src is this worker's name */
	/* An answer's text, borrowed. Also from within worker_queries_ask(). */
	void (*answer)(void *arg, uint32_t id, struct slice json);
	/* Why the last RELOAD or LOG does not count, in a line, borrowed; NULL: it
	 * does, or there was none. */
	const char *(*not_taken)(void *arg, const char *what);
	void *arg;
};

/* conf is copied. */
struct worker_queries *
worker_queries_new(const struct worker_queries_conf *conf);
/* Once the backends are freed: they have called back what was asked of them.
 * Nothing is answered any more. NULLs *q. */
void worker_queries_free(struct worker_queries **q);
void worker_queries_ask(struct worker_queries *q, uint32_t id,
			struct slice json);

#endif
