/* What workers were told counts when they say that it does: until then an answer
 * like "reloaded" would be of the master alone. */
#ifndef PW_TAKEN_H
#define PW_TAKEN_H

#include "master/control/control.h"

struct master;

/* Asks every worker whether it has taken what it was told just now, "reload" or
 * "log" (worker/queries.h; borrowed for ever), and answers r with the object
 * `answer`, which is taken, and a member of it:
 *   "unanswered": [{"slot", "instance", "reason"}]
 * those in which it does not count, or is not known to. Each of them is a line in
 * the log, too. Comes when all have said so, or after 20 s. */
void taken_ask(struct master *m, struct control_request r, const char *what,
	       json_t *answer);

#endif
