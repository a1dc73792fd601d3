#include "config.h"	/* memfd_create */

#include "master/workers/conf_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/conf/conf.h"

static int write_all(int fd, const struct buf *b)
{
	size_t done = 0;

	while (done < b->len) {
		ssize_t n = write(fd, b->p + done, b->len - done);

		if (n == -1 && errno != EINTR)
			return -errno;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

int conf_fd_make(const struct conf *conf)
{
	int fd = memfd_create("pairwire-conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct buf text = { 0 };
	int rc;

	if (fd == -1)
		return -errno;
	conf_write(conf, &text);
	rc = write_all(fd, &text);
	if (rc == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK |
						  F_SEAL_GROW | F_SEAL_WRITE) == -1)
		rc = -errno;
	explicit_bzero(text.p, text.len);
	buf_free(&text);
	if (rc != 0) {
		close(fd);
		return rc;
	}
	return fd;
}
