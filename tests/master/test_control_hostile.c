/* The control socket's server against those who mean no good: whatever they do,
 * an operator is answered within a second, and the master stays small. */
#include "config.h"	/* setgroups */

#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/ctl_socket.h"
#include "common/loop/loop.h"
#include "ctl/ask.h"
#include "master/control/control.h"

TestSuite(control_hostile, .timeout = 300);

#define NOBODY 65534
#define BIG (2 * 1024 * 1024)
#ifdef __SANITIZE_ADDRESS__
#define GROWTH_KB 400000	/* what was freed is kept for a while */
#else
#define GROWTH_KB 100000
#endif

/* --- a server of a few commands --- */

static void do_status(void *arg, struct control_request r, const json_t *args)
{
	(void)arg;
	(void)args;
	control_answer(r, json_pack("{s:i}", "answer", 42));
}

static void do_big(void *arg, struct control_request r, const json_t *args)
{
	(void)args;
	control_answer(r, json_string(arg));
}

static void do_never(void *arg, struct control_request r, const json_t *args)
{
	(void)arg;
	(void)r;
	(void)args;
}

static void do_drain(void *arg, struct control_request r, const json_t *args)
{
	const char *slot = json_string_value(json_array_get(args, 0));

	(void)arg;
	if (strcmp(slot, "9") == 0)
		control_refuse(r, "there is no slot 9");
	else
		control_answer(r, json_object());
}

static const struct control_command served[] = {
	{ "status", "", 0, 0, CTL_LOOK, do_status },
	{ "big", "", 0, 0, CTL_LOOK, do_big },
	{ "never", "", 0, 0, CTL_LOOK, do_never },
	{ "drain", "SLOT", 1, 1, CTL_CHANGE, do_drain },
};

struct server {
	char dir[64], path[96], log[96];
	pid_t pid;
};

static void serve(const struct server *s, int ready)
{
	struct loop *l = loop_new();
	char err[256], *big = mem_zalloc(BIG + 1);
	int fd;

	memset(big, 'x', BIG);
	if (freopen(s->log, "w", stderr) == NULL)
		_exit(1);
	log_init("test", LOG_LVL_INFO);
	fd = ctl_socket_listen(s->path, err);
	if (fd < 0)
		_exit(1);
	(void)control_new(l, fd, s->path, served, ARRAY_SIZE(served), big);
	close(ready);
	loop_run(l);
	_exit(0);
}

/* A process that does not outlive a failing test. */
static pid_t fork_child(void)
{
	pid_t pid = fork();

	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static void server_start(struct server *s)
{
	int ready[2];
	char byte;

	snprintf(s->dir, sizeof(s->dir), "/tmp/pw-control.XXXXXX");
	cr_assert_not_null(mkdtemp(s->dir));
	cr_assert_eq(chmod(s->dir, 0750), 0);
	snprintf(s->path, sizeof(s->path), "%s/control", s->dir);
	snprintf(s->log, sizeof(s->log), "%s/log", s->dir);
	cr_assert_eq(pipe(ready), 0);
	s->pid = fork_child();
	if (s->pid == 0) {
		close(ready[0]);
		serve(s, ready[1]);
	}
	close(ready[1]);
	cr_assert_eq(read(ready[0], &byte, 1), 0);
	close(ready[0]);
}

static void server_stop(struct server *s)
{
	int status;

	cr_expect_eq(waitpid(s->pid, &status, WNOHANG), 0, "it still runs");
	kill(s->pid, SIGKILL);
	waitpid(s->pid, &status, 0);
	unlink(s->path);
	unlink(s->log);
	rmdir(s->dir);
}

static long rss_kb(pid_t pid)
{
	char path[64], line[128];
	long kb = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	cr_assert_not_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "VmRSS: %ld", &kb) == 1)
			break;
	fclose(f);
	return kb;
}

