/* The binary upgrade: the master becomes its new program by exec, in place - the
 * same process, the same sockets, the same workers - and then replaces these.
 *
 *   preflight   the program at our path tries whether it could (trial.h); if not,
 *               nothing has happened
 *   exec        what it needs goes over in a memfd (inheritance.h)
 *   replacing   the new master starts a successor for every worker. When all are
 *               READY the ones before drain; if one fails all are given up, and
 *               the ones before carry on */
#ifndef PW_UPGRADE_H
#define PW_UPGRADE_H

#include <jansson.h>

#include "master/control/control.h"

struct inheritance;
struct loop;
struct supervisor;
struct upgrade;

/* Borrowed, all of it. */
struct upgrade_host {
	struct loop *loop;
	struct supervisor *supervisor;
	const char *program;	/* the path that is run: path_self() */
	char **argv;		/* what it is run with */
	const char *conf_path;	/* NULL: there is none */
	/* What goes over, without `upgrade`; ours to free. NULL: not now. */
	struct inheritance *(*save)(void *arg);
	/* The next thing is the exec, or over(). */
	void (*leaving)(void *arg);
	/* It is done, has failed, or was called off. */
	void (*over)(void *arg);
	void *arg;
};

struct upgrade *upgrade_new(const struct upgrade_host *host);
void upgrade_free(struct upgrade **u);

/* r: the command that asked, answered when the program has shown that it can:
 *   {"from", "to", "pid", "started"}
 * or refused with why not. NULL: nobody did (a signal); the log tells. */
void upgrade_start(struct upgrade *u, const struct control_request *r);
/* After the exec: goes on with what was left. */
void upgrade_resume(struct upgrade *u, const struct inheritance *h);
/* Told to stop: calls off what runs. */
void upgrade_stop(struct upgrade *u);
/* From the start on until it is over: nothing else may change meanwhile. */
bool upgrade_running(const struct upgrade *u);
/* {"state": "none", "running", "done" or "failed", "reason", "from", "to",
 *  "started", "finished", "became", "workers_before"}: the last one's; ms since the
 * epoch; null where there is nothing to tell. became: the master is that one's new
 * program, also when it has failed then. workers_before: in so many slots the worker
 * is none of the master's program. The caller's. */
json_t *upgrade_json(const struct upgrade *u);

#endif
