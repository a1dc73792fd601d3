#include "common/ipc/ctl_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* Of one that may hold the path already. */
#define PROBE_MS 500

static int address(const char *path, struct sockaddr_un *sa)
{
	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(sa->sun_path))
		return -ENAMETOOLONG;
	memcpy(sa->sun_path, path, strlen(path) + 1);
	return 0;
}

int ctl_socket_connect(const char *path, unsigned timeout_ms)
{
	struct timeval limit = { .tv_sec = timeout_ms / 1000,
				 .tv_usec = timeout_ms % 1000 * 1000 };
	struct sockaddr_un sa;
	int rc = address(path, &sa);
	int fd;

	if (rc != 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -errno;
	/* With the queue full connect() waits as long as a send would. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == -1) {
		rc = errno == EAGAIN ? -ETIMEDOUT : -errno;
		close(fd);
		return rc;
	}
	return fd;
}

/* The run directory's lock does not cover a control_socket elsewhere. */
static int remove_dead(const char *path)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) == -1)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = ctl_socket_connect(path, PROBE_MS);
	if (fd >= 0)
		close(fd);
	if (fd >= 0 || fd == -ETIMEDOUT)
		return -EADDRINUSE;
	if (fd != -ECONNREFUSED)
		return fd;
	return unlink(path) == -1 ? -errno : 0;
}

static int bind_at(const char *path)
{
	struct sockaddr_un sa;
	int rc = address(path, &sa);
	mode_t mask;
	int fd;

	if (rc != 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -errno;
	/* The mode is right from the first moment on. */
	mask = umask(0117);
	rc = bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == -1 ? -errno : 0;
	umask(mask);
	if (rc == 0 && listen(fd, 512) == -1)
		rc = -errno;
	if (rc != 0) {
		close(fd);
		return rc;
	}
	return fd;
}

int ctl_socket_listen(const char *path, char err[256])
{
	int fd = remove_dead(path);

	if (fd == 0)
		fd = bind_at(path);
	if (fd == -EADDRINUSE)
		snprintf(err, 256, "control_socket %s: another master has it",
			 path);
	else if (fd == -EEXIST)
		snprintf(err, 256, "control_socket %s: there is something else "
			 "than a socket", path);
	else if (fd < 0)
		snprintf(err, 256, "control_socket %s: %s", path, strerror(-fd));
	return fd;
}