static int lines_logged(const struct server *s, const char *text)
{
	static char all[65536];
	FILE *f = fopen(s->log, "r");
	size_t n = f != NULL ? fread(all, 1, sizeof(all) - 1, f) : 0;
	int lines = 0;

	if (f != NULL)
		fclose(f);
	all[n] = '\0';
	for (const char *p = all; (p = strstr(p, text)) != NULL; p++)
		lines++;
	return lines;
}

static bool logged(const struct server *s, const char *text)
{
	return lines_logged(s, text) != 0;
}

/* --- those who mean no good --- */

static size_t put_frame(char *out, const char *text)
{
	uint32_t be = htonl((uint32_t)strlen(text));

	memcpy(out, &be, sizeof(be));
	memcpy(out + sizeof(be), text, strlen(text));
	return sizeof(be) + strlen(text);
}

static int reach(const char *path)
{
	int fd = ctl_socket_connect(path, 20000);

	if (fd < 0)
		_exit(2);
	return fd;
}

static void say(int fd, const void *p, size_t n)
{
	if (send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT) == -1)
		return;	/* it was thrown out */
}

static void pause_ms(int ms)
{
	poll(NULL, 0, ms);
}

static void sit(const char *path)
{
	for (int i = 0; i < 1000; i++)
		reach(path);
}

static void begin_only(const char *path)
{
	for (int i = 0; i < 1000; i++)
		say(reach(path), "\0\0", 2);
}

static void trickle(const char *path)
{
	int fds[80];

	for (int i = 0; i < 80; i++)
		say(fds[i] = reach(path), "\0\0\xea\x60", 4);
	for (int turn = 0; turn < 1000; turn++) {
		for (int i = 0; i < 80; i++)
			say(fds[i], " ", 1);
		pause_ms(5);
	}
}

static void rubbish(const char *path)
{
	char noise[4096];

	for (int i = 0; i < 1000; i++) {
		int fd = reach(path);

		for (size_t n = 0; n < sizeof(noise); n++)
			noise[n] = (char)rand();
		noise[0] = i % 3 == 0 ? noise[0] : 0;
		noise[1] = i % 2 == 0 ? noise[1] : 0;
		say(fd, noise, sizeof(noise));
		close(fd);
	}
}

static void huge(const char *path)
{
	for (int i = 0; i < 1000; i++)
		say(reach(path), "\xff\xff\xff\xff{", 5);
}

static void never_reads(const char *path)
{
	char frame[64];
	size_t n = put_frame(frame, "{\"v\":1,\"cmd\":\"big\"}");

	for (int i = 0; i < 200; i++) {
		int fd = reach(path);

		for (int k = 0; k < 5; k++)
			say(fd, frame, n);
	}
}

static void asks_thousands(const char *path)
{
	static char all[100000];
	int fds[64];
	size_t n = 0;

	while (n + 64 < sizeof(all))
		n += put_frame(all + n, "{\"v\":1,\"cmd\":\"status\"}");
	for (int i = 0; i < 64; i++)
		fds[i] = reach(path);
	for (;;) {
		for (int i = 0; i < 64; i++) {
			char answers[16384];

			say(fds[i], all, n);
			while (recv(fds[i], answers, sizeof(answers),
				    MSG_DONTWAIT) > 0)
				;
		}
	}
}

static void half_closes(const char *path)
{
	for (int i = 0; i < 1000; i++) {
		int fd = reach(path);

		say(fd, "\0\0\1", (size_t)(i % 4));
		shutdown(fd, SHUT_WR);
	}
}

static void wants_what_never_comes(const char *path)
{
	char frame[64];
	size_t n = put_frame(frame, "{\"v\":1,\"cmd\":\"never\"}");

	for (int i = 0; i < 1000; i++)
		say(reach(path), frame, n);
}

static void comes_and_goes(const char *path)
{
	for (int i = 0; i < 5000; i++)
		close(reach(path));
}

struct hostile {
	const char *name;
	void (*act)(const char *path);
	bool same_user;	/* too: does not use up its own user's share for good */
};

