/* What systemd does with a service, as far as tests need it: starts a program as
 * Type=notify, NotifyAccess=main, Restart=on-failure, KillMode=mixed, with a
 * watchdog, a descriptor store and socket activation. (Node.js has no datagram
 * sockets of UNIX and passes no descriptors.)
 *
 * usage: supervise [--watchdog MS] [--restart MS] [--store N] [--stop MS]
 *                  [--activate ADDRESS --port PORT --sockets N] -- PROGRAM ARG...
 *   --watchdog MS   WatchdogSec: not fed for so long since READY, it gets SIGABRT
 *   --restart MS    RestartSec; 100
 *   --store N       FileDescriptorStoreMax; 64
 *   --stop MS       TimeoutStopSec, which EXTEND_TIMEOUT_USEC prolongs; 90000
 *   --activate ...  N listening sockets with SO_REUSEPORT on ADDRESS (IPv4) and
 *                   PORT (0: any), passed as "pairwire.socket"
 * Standard error is the program's standard output and error.
 *
 * Commands, one a line, on standard input; its end kills everything:
 *   kill-main   SIGKILL to the program
 *   signal N    signal N to the program
 *   restart     SIGTERM, and it is started again when it has ended
 *   stop        SIGTERM, and that was it
 *
 * A program that ended by itself with status 0 is not started again, nor is one
 * that ended five times in a row without having been READY. When the program has
 * ended, what it left running is killed. Then supervise ends, too: with status 0,
 * or 1 when it failed. Events are lines of JSON on standard output, each with
 * "at", monotonic milliseconds:
 *   {"event":"activated","port":3001,"sockets":2}
 *   {"event":"started","pid":12,"fds":["listen-1","listen-0"]}
 *   {"event":"notify","text":"STATUS=..."}        what the main process said
 *   {"event":"ignored","pid":13,"text":"..."}     what another one said
 *   {"event":"stored","name":"listen-0"}  {"event":"removed","name":"listen-0"}
 *   {"event":"watchdog","pid":12}                 it gets SIGABRT
 *   {"event":"timeout","pid":12}                  it gets SIGKILL: did not stop
 *   {"event":"exited","pid":12,"signal":9}        or "status"
 *   {"event":"leftover","pid":13}                 it gets SIGKILL
 *   {"event":"failed"}  {"event":"stopped"}       the last one */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/base.h"
#include "common/base/clock.h"
#include "tests/lib/supervise_sockets.h"

#define FDS_MAX 253	/* SCM_MAX_FD */
#define UNREADY_MAX 5
#define NEVER INT64_MAX

struct kept {
	char name[64];
	int fd;
};

static struct {
	int64_t watchdog_ms, restart_ms, stop_ms;
	unsigned store_max;
	const char *activate;
	unsigned port, nsockets;
	char **argv;
} options = { .restart_ms = 100, .stop_ms = 90000, .store_max = 64 };

static struct kept store[FDS_MAX];
static unsigned nstore;
static int sockets[FDS_MAX];
static int notify_fd, signal_fd;
static char notify_name[32];

static pid_t main_pid;	/* 0: does not run */
static bool ready, failed;
/* What is to be when it has ended: as it ended, or as a command says. */
static enum { AS_IT_ENDS, START, STOP } then;
static unsigned unready;	/* starts in a row */
static int64_t restart_at = NEVER, watchdog_at = NEVER, kill_at = NEVER;

static void die(const char *what)
{
	perror(what);
	exit(99);
}

/* event is taken. */
static void tell(json_t *event)
{
	json_object_set_new(event, "at", json_integer(clock_mono_ms()));
	json_dumpf(event, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(event);
}

/* --- the program --- */

static void pass_fds(const int *fds, const char *names, unsigned n)
{
	char text[32];

	for (unsigned i = 0; i < n; i++)
		if (dup2(fds[i], 3 + (int)i) == -1)
			_exit(98);
	snprintf(text, sizeof(text), "%ld", (long)getpid());
	setenv("LISTEN_PID", text, 1);
	snprintf(text, sizeof(text), "%u", n);
	setenv("LISTEN_FDS", text, 1);
	setenv("LISTEN_FDNAMES", names, 1);
}

static void become(const int *fds, const char *names, unsigned n)
{
	const struct rlimit no_core = { 0, 0 };
	char text[32];
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &no_core);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
	setenv("NOTIFY_SOCKET", notify_name, 1);
	if (options.watchdog_ms > 0) {
		snprintf(text, sizeof(text), "%lld",
			 (long long)options.watchdog_ms * 1000);
		setenv("WATCHDOG_USEC", text, 1);
		snprintf(text, sizeof(text), "%ld", (long)getpid());
		setenv("WATCHDOG_PID", text, 1);
	}
	if (n > 0)
		pass_fds(fds, names, n);
	execv(options.argv[0], options.argv);
	perror(options.argv[0]);
	_exit(97);
}

