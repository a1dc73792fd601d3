#include "pushd/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/log.h"

static int failed(const char *path, int error, char err[SECRET_ERR_MAX])
{
	snprintf(err, SECRET_ERR_MAX, "%.160s: %s", path, strerror(error));
	return -error;
}

static int refused(const char *path, int error, const char *why,
		   char err[SECRET_ERR_MAX])
{
	snprintf(err, SECRET_ERR_MAX, "%.160s: %s", path, why);
	return -error;
}

/* One block, reserved before the first byte comes: growing would leave copies
 * behind. */
static int read_all(int fd, const char *path, struct buf *out,
		    char err[SECRET_ERR_MAX])
{
	buf_reserve(out, SECRET_FILE_MAX + 1);
	for (;;) {
		ssize_t n = read(fd, out->p + out->len,
				 SECRET_FILE_MAX + 1 - out->len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return failed(path, errno, err);
		if (n == 0)
			break;
		out->len += (size_t)n;
		if (out->len > SECRET_FILE_MAX)
			return refused(path, EFBIG, "is too large for a key",
				       err);
	}
	if (memchr(out->p, '\0', out->len) != NULL)
		return refused(path, EINVAL, "contains a NUL byte", err);
	out->p[out->len] = '\0';
	return 0;
}

int secret_file_read(const char *path, struct buf *out,
		     char err[SECRET_ERR_MAX])
{
	/* a pipe without a writer would block for ever */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct buf text = { 0 };
	struct stat st;
	int rc;

	if (fd == -1)
		return failed(path, errno, err);
	if (fstat(fd, &st) == -1)
		rc = failed(path, errno, err);
	else if (!S_ISREG(st.st_mode))
		rc = refused(path, EINVAL, "is not a regular file", err);
	else
		rc = read_all(fd, path, &text, err);
	close(fd);
	if (rc != 0) {
		secret_wipe(&text);
		return rc;
	}
	if ((st.st_mode & S_IROTH) != 0)
		log_warn("everybody may read %s: it holds a key, chmod o-r it",
			 path);
	*out = text;
	return 0;
}

void secret_wipe(struct buf *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->cap);
	buf_free(b);
}
