#include "config.h"	/* posix_spawn's extensions */

#include "master/workers/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "master/run_dir.h"
#include "master/workers/worker_env.h"

/* Between a worker's closing its IPC socket and its exit. */
#define EOF_GRACE_MS 5000
#define MESSAGES_PER_TURN 16

/* A copy above the numbers a worker inherits, so that dup2() to one of these
 * never hits another one's source. -errno. */
static int copy_up(int fd)
{
	int up = fcntl(fd, F_DUPFD_CLOEXEC, WORKER_FD_HANDOVER + 1);

	return up == -1 ? -errno : up;
}

/* The same, and fd is closed. It may be an error already. */
static int move_up(int fd)
{
	int up;

	if (fd < 0)
		return fd;
	up = copy_up(fd);
	close(fd);
	return up;
}

static int bind_handover(const char *run_dir, uint32_t id, int fd)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	handover_path(run_dir, id, sa.sun_path, sizeof(sa.sun_path));
	unlink(sa.sun_path);
	return bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == -1 ? -errno : 0;
}

/* needed: better one that nobody finds yet than none. */
static int handover_socket(const char *run_dir, uint32_t id, bool needed)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int rc;

	if (fd == -1)
		return -errno;
	rc = bind_handover(run_dir, id, fd);
	if (rc != 0) {
		LOG_AT(needed ? LOG_LVL_WARN : LOG_LVL_ERR, "run_dir %s: no "
		       "hand-over socket can be made%s: instance=%u: %s%s",
		       run_dir, needed ? ", polling clients will lose their "
		       "sessions until one can" : "",
		       (unsigned)id, strerror(-rc), run_dir_advice(-rc));
		if (needed)
			return fd;
		close(fd);
		return rc;
	}
	return fd;
}

static bool has_path(int fd)
{
	struct sockaddr_un sa;
	socklen_t n = sizeof(sa);

	return getsockname(fd, (struct sockaddr *)&sa, &n) == 0 &&
	       n > offsetof(struct sockaddr_un, sun_path);
}

/* Ours is the worker's: one socket, whoever gives it its path. */
void instance_tend(struct instance *i)
{
	if (i->handover_fd == -1 ||
	    bind_handover(i->host->run_dir, i->id, i->handover_fd) != 0)
		return;
	close(i->handover_fd);
	i->handover_fd = -1;
	log_info("run_dir %s: the hand-over socket could be made at last: "
		 "slot=%u instance=%u", i->host->run_dir, i->slot,
		 (unsigned)i->id);
}

static void remove_handover(const struct instance_host *host, uint32_t id)
{
	char path[128];

	handover_path(host->run_dir, id, path, sizeof(path));
	unlink(path);
}

/* fds in the order of WORKER_FD_LISTEN and following. */
static int spawn(const char *path, unsigned slot, uint32_t id, const int *fds,
		 size_t n, pid_t *pid_out)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	char slot_text[16], id_text[16];
	char *argv[] = { (char[]){ "pairwire-worker" }, slot_text, id_text, NULL };
	char **env = worker_env_new();
	sigset_t none, pipe_only;
	int rc = 0;

	snprintf(slot_text, sizeof(slot_text), "%u", slot);
	snprintf(id_text, sizeof(id_text), "%u", (unsigned)id);
	sigemptyset(&none);
	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = posix_spawn_file_actions_adddup2(
			&actions, fds[i], WORKER_FD_LISTEN + (int)i);
	/* A group of its own: ^C in a terminal reaches the master alone, which
	 * stops its workers in order. */
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP |
						POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &pipe_only);
	if (rc == 0)
		rc = posix_spawn(pid_out, path, &actions, &attr, argv, env);
	free(env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -rc;
}

static void distrust(struct instance *i, const char *why)
{
	log_err("worker is killed: %s slot=%u instance=%u pid=%ld", why, i->slot,
		(unsigned)i->id, (long)i->pid);
	instance_kill(i);
	io_watch(&i->io, 0);
}

static void on_ready(struct instance *i, const struct ipc_message *m)
{
	struct ipc_ready r;
	struct slice tail;

	if (ipc_payload(m, &r, sizeof(r), &tail) != 0 || r.instance != i->id) {
		distrust(i, "its READY is malformed");
		return;
	}
	/* What it was told to be meanwhile, it is. */
	if (i->ready_ms == 0)
		i->ready_ms = clock_mono_ms();
	if (i->state != INSTANCE_STARTING)
		return;
	i->state = INSTANCE_READY;
	i->host->events.ready(i->host->events.arg, i);
}

static void on_answer(struct instance *i, const struct ipc_message *m)
{
	struct ipc_query q;
	struct slice json;

	if (ipc_payload(m, &q, sizeof(q), &json) != 0)
		distrust(i, "its ANSWER is malformed");
	else
		i->host->events.answer(i->host->events.arg, i, q.id, json);
}

static void on_eof(void *arg)
{
	struct instance *i = arg;

	distrust(i, "it closed its IPC socket and goes on");
}

static void on_message(void *arg, int what)
{
	static char buf[IPC_TEXT_MAX + 256];
	struct instance *i = arg;
	struct ipc_message m;
	int rc = 1;

	(void)what;
	for (int n = 0; n < MESSAGES_PER_TURN && i->state != INSTANCE_KILLED; n++) {
		rc = ipc_recv(i->ipc, buf, sizeof(buf), &m);
		if (rc != 1)
			break;
		if (m.fd != -1)
			close(m.fd);	/* no worker sends us one */
		if (m.type == IPC_READY)
			on_ready(i, &m);
		else if (m.type == IPC_ANSWER)
			on_answer(i, &m);
	}
	if (rc == -EPIPE) {
		/* It is exiting, most likely; SIGCHLD comes. */
		io_watch(&i->io, 0);
		timer_arm(&i->eof, EOF_GRACE_MS);
	} else if (rc < 0) {
		distrust(i, "its message is malformed");
	}
}