/* Above the numbers that it is passed as. */
static int copy_up(int fd)
{
	int up = fcntl(fd, F_DUPFD_CLOEXEC, 3 + 2 * FDS_MAX);

	if (up == -1)
		die("F_DUPFD_CLOEXEC");
	return up;
}

static void start_program(void)
{
	int fds[2 * FDS_MAX];
	char names[2 * FDS_MAX * sizeof(store[0].name)] = "";
	json_t *list = json_array();
	unsigned n = 0;

	for (unsigned i = 0; i < options.nsockets; i++) {
		fds[n++] = copy_up(sockets[i]);
		json_array_append_new(list, json_string("pairwire.socket"));
	}
	for (unsigned i = nstore; i-- > 0;) {	/* as systemd: the last first */
		fds[n++] = copy_up(store[i].fd);
		json_array_append_new(list, json_string(store[i].name));
	}
	for (unsigned i = 0; i < n; i++) {
		strcat(names, i > 0 ? ":" : "");
		strcat(names, json_string_value(json_array_get(list, i)));
	}
	ready = false;
	then = AS_IT_ENDS;
	unready++;
	restart_at = watchdog_at = kill_at = NEVER;
	main_pid = fork();
	if (main_pid == -1)
		die("fork");
	if (main_pid == 0)
		become(fds, names, n);
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
	tell(json_pack("{s:s, s:i, s:o}", "event", "started", "pid",
		       (int)main_pid, "fds", list));
}

static void tell_program(int sig)
{
	if (main_pid == 0)
		return;
	kill(main_pid, sig);
	/* As systemd does: one that is stopped would not notice. */
	if (sig == SIGTERM || sig == SIGABRT)
		kill(main_pid, SIGCONT);
}

static void stop_program(bool for_good)
{
	then = for_good ? STOP : START;
	watchdog_at = NEVER;
	restart_at = main_pid == 0 && !for_good ? clock_mono_ms() : NEVER;
	kill_at = clock_mono_ms() + options.stop_ms;
	tell_program(SIGTERM);
}

/* Who lost his parent is our child now. */
static unsigned kill_children(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	unsigned n = 0;

	while (proc != NULL && (e = readdir(proc)) != NULL) {
		char path[sizeof(e->d_name) + 16];
		int pid = 0, parent = 0;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
		f = e->d_name[0] >= '1' && e->d_name[0] <= '9' ?
			    fopen(path, "re") : NULL;
		if (f == NULL)
			continue;
		if (fscanf(f, "%d (%*[^)]) %*c %d", &pid, &parent) == 2 &&
		    parent == (int)getpid() && kill(pid, SIGKILL) == 0)
			n++;
		fclose(f);
	}
	if (proc != NULL)
		closedir(proc);
	return n;
}

/* Theirs become ours when they die, so until none is left. */
static void kill_leftovers(void)
{
	pid_t pid;

	while (kill_children() > 0)
		while ((pid = waitpid(-1, NULL, 0)) > 0) {
			tell(json_pack("{s:s, s:i}", "event", "leftover", "pid",
				       (int)pid));
			kill_children();
		}
}

static void main_exited(int status)
{
	bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;

	tell(json_pack("{s:s, s:i, s:i}", "event", "exited", "pid",
		       (int)main_pid, WIFSIGNALED(status) ? "signal" : "status",
		       WIFSIGNALED(status) ? WTERMSIG(status) :
					     WEXITSTATUS(status)));
	main_pid = 0;
	watchdog_at = NEVER;
	kill_leftovers();
	kill_at = NEVER;
	if (then == START) {
		unready = 0;
		restart_at = clock_mono_ms();
	} else if (then == STOP || clean) {
		then = STOP;
	} else if (unready >= UNREADY_MAX) {
		failed = true;
	} else {
		restart_at = clock_mono_ms() + options.restart_ms;
	}
}

static void on_signal(void)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	if (read(signal_fd, &info, sizeof(info)) != sizeof(info))
		die("signalfd");
	if (info.ssi_signo != SIGCHLD) {
		stop_program(true);
		return;
	}
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == main_pid)
			main_exited(status);
}

