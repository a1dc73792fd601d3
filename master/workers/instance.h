/* One worker process: what it inherits, its IPC socket, its statistics page.
 * It is told about by its id (ipc_messages.h); the slot is only its listener. */
#ifndef PW_INSTANCE_H
#define PW_INSTANCE_H

#include <sys/types.h>

#include "common/base/base.h"
#include "common/ipc/ipc.h"
#include "common/loop/loop.h"

struct stats_view;
struct instance;

enum instance_state {
	INSTANCE_STARTING,	/* exec'd, not READY yet */
	INSTANCE_READY,
	INSTANCE_DRAINING,	/* a successor serves; its clients may leave */
	INSTANCE_STOPPING,	/* was told to */
	INSTANCE_KILLED,	/* SIGKILL sent, not reaped yet */
};

/* "draining"; of NULL "backoff": nobody is there. */
const char *instance_state_name(const struct instance *i);

/* Called from the loop, never from within the functions below. */
struct instance_events {
	void (*ready)(void *arg, struct instance *i);
	/* json is borrowed */
	void (*answer)(void *arg, struct instance *i, uint32_t query,
		       struct slice json);
	void *arg;
};

/* What does not differ from worker to worker. Borrowed, outlives them. */
struct instance_host {
	struct loop *loop;
	const char *worker_path;
	const char *run_dir;
	const char *node;
	char boot[17];
	int conf_fd;
	struct instance_events events;
};

struct instance {
	const struct instance_host *host;
	uint32_t id;
	unsigned slot;
	pid_t pid;
	enum instance_state state;
	int ipc;
	struct io io;
	struct timer eof;
	int stats_fd;
	int conf_fd;		/* what it was started with; -1: not known */
	int handover_fd;	/* its hand-over socket, while that has no path in
				 * run_dir; -1: it has */
	bool adopted;		/* an earlier program has started it */
	struct stats_view *stats;
	int64_t started_ms;	/* monotonic */
	int64_t ready_ms;	/* 0: not yet */
	int64_t cpu_us;		/* as last looked at; all of it once dead */
	unsigned owed;		/* enum dues: what it has not been told yet */
	int64_t drain_ms;	/* monotonic; since when it drains; 0: it does not */
	int64_t grace_ms;	/* of its DRAIN */
	int64_t limit_ms;	/* the most that it was ever granted to drain */
};

/* Starts a process and sends it HELLO. needed: nobody else is in the slot, so it is
 * started although run_dir takes no hand-over socket; the log says what its clients
 * miss until instance_tend(). 0 or -errno. */
int instance_start(const struct instance_host *host, unsigned slot, uint32_t id,
		   int listen_fd, bool needed, struct instance **out) MUST_CHECK;
/* Goes on with a process that is our child already: an exec ago, this one started
 * it. was: all but host, io, eof and stats, which are made anew; its descriptors
 * are taken and closed at an exec again (a conf that is none is not known, a
 * hand-over socket that is none is not tended). 0 or -EBADF, then nothing is taken. */
int instance_adopt(const struct instance_host *host, const struct instance *was,
		   struct instance **out) MUST_CHECK;
/* Once the process has been reaped: closes everything, removes the hand-over
 * socket. Not from within events. NULLs *i. */
void instance_free(struct instance **i);

/* As ipc_send(). */
int instance_send(struct instance *i, enum ipc_type type, const void *fixed,
		  size_t n, struct slice tail, int fd) MUST_CHECK;
void instance_kill(struct instance *i);
/* On each tick: a hand-over socket without a path gets it once run_dir takes it. */
void instance_tend(struct instance *i);
/* Its page; NULL while it has none. After its death too. */
const struct stats_view *instance_stats(struct instance *i);

#endif
