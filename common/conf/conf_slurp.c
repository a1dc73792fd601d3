#include "common/conf/conf_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static ssize_t read_all(int fd, char *out, size_t room)
{
	size_t len = 0;

	for (;;) {
		ssize_t n = read(fd, out + len, room - len);

		if (n == -1 && errno != EINTR)
			return -errno;
		if (n == 0)
			return (ssize_t)len;
		len += n > 0 ? (size_t)n : 0;
		if (len == room)
			return -EFBIG;
	}
}

ssize_t conf_slurp(const char *path, char *out, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t n;

	if (fd == -1)
		return -errno;
	/* Nothing that one would wait for. */
	n = fstat(fd, &st) == -1 ? -errno : !S_ISREG(st.st_mode) ? -EINVAL :
	    read_all(fd, out, room);
	close(fd);
	return n;
}