/* --- what it says --- */

/* fd is taken. */
static void keep(const char *name, int fd)
{
	for (unsigned i = 0; i < nstore; i++)
		if (supervise_same(store[i].fd, fd)) {
			close(fd);
			return;
		}
	if (nstore == FDS_MAX || nstore >= options.store_max) {
		close(fd);
		return;
	}
	snprintf(store[nstore].name, sizeof(store[0].name), "%s",
		 *name != '\0' ? name : "stored");
	store[nstore++].fd = fd;
	tell(json_pack("{s:s, s:s}", "event", "stored", "name",
		       store[nstore - 1].name));
}

static void forget(const char *name)
{
	for (unsigned i = nstore; i-- > 0;) {
		if (strcmp(store[i].name, name) != 0)
			continue;
		close(store[i].fd);
		memmove(store + i, store + i + 1,
			(--nstore - i) * sizeof(*store));
		tell(json_pack("{s:s, s:s}", "event", "removed", "name", name));
	}
}

/* The value of a line of text, "" if there is none. */
static const char *value_of(const char *text, const char *name, char out[64])
{
	size_t n = strlen(name);

	*out = '\0';
	for (const char *p = text; p != NULL; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, name, n) == 0 && p[n] == '=')
			snprintf(out, 64, "%.*s", (int)strcspn(p + n + 1, "\n"),
				 p + n + 1);
	}
	return out;
}

/* fds are taken. */
static void obey(const char *text, const int *fds, unsigned n)
{
	bool stores = false;
	char value[64];
	int64_t now = clock_mono_ms(), extend;

	if (*value_of(text, "READY", value) == '1') {
		ready = true;
		unready = 0;
	}
	if (*value_of(text, "STOPPING", value) == '1')
		ready = false;
	if (!ready)
		watchdog_at = NEVER;
	else if (options.watchdog_ms > 0 && then == AS_IT_ENDS &&
		 (watchdog_at == NEVER ||
		  *value_of(text, "WATCHDOG", value) == '1'))
		watchdog_at = now + options.watchdog_ms;
	extend = atoll(value_of(text, "EXTEND_TIMEOUT_USEC", value)) / 1000;
	if (kill_at != NEVER && kill_at < now + extend)
		kill_at = now + extend;
	if (*value_of(text, "FDSTOREREMOVE", value) == '1')
		forget(value_of(text, "FDNAME", value));
	else
		stores = *value_of(text, "FDSTORE", value) == '1';
	value_of(text, "FDNAME", value);
	for (unsigned i = 0; i < n; i++) {
		if (stores)
			keep(value, fds[i]);
		else
			close(fds[i]);	/* BARRIER=1 waits for that */
	}
}

static void on_notify(void)
{
	char text[8192], control[CMSG_SPACE(FDS_MAX * sizeof(int)) +
				 CMSG_SPACE(sizeof(struct ucred))];
	struct iovec v = { text, sizeof(text) - 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(notify_fd, &m, MSG_CMSG_CLOEXEC);
	int fds[FDS_MAX];
	struct ucred who = { 0 };
	size_t nfds = 0;

	if (n == -1)
		die("recvmsg");
	text[n] = '\0';
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_type == SCM_CREDENTIALS) {
			memcpy(&who, CMSG_DATA(c), sizeof(who));
		} else if (c->cmsg_type == SCM_RIGHTS) {
			nfds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			memcpy(fds, CMSG_DATA(c), nfds * sizeof(int));
		}
	}
	if (who.pid == main_pid) {
		tell(json_pack("{s:s, s:s}", "event", "notify", "text", text));
		obey(text, fds, (unsigned)nfds);
		return;
	}
	tell(json_pack("{s:s, s:i, s:s}", "event", "ignored", "pid",
		       (int)who.pid, "text", text));
	while (nfds > 0)
		close(fds[--nfds]);
}

/* --- commands --- */

static void command(const char *line)
{
	int sig;

	if (strcmp(line, "kill-main") == 0)
		tell_program(SIGKILL);
	else if (sscanf(line, "signal %d", &sig) == 1)
		tell_program(sig);
	else if (strcmp(line, "restart") == 0)
		stop_program(false);
	else if (strcmp(line, "stop") == 0)
		stop_program(true);
	else
		fprintf(stderr, "supervise: unknown command \"%s\"\n", line);
}

