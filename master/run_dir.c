#include "master/run_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int failed(const char *what, const char *path, char err[RUN_DIR_ERR_MAX])
{
	int rc = -errno;

	snprintf(err, RUN_DIR_ERR_MAX, "run_dir %.100s: %s: %s", path, what,
		 strerror(-rc));
	return rc;
}

static int taken(const char *path, int lock, char err[RUN_DIR_ERR_MAX])
{
	char pid[16] = "";
	ssize_t n = pread(lock, pid, sizeof(pid) - 1, 0);

	pid[n > 0 ? strspn(pid, "0123456789") : 0] = '\0';
	snprintf(err, RUN_DIR_ERR_MAX,
		 "run_dir %.100s: another pairwire master (pid %s) runs there",
		 path, *pid != '\0' ? pid : "unknown");
	return -EBUSY;
}

static int take_lock(int dir, const char *path, int *lock_out,
		     char err[RUN_DIR_ERR_MAX])
{
	char pid[16];
	int rc, n;
	int lock = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (lock == -1)
		return failed("lock", path, err);
	if (flock(lock, LOCK_EX | LOCK_NB) == -1) {
		rc = errno == EWOULDBLOCK ? taken(path, lock, err) :
					    failed("lock", path, err);
		close(lock);
		return rc;
	}
	n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(lock, 0) == -1 || pwrite(lock, pid, (size_t)n, 0) != n) {
		rc = failed("lock", path, err);
		close(lock);
		return rc;
	}
	*lock_out = lock;
	return 0;
}

/* Whoever made them is gone: the lock was free. */
static void remove_leftovers(int dir)
{
	int copy = dup(dir);
	DIR *d = copy == -1 ? NULL : fdopendir(copy);
	struct dirent *e;

	if (d == NULL) {
		if (copy != -1)
			close(copy);
		return;
	}
	while ((e = readdir(d)) != NULL)
		if (strncmp(e->d_name, "handover.", 9) == 0)
			unlinkat(dir, e->d_name, 0);
	closedir(d);
}

int run_dir_take(const char *path, int *fd_out, char err[RUN_DIR_ERR_MAX])
{
	int dir, rc;

	if (mkdir(path, 0700) == -1 && errno != EEXIST)
		return failed("cannot make it", path, err);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1)
		return failed("cannot open it", path, err);
	rc = take_lock(dir, path, fd_out, err);
	if (rc == 0)
		remove_leftovers(dir);
	close(dir);
	return rc;
}
