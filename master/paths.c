#include "master/paths.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"

#define EXE "/proc/self/exe"

/* Where the program is, whatever it is called. */
static char *resolved(void)
{
	static const char gone[] = " (deleted)";
	char self[PATH_MAX];
	ssize_t n = readlink(EXE, self, sizeof(self) - 1);
	size_t len = n > 0 ? (size_t)n : 0;

	self[len] = '\0';
	/* Replaced between exec and here. */
	if (len > strlen(gone) && strcmp(self + len - strlen(gone), gone) == 0)
		self[len - strlen(gone)] = '\0';
	return len > 0 ? mem_strdup(self) : NULL;
}

/* The first word of a call may be anything. */
static bool is_self(const char *path)
{
	struct stat there, self;

	return stat(path, &there) == 0 && stat(EXE, &self) == 0 &&
	       there.st_dev == self.st_dev && there.st_ino == self.st_ino;
}

/* dir: a slice, empty for the working directory. NULL: it is not this program. */
static char *self_in(struct slice dir, const char *name)
{
	char cwd[PATH_MAX], *path;
	struct buf b = { 0 };

	if (dir.n == 0 || *dir.p != '/') {
		if (getcwd(cwd, sizeof(cwd)) == NULL)
			return NULL;
		buf_printf(&b, "%s/", cwd);
	}
	buf_add(&b, dir.p, dir.n);
	if (dir.n > 0)
		buf_addc(&b, '/');
	buf_adds(&b, name);
	path = is_self(buf_str(&b)) ? mem_strndup(b.p, b.len) : NULL;
	buf_free(&b);
	return path;
}

char *path_self(const char *argv0)
{
	const char *list = getenv("PATH"), *slash = strrchr(argv0, '/');
	char *path = NULL;

	if (slash == argv0)
		path = is_self(argv0) ? mem_strdup(argv0) : NULL;
	else if (slash != NULL)
		path = self_in((struct slice){ argv0, (size_t)(slash - argv0) },
			       slash + 1);
	else if (list == NULL)
		list = "/bin:/usr/bin";		/* as execvp(3) does */
	while (slash == NULL && path == NULL && list != NULL) {
		size_t n = strcspn(list, ":");

		path = self_in((struct slice){ list, n }, argv0);
		list = list[n] == ':' ? list + n + 1 : NULL;
	}
	if (path == NULL)
		path = resolved();
	return path != NULL ? path : mem_strdup(argv0);
}

/* NULL: there is none. */
static char *worker_beside(const char *self)
{
	const char *slash = self != NULL ? strrchr(self, '/') : NULL;
	struct buf b = { 0 };
	char *path;

	if (slash == NULL)
		return NULL;
	buf_printf(&b, "%.*s/../worker/pairwire-worker", (int)(slash - self),
		   self);
	path = access(buf_str(&b), X_OK) == 0 ? mem_strndup(b.p, b.len) : NULL;
	buf_free(&b);
	return path;
}

char *path_worker(const char *self)
{
	const char *env = getenv("PAIRWIRE_WORKER");
	char *real, *path;

	if (env != NULL && *env != '\0')
		return mem_strdup(env);
	path = worker_beside(self);
	if (path != NULL)
		return path;
	real = resolved();
	path = worker_beside(real);
	free(real);
	return path != NULL ? path :
			      mem_strdup(LIBEXECDIR "/pairwire-worker");
}