static int greet(struct instance *i)
{
	struct ipc_hello hello = { .version = IPC_VERSION, .instance = i->id,
				   .slot = i->slot };

	snprintf(hello.host, sizeof(hello.host), "%s", i->host->node);
	snprintf(hello.boot, sizeof(hello.boot), "%s", i->host->boot);
	return instance_send(i, IPC_HELLO, &hello, sizeof(hello), SLICE(""), -1);
}

static void close_fds(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* Of a worker, in the order of their numbers there. */
enum { FD_LISTEN, FD_IPC, FD_STATS, FD_CONF, FD_HANDOVER, FDS };

static int open_fds(const struct instance_host *host, uint32_t id, int listen_fd,
		    bool needed, int fds[FDS], int *ipc_out)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -errno;
	fds[FD_LISTEN] = copy_up(listen_fd);
	fds[FD_IPC] = move_up(pair[1]);
	fds[FD_STATS] = move_up(stats_create());
	fds[FD_CONF] = copy_up(host->conf_fd);
	fds[FD_HANDOVER] = move_up(handover_socket(host->run_dir, id, needed));
	for (int i = 0; i < FDS; i++) {
		if (fds[i] < 0) {
			int rc = fds[i];

			close_fds(fds, FDS);
			close(pair[0]);
			return rc;
		}
	}
	*ipc_out = pair[0];
	return 0;
}

static struct instance *make(const struct instance_host *host,
			     const struct instance *values)
{
	struct instance *i = mem_zalloc(sizeof(*i));

	*i = *values;
	i->host = host;
	io_init(&i->io, host->loop, i->ipc, on_message, i);
	io_watch(&i->io, IO_READ);
	timer_init(&i->eof, host->loop, on_eof, i);
	return i;
}

int instance_start(const struct instance_host *host, unsigned slot, uint32_t id,
		   int listen_fd, bool needed, struct instance **out)
{
	struct instance *i;
	int fds[FDS], ipc = -1, stats_fd, handover_fd = -1;
	pid_t pid = 0;
	int rc = open_fds(host, id, listen_fd, needed, fds, &ipc);

	if (rc != 0)
		goto failed;
	rc = spawn(host->worker_path, slot, id, fds, FDS, &pid);
	stats_fd = rc == 0 ? fds[FD_STATS] : -1;
	if (rc == 0)
		fds[FD_STATS] = -1;
	if (rc == 0 && !has_path(fds[FD_HANDOVER])) {
		handover_fd = fds[FD_HANDOVER];
		fds[FD_HANDOVER] = -1;
	}
	close_fds(fds, FDS);
	if (rc != 0) {
		close(ipc);
		goto failed;
	}
	i = make(host, &(struct instance){ .id = id, .slot = slot, .pid = pid,
					   .ipc = ipc, .stats_fd = stats_fd,
					   .conf_fd = fcntl(host->conf_fd,
							    F_DUPFD_CLOEXEC, 3),
					   .handover_fd = handover_fd,
					   .started_ms = clock_mono_ms() });
	*out = i;
	if (greet(i) != 0)
		distrust(i, "HELLO cannot be sent");
	return 0;
failed:
	remove_handover(host, id);
	return rc;
}

int instance_adopt(const struct instance_host *host, const struct instance *was,
		   struct instance **out)
{
	if (fcntl(was->ipc, F_SETFD, FD_CLOEXEC) == -1 ||
	    fcntl(was->stats_fd, F_SETFD, FD_CLOEXEC) == -1)
		return -EBADF;
	*out = make(host, was);
	(*out)->adopted = true;
	if ((*out)->conf_fd != -1 &&
	    fcntl((*out)->conf_fd, F_SETFD, FD_CLOEXEC) == -1)
		(*out)->conf_fd = -1;
	if ((*out)->handover_fd != -1 &&
	    fcntl((*out)->handover_fd, F_SETFD, FD_CLOEXEC) == -1)
		(*out)->handover_fd = -1;
	return 0;
}

const char *instance_state_name(const struct instance *i)
{
	static const char *const names[] = {
		[INSTANCE_STARTING] = "starting",
		[INSTANCE_READY] = "ready",
		[INSTANCE_DRAINING] = "draining",
		[INSTANCE_STOPPING] = "stopping",
		[INSTANCE_KILLED] = "killed",
	};

	return i == NULL ? "backoff" : names[i->state];
}

void instance_free(struct instance **ip)
{
	struct instance *i = *ip;

	if (i == NULL)
		return;
	remove_handover(i->host, i->id);
	timer_free(&i->eof);
	io_free(&i->io);
	close(i->ipc);
	stats_view_close(&i->stats);
	close(i->stats_fd);
	if (i->conf_fd != -1)
		close(i->conf_fd);
	if (i->handover_fd != -1)
		close(i->handover_fd);
	free(i);
	*ip = NULL;
}

int instance_send(struct instance *i, enum ipc_type type, const void *fixed,
		  size_t n, struct slice tail, int fd)
{
	return ipc_send(i->ipc, type, fixed, n, tail, fd);
}

void instance_kill(struct instance *i)
{
	if (i->state == INSTANCE_KILLED)
		return;
	kill(i->pid, SIGKILL);
	i->state = INSTANCE_KILLED;
}

const struct stats_view *instance_stats(struct instance *i)
{
	/* Not kept before READY: a newer worker may still let its page grow. */
	if (i->ready_ms == 0)
		stats_view_close(&i->stats);
	if (i->stats == NULL)
		i->stats = stats_view_open(i->stats_fd);
	return i->stats;
}
