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
	INSTANCE_STOPPING,	/* was told to */
	INSTANCE_KILLED,	/* SIGKILL sent, not reaped yet */
};

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
	struct stats_view *stats;
	int64_t started_ms;	/* monotonic */
	int64_t ready_ms;	/* 0: not yet */
	int64_t cpu_us;		/* as last looked at; all of it once dead */
};

/* Starts a process and sends it HELLO. 0 or -errno. */
int instance_start(const struct instance_host *host, unsigned slot, uint32_t id,
		   int listen_fd, struct instance **out) MUST_CHECK;
/* Once the process has been reaped: closes everything, removes the hand-over
 * socket. Not from within events. NULLs *i. */
void instance_free(struct instance **i);

/* As ipc_send(). */
int instance_send(struct instance *i, enum ipc_type type, const void *fixed,
		  size_t n, struct slice tail, int fd) MUST_CHECK;
void instance_kill(struct instance *i);
/* Its page; NULL while it has none. After its death too. */
const struct stats_view *instance_stats(struct instance *i);

#endif
