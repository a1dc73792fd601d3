#include "config.h"	/* pipe2 */

#include "master/upgrade/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/loop/loop.h"
#include "master/upgrade/inheritance.h"
#include "master/upgrade/preflight.h"

#define DEADLINE_MS 10000
/* Its last line is what it has to say. */
#define TAIL 1024
/* The state's number there. */
#define STATE_FD 3

extern char **environ;

struct trial {
	pid_t pid;		/* 0: ended, and waited for */
	int status;
	bool late;
	int pidfd;		/* readable once it has ended */
	struct io end;
	int pipe;
	struct io io;
	struct timer deadline;
	char tail[TAIL + 1];
	size_t n;
	trial_done done;
	void *arg;
};

static int spawn(const char *program, const char *conf_path, int state_fd,
		 int out_fd, pid_t *pid_out)
{
	char *argv[] = { (char *)(uintptr_t)program,
			 (char[]){ "--" PREFLIGHT_OPTION },
			 conf_path != NULL ? (char[]){ "-c" } : NULL,
			 (char *)(uintptr_t)conf_path, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	int rc;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	/* A group of its own, so that what it starts is killed with it. */
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP |
						POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	rc = posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&actions, out_fd,
						      STDERR_FILENO);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&actions, state_fd,
						      STATE_FD);
	if (rc == 0)
		rc = posix_spawn(pid_out, program, &actions, &attr, argv,
				 environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -rc;
}

/* Keeps the end of what it says; false: nothing more is there. */
static bool read_some(struct trial *t)
{
	ssize_t n;

	if (t->n > TAIL / 2) {
		memmove(t->tail, t->tail + t->n - TAIL / 2, TAIL / 2);
		t->n = TAIL / 2;
	}
	n = read(t->pipe, t->tail + t->n, TAIL - t->n);
	if (n > 0)
		t->n += (size_t)n;
	else if (n == 0)
		io_watch(&t->io, 0);
	return n > 0;
}

static void on_output(void *arg, int what)
{
	(void)what;
	read_some(arg);
}

static const char *last_line(struct trial *t)
{
	while (t->n > 0 && (t->tail[t->n - 1] == '\n' || t->tail[t->n - 1] == ' '))
		t->n--;
	t->tail[t->n] = '\0';
	utf8_clean(t->tail);
	for (size_t i = t->n; i > 0; i--)
		if (t->tail[i - 1] == '\n')
			return t->tail + i;
	return t->tail;
}

static void tell(struct trial *t)
{
	const char *line = last_line(t);
	char why[TRIAL_TEXT_MAX];

	if (t->late)
		snprintf(why, sizeof(why), "its preflight is not done within "
			 "%d s", DEADLINE_MS / 1000);
	else if (WIFSIGNALED(t->status))
		snprintf(why, sizeof(why), "its preflight was killed by signal "
			 "%d", WTERMSIG(t->status));
	else if (WEXITSTATUS(t->status) != 0)
		snprintf(why, sizeof(why), "%.240s", *line != '\0' ? line :
			 "its preflight failed without a word");
	else if (strncmp(line, PREFLIGHT_OK, strlen(PREFLIGHT_OK)) != 0)
		snprintf(why, sizeof(why), "it knows of no preflight");
	else
		*why = '\0';
	utf8_clean(why);
	if (*why == '\0')
		t->done(t->arg, line + strlen(PREFLIGHT_OK), NULL);
	else
		t->done(t->arg, NULL, why);
}

static void on_end(void *arg, int what)
{
	struct trial *t = arg;

	(void)what;
	if (waitpid(t->pid, &t->status, 0) == -1)
		return;
	t->pid = 0;
	while (read_some(t))
		;
	tell(t);
}

static void on_deadline(void *arg)
{
	struct trial *t = arg;

	t->late = true;
	kill(-t->pid, SIGKILL);
}

static void end_it(pid_t pid)
{
	kill(-pid, SIGKILL);
	while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		;
}

int trial_start(struct loop *l, const char *program, const char *conf_path,
		int state_fd, trial_done done, void *arg, struct trial **out)
{
	char number[16];
	struct trial *t;
	int ends[2], state, pidfd = -1, rc;
	pid_t pid = 0;

	if (pipe2(ends, O_CLOEXEC) == -1)
		return -errno;
	/* Our end alone: it may write as it is used to. */
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	/* Away from where its copies are put. */
	state = fcntl(state_fd, F_DUPFD_CLOEXEC, STATE_FD + 1);
	rc = state == -1 ? -errno : 0;
	snprintf(number, sizeof(number), "%d", STATE_FD);
	setenv(INHERITANCE_ENV, number, 1);
	if (rc == 0)
		rc = spawn(program, conf_path, state, ends[1], &pid);
	unsetenv(INHERITANCE_ENV);
	if (rc == 0)
		pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (rc == 0 && pidfd == -1) {
		rc = -errno;
		end_it(pid);
	}
	close(ends[1]);
	if (state != -1)
		close(state);
	if (rc != 0) {
		close(ends[0]);
		return rc;
	}
	t = mem_zalloc(sizeof(*t));
	*t = (struct trial){ .pid = pid, .pidfd = pidfd, .pipe = ends[0],
			     .done = done, .arg = arg };
	io_init(&t->end, l, pidfd, on_end, t);
	io_watch(&t->end, IO_READ);
	io_init(&t->io, l, ends[0], on_output, t);
	io_watch(&t->io, IO_READ);
	timer_init(&t->deadline, l, on_deadline, t);
	timer_arm(&t->deadline, DEADLINE_MS);
	*out = t;
	return 0;
}

void trial_free(struct trial **tp)
{
	struct trial *t = *tp;

	if (t == NULL)
		return;
	if (t->pid != 0)
		end_it(t->pid);
	timer_free(&t->deadline);
	io_free(&t->end);
	io_free(&t->io);
	close(t->pidfd);
	close(t->pipe);
	free(t);
	*tp = NULL;
}
