#include "tests/conformance/echo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/ipc.h"

/* shared: with others of ours. */
static int bind_to(int family, unsigned port, bool shared)
{
	struct sockaddr_in6 six = {
		.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT,
		.sin6_port = htons((uint16_t)port),
	};
	struct sockaddr_in four = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port),
	};
	bool v6 = family == AF_INET6;
	const void *addr = v6 ? (const void *)&six : &four;
	int one = 1;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (shared)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (v6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, addr, v6 ? sizeof(six) : sizeof(four)) == -1 ||
	    listen(fd, 1024) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

/* On *port, which a free one becomes when it is 0. A host may have no ::1. */
static void open_listeners(struct echo_worker *w, unsigned *port, bool shared)
{
	struct sockaddr_in bound;
	socklen_t n = sizeof(bound);

	w->four = bind_to(AF_INET, *port, shared);
	if (w->four == -1)
		log_fatal("listening on 127.0.0.1:%u: %s", *port,
			  strerror(errno));
	getsockname(w->four, (struct sockaddr *)&bound, &n);
	*port = ntohs(bound.sin_port);
	w->six = bind_to(AF_INET6, *port, shared);
}

static void open_handover(struct echo_worker *w, const char *dir)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	handover_path(dir, w->instance, sa.sun_path, sizeof(sa.sun_path));
	w->run_dir = dir;
	w->handover = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			     0);
	if (w->handover == -1 ||
	    bind(w->handover, (struct sockaddr *)&sa, sizeof(sa)) == -1)
		log_fatal("%s: %s", sa.sun_path, strerror(errno));
}

static void close_sockets(const struct echo_worker *w)
{
	close(w->four);
	if (w->six != -1)
		close(w->six);
	if (w->handover != -1)
		close(w->handover);
}

/* The last one removes the directory, too: so nothing is left of a parent that
 * was killed. */
static void remove_handover(const struct echo_worker *w)
{
	char path[128];

	handover_path(w->run_dir, w->instance, path, sizeof(path));
	unlink(path);
	rmdir(w->run_dir);
}

/* Signals are blocked when this is called, so that none is lost on the way. */
static pid_t start(const struct echo_options *o, const struct echo_worker *all,
		   unsigned i, const sigset_t *unblocked)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid == -1)
		log_fatal("fork: %s", strerror(errno));
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	for (unsigned k = 0; k < o->workers; k++)
		if (k != i)
			close_sockets(&all[k]);
	sigprocmask(SIG_SETMASK, unblocked, NULL);
	echo_serve(o, &all[i]);
	remove_handover(&all[i]);
	exit(0);
}

/* Until told to stop, or one of them ends: then all do. Whether all went well. */
static bool watch(const struct echo_worker *all, unsigned n,
		  const sigset_t *ends)
{
	bool good = true;
	int got, status;
	siginfo_t ended;

	do {	/* SIGCHLD also tells of one that is stopped */
		ended.si_pid = 0;
		sigwait(ends, &got);
	} while (got == SIGCHLD &&
		 waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		 ended.si_pid == 0);
	for (unsigned i = 0; i < n; i++)
		kill(all[i].pid, SIGTERM);
	for (unsigned i = 0; i < n; i++) {
		if (waitpid(all[i].pid, &status, 0) != all[i].pid || status != 0)
			good = false;
	}
	return good && got != SIGCHLD;
}

static int run_many(const struct echo_options *o, struct echo_worker *all)
{
	/* one that is stopped has not ended */
	struct sigaction chld = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP };
	sigset_t ends, before;
	bool good;

	sigaction(SIGCHLD, &chld, NULL);
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGCHLD);
	sigprocmask(SIG_BLOCK, &ends, &before);
	for (unsigned i = 0; i < o->workers; i++)
		all[i].pid = start(o, all, i, &before);
	for (unsigned i = 0; i < o->workers; i++)
		close_sockets(&all[i]);
	good = watch(all, o->workers, &ends);
	for (unsigned i = 0; i < o->workers; i++)	/* of one that crashed */
		remove_handover(&all[i]);
	return good ? 0 : 1;
}

int workers_run(const struct echo_options *o)
{
	struct echo_worker *all = mem_zalloc(o->workers * sizeof(*all));
	char dir[] = "/tmp/pw-echo-XXXXXX";
	bool many = o->workers > 1;
	unsigned port = o->port;
	int status = 0;

	log_init("echo", o->debug ? LOG_LVL_DEBUG : LOG_LVL_INFO);
	for (unsigned i = 0; i < o->workers; i++) {
		all[i].instance = i + 1;
		all[i].handover = -1;
		open_listeners(&all[i], &port, many);
	}
	if (many && mkdtemp(dir) == NULL)
		log_fatal("%s: %s", dir, strerror(errno));
	for (unsigned i = 0; many && i < o->workers; i++)
		open_handover(&all[i], dir);
	printf("listening on port %u\n", port);
	fflush(stdout);
	if (many) {
		status = run_many(o, all);
	} else {
		echo_serve(o, &all[0]);
	}
	free(all);
	return status;
}
