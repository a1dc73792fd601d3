#include "config.h"	/* memfd_create */

#include "master/upgrade/inheritance.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "master/members.h"

#define STATE_VERSION 1
/* 512 workers with all their counts are a few megabytes. */
#define STATE_MAX ((size_t)64 << 20)

void inheritance_free(struct inheritance **hp)
{
	struct inheritance *h = *hp;

	if (h == NULL)
		return;
	free(h->program);
	free(h->version);
	json_decref(h->conf);
	json_decref(h->listeners);
	json_decref(h->supervisor);
	json_decref(h->status);
	json_decref(h->explain);
	json_decref(h->upgrade);
	json_decref(h->root);
	free(h);
	*hp = NULL;
}

static json_t *fd_json(int fd)
{
	return fd != -1 ? json_integer(fd) : json_null();
}

static json_t *encode(const struct inheritance *h)
{
	return json_pack("{s:i, s:s, s:s, s:O, s:O, s:o, s:o, s:o, s:O, s:O, "
			 "s:O, s:O}",
			 "v", STATE_VERSION,
			 "program", h->program,
			 "version", h->version,
			 "conf", h->conf,
			 "listeners", h->listeners,
			 "lock_fd", fd_json(h->lock_fd),
			 "control_fd", fd_json(h->control_fd),
			 "admin_fd", fd_json(h->admin_fd),
			 "supervisor", h->supervisor,
			 "status", h->status,
			 "explain", h->explain,
			 "upgrade", h->upgrade);
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done == -1 && errno != EINTR)
			return -errno;
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		}
	}
	return 0;
}

int inheritance_write(const struct inheritance *h, int *fd_out)
{
	json_t *root = encode(h);
	char *text = json_dumps(root, JSON_COMPACT);
	int fd, rc;

	json_decref(root);
	if (text == NULL)
		return -EINVAL;
	fd = memfd_create("pairwire-state", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	rc = fd == -1 ? -errno : write_all(fd, text, strlen(text));
	free(text);
	if (rc == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK |
						  F_SEAL_GROW | F_SEAL_WRITE) == -1)
		rc = -errno;
	if (rc == 0)
		*fd_out = fd;
	else if (fd != -1)
		close(fd);
	return rc;
}

/* Whatever the descriptor's position: two have read it, maybe. */
static int read_all(int fd, struct buf *out)
{
	ssize_t n;

	for (;;) {
		buf_reserve(out, 65536);
		n = pread(fd, out->p + out->len, 65536, (off_t)out->len);
		if (n == 0)
			return 0;
		if (n == -1 && errno != EINTR)
			return -errno;
		if (n > 0)
			out->len += (size_t)n;
		if (out->len > STATE_MAX)
			return -EFBIG;
	}
}

static void decode_listeners(const struct members *m, struct inheritance *h)
{
	const json_t *list = members_array(m, "listeners");
	char where[40];

	if (list != NULL && json_array_size(list) == 0)
		members_wrong(m, "listeners", "empty");
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct members one = { json_array_get(list, i), where, m->err };

		snprintf(where, sizeof(where), "listeners[%zu]", i);
		members_text(&one, "name");
		members_int(&one, "fd", STDERR_FILENO + 1, INT_MAX);
	}
	h->listeners = json_incref((json_t *)(uintptr_t)list);
}

static json_t *object(const struct members *m, const char *name)
{
	return json_incref((json_t *)(uintptr_t)members_object(m, name));
}

static void decode(const struct members *m, struct inheritance *h)
{
	members_int(m, "v", STATE_VERSION, STATE_VERSION);
	h->program = mem_strdup(members_text(m, "program"));
	h->version = mem_strdup(members_text(m, "version"));
	h->conf = object(m, "conf");
	decode_listeners(m, h);
	h->lock_fd = (int)members_int(m, "lock_fd", STDERR_FILENO + 1, INT_MAX);
	h->control_fd = (int)members_int(m, "control_fd", STDERR_FILENO + 1,
					 INT_MAX);
	h->admin_fd = members_fd(m, "admin_fd");
	h->supervisor = object(m, "supervisor");
	h->status = object(m, "status");
	h->explain = object(m, "explain");
	h->upgrade = object(m, "upgrade");
	members_int(&(struct members){ h->upgrade, "upgrade", m->err },
		    "started", 1, INT64_MAX);
}

int inheritance_read(int fd, struct inheritance **out,
		     char err[INHERITANCE_ERR_MAX])
{
	struct inheritance *h = mem_zalloc(sizeof(*h));
	char wrong[MEMBERS_ERR_MAX] = "";
	struct buf text = { 0 };
	json_error_t where;
	int rc = read_all(fd, &text);

	if (rc != 0) {
		snprintf(err, INHERITANCE_ERR_MAX, "state: %s", strerror(-rc));
	} else {
		h->root = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES,
				     &where);
		if (json_is_object(h->root))
			decode(&(struct members){ h->root, "", wrong }, h);
		else
			snprintf(wrong, sizeof(wrong), "no JSON object");
	}
	if (*wrong != '\0') {
		snprintf(err, INHERITANCE_ERR_MAX, "state: %s", wrong);
		rc = -EBADMSG;
	}
	buf_free(&text);
	if (rc == 0)
		*out = h;
	else
		inheritance_free(&h);
	return rc;
}

static void pass_fd(int fd, bool pass)
{
	int flags = fd != -1 ? fcntl(fd, F_GETFD) : -1;

	if (flags != -1)
		fcntl(fd, F_SETFD, pass ? flags & ~FD_CLOEXEC :
					  flags | FD_CLOEXEC);
}

static bool names_fd(const char *key)
{
	size_t n = strlen(key);

	return strcmp(key, "fd") == 0 || (n > 3 && strcmp(key + n - 3, "_fd") == 0);
}

static void pass_all(json_t *v, bool pass)
{
	const char *key;
	json_t *one;
	size_t i;

	json_object_foreach(v, key, one) {
		if (names_fd(key) && json_is_integer(one))
			pass_fd((int)json_integer_value(one), pass);
		else
			pass_all(one, pass);
	}
	json_array_foreach(v, i, one)
		pass_all(one, pass);
}

void inheritance_pass(const struct inheritance *h, bool pass)
{
	json_t *root = encode(h);

	pass_all(root, pass);
	json_decref(root);
}

int inheritance_take_fd(void)
{
	const char *text = getenv(INHERITANCE_ENV);
	char *end;
	long fd;

	if (text == NULL)
		return -1;
	fd = strtol(text, &end, 10);
	if (end == text || *end != '\0' || fd <= STDERR_FILENO || fd > INT_MAX)
		fd = -1;
	unsetenv(INHERITANCE_ENV);
	pass_fd((int)fd, false);
	return (int)fd;
}