static const struct hostile hostile[] = {
	{ "sits", sit, true },
	{ "begins only", begin_only, true },
	{ "trickles", trickle, true },
	{ "rubbish", rubbish, true },
	{ "huge", huge, true },
	{ "never reads", never_reads, true },
	{ "asks thousands", asks_thousands, true },
	{ "half-closes", half_closes, true },
	{ "comes and goes", comes_and_goes, true },
	{ "wants what never comes", wants_what_never_comes, false },
};

/* Its process; keeps what it has until it is killed. */
static pid_t hostile_start(const struct hostile *h, const char *path, uid_t uid)
{
	const struct rlimit many = { 4096, 4096 };
	pid_t pid = fork_child();

	if (pid != 0)
		return pid;
	if (setrlimit(RLIMIT_NOFILE, &many) == -1)
		_exit(1);
	if (uid != geteuid() && (setgroups(0, NULL) == -1 || setuid(uid) == -1))
		_exit(1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);	/* ended by setuid() */
	h->act(path);
	pause();
	_exit(0);
}

static int status_ms(const char *path)
{
	struct call call = { .socket = path };
	int64_t before = clock_mono_ms();
	json_t *data = NULL;
	int rc = ask_quietly(&call, "status", 60000, &data, NULL);

	cr_expect_eq(rc, 0, "%s", strerror(-rc));
	cr_expect_eq(json_integer_value(json_object_get(data, "answer")), 42);
	json_decref(data);
	return (int)(clock_mono_ms() - before);
}

