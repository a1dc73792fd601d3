#include "master/paths.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"

const char *path_default_conf(void)
{
	static const char path[] = SYSCONFDIR "/pairwire.conf";

	/* One that cannot be read is not the same as none. */
	return access(path, F_OK) == -1 && errno == ENOENT ? NULL : path;
}

char *path_worker(void)
{
	const char *env = getenv("PAIRWIRE_WORKER");
	char self[PATH_MAX];
	struct buf b = { 0 };
	char *path, *slash;
	ssize_t n;

	if (env != NULL && *env != '\0')
		return mem_strdup(env);
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	if (slash != NULL) {
		*slash = '\0';
		buf_printf(&b, "%s/../worker/pairwire-worker", self);
		path = mem_strndup(b.p, b.len);
		buf_free(&b);
		if (access(path, X_OK) == 0)
			return path;
		free(path);
	}
	return mem_strdup(LIBEXECDIR "/pairwire-worker");
}
