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

const char *run_dir_advice(int err)
{
	switch (err) {
	case ENOSPC:
	case EDQUOT:
		return "; make room on its file system, or configure another path";
	case EROFS:
		return "; have it mounted writable, or configure another path";
	case EACCES:
	case EPERM:
		return "; let the user that pairwire runs as write there, or "
		       "configure another path";
	case ENOENT:
		return "; make the directory that it is in, or configure another "
		       "path";
	default:
		return "";
	}
}

static int failed(const char *what, const char *path, char err[RUN_DIR_ERR_MAX])
{
	int rc = -errno;

	snprintf(err, RUN_DIR_ERR_MAX, "run_dir %.100s: %s: %s%s", path, what,
		 strerror(-rc), run_dir_advice(-rc));
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

/* False: errno says why. In place: a full file system is no reason to fail where a
 * number has been before. */
static bool write_pid(int lock)
{
	char pid[16];
	int n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	ssize_t written = pwrite(lock, pid, (size_t)n, 0);

	if (written >= 0 && written < n)
		errno = ENOSPC;
	return written == n && ftruncate(lock, n) == 0;
}

static int take_lock(int dir, const char *path, int *lock_out,
		     char err[RUN_DIR_ERR_MAX])
{
	int lock = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int rc;

	if (lock == -1)
		return failed("lock cannot be made", path, err);
	if (flock(lock, LOCK_EX | LOCK_NB) == -1) {
		rc = errno == EWOULDBLOCK ? taken(path, lock, err) :
					    failed("lock", path, err);
		close(lock);
		return rc;
	}
	if (!write_pid(lock)) {
		rc = failed("lock cannot be written", path, err);
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

/* Whoever owns it, or may write to it, can put sockets of his own there. (Root's
 * own start in the service's directory would also leave it files that it cannot
 * open.) */
static int check_owner(int dir, const char *path, char err[RUN_DIR_ERR_MAX])
{
	struct stat st;

	if (fstat(dir, &st) == -1)
		return failed("cannot look at it", path, err);
	if (st.st_uid == geteuid() && (st.st_mode & S_IWOTH) == 0)
		return 0;
	if (st.st_uid != geteuid())
		snprintf(err, RUN_DIR_ERR_MAX, "run_dir %.100s: it belongs to "
			 "uid %u, not to us (uid %u)", path,
			 (unsigned)st.st_uid, (unsigned)geteuid());
	else
		snprintf(err, RUN_DIR_ERR_MAX, "run_dir %.100s: every user may "
			 "write to it", path);
	return -EPERM;
}

int run_dir_take(const char *path, int *fd_out, char err[RUN_DIR_ERR_MAX])
{
	int dir, rc;

	if (mkdir(path, 0750) == -1 && errno != EEXIST)
		return failed("cannot make it", path, err);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1)
		return failed("cannot open it", path, err);
	rc = check_owner(dir, path, err);
	if (rc == 0)
		rc = take_lock(dir, path, fd_out, err);
	if (rc == 0)
		remove_leftovers(dir);
	close(dir);
	return rc;
}
