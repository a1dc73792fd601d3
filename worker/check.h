/* Asks each backend now, all at once, for pairwirectl check. */
#ifndef PW_WORKER_CHECK_H
#define PW_WORKER_CHECK_H

#include <jansson.h>

struct chat;

/* An array of {"name", "ok", "text", "todo"}, in the order of a table. done takes
 * it; exactly once, never before this returns, within 7 s: who has not answered by
 * then is said to be silent. */
typedef void worker_check_done(void *arg, json_t *rows);
void worker_check(struct chat *c, worker_check_done *done, void *arg);

#endif