static int by_size(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

#define LOOKS 1000

/* The machine may stand still for an answer or two. */
static void stand_up_to(const struct hostile *h, uid_t uid)
{
	int64_t until = clock_mono_ms() + 1500;
	long before, after;
	struct server s;
	int took[LOOKS], n = 0, status;
	pid_t pid;

	server_start(&s);
	status_ms(s.path);
	before = rss_kb(s.pid);
	pid = hostile_start(h, s.path, uid);
	while (n < LOOKS && (n < 20 || clock_mono_ms() < until)) {
		took[n++] = status_ms(s.path);
		pause_ms(20);
	}
	after = rss_kb(s.pid);
	qsort(took, (size_t)n, sizeof(*took), by_size);
	cr_expect_lt(took[n - 3], 1000, "%s, uid %d: answered after %d ms",
		     h->name, (int)uid, took[n - 3]);
	cr_expect_lt(after - before, GROWTH_KB, "%s, uid %d: %ld KB more", h->name,
		     (int)uid, after - before);
	if (getenv("SHOW") != NULL)
		fprintf(stderr, "%-24s uid %5d: slowest %4d ms, %6ld KB\n",
			h->name, (int)uid, took[n - 1], after - before);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	cr_expect(WIFSIGNALED(status), "%s did what it wanted", h->name);
	status_ms(s.path);
	server_stop(&s);
}

Test(control_hostile, of_the_operators_own_user)
{
	for (size_t i = 0; i < ARRAY_SIZE(hostile); i++)
		if (hostile[i].same_user)
			stand_up_to(&hostile[i], geteuid());
}

Test(control_hostile, of_another_user)
{
	if (geteuid() != 0)
		cr_skip("needs root to be another user");
	for (size_t i = 0; i < ARRAY_SIZE(hostile); i++)
		stand_up_to(&hostile[i], NOBODY);
}

/* --- who may --- */

struct asked {
	int rc;
	char error[160];
};

static struct asked ask_as(const char *path, uid_t uid, char *arg)
{
	struct call call = { .socket = path, .args = &arg, .nargs = 1 };
	struct asked got = { 0 };
	int fds[2];
	pid_t pid;

	cr_assert_eq(pipe(fds), 0);
	pid = fork_child();
	if (pid == 0) {
		char *error = NULL;
		json_t *data = NULL;

		if (uid != geteuid() && (setgroups(0, NULL) == -1 ||
					 setuid(uid) == -1))
			_exit(1);
		got.rc = ask_quietly(&call, "drain", 60000, &data, &error);
		snprintf(got.error, sizeof(got.error), "%s",
			 error != NULL ? error : "");
		_exit(write(fds[1], &got, sizeof(got)) == sizeof(got) ? 0 : 1);
	}
	cr_assert_eq(read(fds[0], &got, sizeof(got)), sizeof(got));
	waitpid(pid, NULL, 0);
	close(fds[0]);
	close(fds[1]);
	return got;
}

Test(control_hostile, changes_are_for_root_and_our_user_and_leave_a_line)
{
	char want[160];
	struct asked a;
	struct server s;

	server_start(&s);
	a = ask_as(s.path, geteuid(), "3");
	cr_expect_eq(a.rc, 0);
	snprintf(want, sizeof(want), "control: drain 3: done uid=%u pid=",
		 (unsigned)geteuid());
	cr_expect(logged(&s, want));
	a = ask_as(s.path, geteuid(), "9");
	cr_expect_eq(a.rc, -EREMOTEIO);
	cr_expect_str_eq(a.error, "there is no slot 9");
	cr_expect(logged(&s, "control: drain 9: refused: there is no slot 9 uid="));
	a = ask_as(s.path, geteuid(), "a\nb user=x");
	cr_expect(logged(&s, "control: drain a?b?user?x: done uid="));
	if (geteuid() == 0) {
		int64_t from = clock_mono_ms();

		a = ask_as(s.path, NOBODY, "4");
		cr_expect_eq(a.rc, -EREMOTEIO);
		cr_expect_str_eq(a.error, "drain needs root or the user that "
				 "pairwire runs as (uid 0)");
		cr_expect(logged(&s, "control: drain 4: refused to one who may "
				 "not uid=65534 pid="));
		for (int i = 0; i < 20; i++)
			a = ask_as(s.path, NOBODY, "5");
		cr_expect_leq(lines_logged(&s, "refused to one who may not"),
			      1 + (clock_mono_ms() - from) / 1000,
			      "a line a second");
	}
	cr_expect_not(logged(&s, "status"));
	server_stop(&s);
}

/* --- time limits --- */

/* ms until the other side ends it. */
static int ended_after(int fd, const char *drip)
{
	int64_t start = clock_mono_ms();
	char byte;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (poll(&p, 1, 50) == 1 && recv(fd, &byte, 1, 0) <= 0)
			return (int)(clock_mono_ms() - start);
		if (drip != NULL)
			say(fd, drip, 1);
		cr_assert_lt(clock_mono_ms() - start, 60000);
	}
}

Test(control_hostile, a_request_has_its_time)
{
	struct server s;
	int fd, ms;

	server_start(&s);
	fd = reach(s.path);
	say(fd, "\0\0\xea\x60", 4);
	ms = ended_after(fd, " ");
	cr_expect_gt(ms, 4500, "%d ms", ms);
	close(fd);
	server_stop(&s);
}

/* Everything asked before the end of what it says is answered. */
Test(control_hostile, a_half_closed_client_gets_its_answers)
{
	char frames[4096], got[4096];
	size_t n = 0, have = 0;
	struct server s;
	ssize_t more;
	int fd;

	server_start(&s);
	fd = reach(s.path);
	for (int i = 0; i < 50; i++)
		n += put_frame(frames + n, "{\"v\":1,\"cmd\":\"status\"}");
	say(fd, frames, n);
	shutdown(fd, SHUT_WR);
	while ((more = recv(fd, got + have, sizeof(got) - have, 0)) > 0)
		have += (size_t)more;
	cr_expect_eq(more, 0);
	cr_expect_eq(have, 50 * (4 + strlen("{\"ok\":true,\"data\":{\"answer\":42}}")));
	close(fd);
	server_stop(&s);
}
