/* What systemd hears of the master beside READY and STOPPING: the line of
 * `systemctl status`,
 *   2 of 2 workers, 1,200 connections, 840 users
 *   2 of 2 workers, 1,200 connections, 840 users, down: redis, message store
 *   2 of 2 workers, 1 draining, 1,200 connections, 840 users
 *   starting: 1 of 2 workers
 *   stopping: 2 workers left
 * that a stop goes on (EXTEND_TIMEOUT_USEC), and the watchdog: it is fed while the
 * loop turns and a worker serves. One that is stuck is the supervisor's business;
 * when all are, and he cannot help it, it is systemd's. */
#ifndef PW_NOTICES_H
#define PW_NOTICES_H

#include <stdint.h>

struct loop;
struct notices;
struct status;
struct supervisor;

/* All borrowed. ms: how often the line is told, beside each change of who serves;
 * 0: then only. */
struct notices *notices_new(struct loop *l, int64_t ms, struct status *s,
			    const struct supervisor *sup);
void notices_set_interval(struct notices *n, int64_t ms);
/* Tells at once what is found within a second otherwise. NULL: nothing. */
void notices_changed(struct notices *n);
void notices_free(struct notices **n);	/* NULLs *n */

#endif