static void on_input(void)
{
	static char input[256];
	static size_t have;
	ssize_t n = read(STDIN_FILENO, input + have, sizeof(input) - 1 - have);
	char *end;

	if (n <= 0) {	/* whoever wanted it is gone */
		kill_leftovers();
		exit(1);
	}
	have += (size_t)n;
	input[have] = '\0';
	while ((end = strchr(input, '\n')) != NULL) {
		*end = '\0';
		command(input);
		have -= (size_t)(end + 1 - input);
		memmove(input, end + 1, have + 1);
	}
}

/* --- its life --- */

static void open_sockets(void)
{
	int port = supervise_listen(options.activate, options.port, sockets,
				    options.nsockets);

	if (port == -1)
		die("listening socket");
	tell(json_pack("{s:s, s:i, s:i}", "event", "activated", "port", port,
		       "sockets", (int)options.nsockets));
}

static void open_notify(void)
{
	snprintf(notify_name, sizeof(notify_name), "@pw-supervise-%ld",
		 (long)getpid());
	notify_fd = supervise_notified(notify_name);
	if (notify_fd == -1)
		die("notify socket");
}

static void open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (signal_fd == -1 || prctl(PR_SET_CHILD_SUBREAPER, 1) == -1)
		die("signalfd");
}

static void on_time(int64_t now)
{
	if (now >= restart_at)
		start_program();
	if (now >= watchdog_at && main_pid != 0) {
		watchdog_at = NEVER;
		tell(json_pack("{s:s, s:i}", "event", "watchdog", "pid",
			       (int)main_pid));
		tell_program(SIGABRT);
	}
	if (now >= kill_at && main_pid != 0) {
		kill_at = NEVER;
		tell(json_pack("{s:s, s:i}", "event", "timeout", "pid",
			       (int)main_pid));
		tell_program(SIGKILL);
	}
}

static int64_t first_of(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void run(void)
{
	struct pollfd p[] = { { STDIN_FILENO, POLLIN, 0 },
			      { signal_fd, POLLIN, 0 },
			      { notify_fd, POLLIN, 0 } };

	while (!failed && !(then == STOP && main_pid == 0)) {
		int64_t now = clock_mono_ms();
		int64_t next = first_of(first_of(restart_at, watchdog_at), kill_at);

		next = first_of(next - now, 3600000);
		if (poll(p, ARRAY_SIZE(p), next > 0 ? (int)next : 0) == -1 &&
		    errno != EINTR)
			die("poll");
		/* First what it said, then that it is dead. */
		if (p[2].revents != 0)
			on_notify();
		else if (p[1].revents != 0)
			on_signal();
		else if (p[0].revents != 0)
			on_input();
		/* It may have said in time what is heard late. */
		if (p[2].revents == 0)
			on_time(clock_mono_ms());
	}
	tell(json_pack("{s:s}", "event", failed ? "failed" : "stopped"));
}

static const struct option long_options[] = {
	{ "watchdog", required_argument, NULL, 'w' },
	{ "restart", required_argument, NULL, 'r' },
	{ "store", required_argument, NULL, 's' },
	{ "stop", required_argument, NULL, 't' },
	{ "activate", required_argument, NULL, 'a' },
	{ "port", required_argument, NULL, 'p' },
	{ "sockets", required_argument, NULL, 'n' },
	{ NULL, 0, NULL, 0 },
};

int main(int argc, char **argv)
{
	int opt;

	while ((opt = getopt_long(argc, argv, "+", long_options, NULL)) != -1) {
		switch (opt) {
		case 'w':
			options.watchdog_ms = atoll(optarg);
			break;
		case 'r':
			options.restart_ms = atoll(optarg);
			break;
		case 's':
			options.store_max = (unsigned)atoi(optarg);
			break;
		case 't':
			options.stop_ms = atoll(optarg);
			break;
		case 'a':
			options.activate = optarg;
			break;
		case 'p':
			options.port = (unsigned)atoi(optarg);
			break;
		case 'n':
			options.nsockets = (unsigned)atoi(optarg);
			break;
		default:
			return 2;
		}
	}
	options.argv = argv + optind;
	if (optind == argc || options.nsockets > FDS_MAX ||
	    (options.activate == NULL) != (options.nsockets == 0)) {
		fputs("usage: supervise [OPTION...] -- PROGRAM ARG...\n", stderr);
		return 2;
	}
	open_signals();
	open_notify();
	if (options.activate != NULL)
		open_sockets();
	start_program();
	run();
	return failed ? 1 : 0;
}
