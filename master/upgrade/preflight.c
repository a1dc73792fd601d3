#include "config.h"	/* pipe2 */

#include "master/upgrade/preflight.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/conf/conf.h"
#include "common/service/signals.h"
#include "master/status/explain.h"
#include "master/upgrade/inheritance.h"
#include "master/members.h"
#include "master/paths.h"
#include "master/status/status.h"
#include "master/workers/supervisor.h"

extern char **environ;

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "%s%s%s\n", what, *what != '\0' ? ": " : "", why);
	return 1;
}

/* The parts read theirs into new objects, as they would in earnest. (The
 * descriptors named are not here: whose they are, they are not used.) */
static void read_parts(const struct conf *conf, const struct inheritance *h,
		       char wrong[MEMBERS_ERR_MAX])
{
	struct members m = { h->root, "", wrong };
	unsigned slots = (unsigned)json_array_size(h->listeners);
	struct status *status = status_new(conf, NULL, NULL, slots);
	struct explain *explain = explain_new(slots);

	status_load(status, &m);
	explain_load(explain, &m);
	explain_free(&explain);
	status_free(&status);
	if (*wrong == '\0' && supervisor_readable(h->supervisor, slots) != 0)
		members_wrong(&m, "supervisor", "cannot be read");
}

static int read_state(const struct conf *conf, int fd)
{
	char err[INHERITANCE_ERR_MAX], wrong[MEMBERS_ERR_MAX] = "";
	struct inheritance *h = NULL;

	if (fd == -1)
		return fail("no state", INHERITANCE_ENV " names no descriptor");
	if (inheritance_read(fd, &h, err) != 0)
		return fail("", err);
	read_parts(conf, h, wrong);
	inheritance_free(&h);
	return *wrong == '\0' ? 0 : fail("state", wrong);
}

/* The first line that it prints when asked for its version; 0 or -errno. */
static int ask_version(const char *program, char *out, size_t n)
{
	char *argv[] = { (char *)(uintptr_t)program, (char[]){ "--version" },
			 NULL };
	posix_spawn_file_actions_t actions;
	size_t got = 0;
	ssize_t now = 1;
	int ends[2], rc;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) == -1)
		return -errno;
	posix_spawn_file_actions_init(&actions);
	rc = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	if (rc == 0)
		rc = posix_spawn(&pid, program, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	while (rc == 0 && now > 0 && got < n - 1) {
		now = read(ends[0], out + got, n - 1 - got);
		got += now > 0 ? (size_t)now : 0;
	}
	close(ends[0]);
	out[got] = '\0';
	out[strcspn(out, "\n")] = '\0';
	if (rc == 0 && waitpid(pid, NULL, 0) == -1)
		rc = errno;
	return -rc;
}

static int check_worker(const char *argv0)
{
	static const char mine[] = "pairwire-worker " PACKAGE_VERSION;
	char *self = path_self(argv0), *program = path_worker(self);
	char said[128], what[512];
	int rc = ask_version(program, said, sizeof(said));

	free(self);
	snprintf(what, sizeof(what), "worker program %.400s", program);
	free(program);
	if (rc != 0)
		return fail(what, strerror(-rc));
	if (strcmp(said, mine) == 0)
		return 0;
	fprintf(stderr, "%s: it says \"%.60s\", not \"%s\"\n", what, said, mine);
	return 1;
}

int preflight_run(const char *argv0, const char *conf_path, int state_fd)
{
	struct conf *conf = NULL;
	char err[CONF_ERR_MAX];
	int rc;

	signals_release();
	if (conf_load(conf_path, CONF_FOR_SERVER, &conf, err) != 0)
		return fail("", err);
	rc = read_state(conf, state_fd);
	if (rc == 0)
		rc = check_worker(argv0);
	if (rc == 0)
		puts(PREFLIGHT_OK PACKAGE_VERSION);
	conf_free(&conf);
	return rc == 0 && fflush(stdout) == 0 ? 0 : 1;
}
