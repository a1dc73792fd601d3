/* For tests of the hand-over: "workers" on one loop, with real sockets in a
 * temporary directory, and what each was given. */
#ifndef PW_HANDOVER_ENDS_H
#define PW_HANDOVER_ENDS_H

#include <criterion/criterion.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/ipc/ipc.h"
#include "common/loop/loop.h"
#include "tests/unit/fake_transport.h"
#include "worker/transport/handover.h"

static char dir[] = "/tmp/pw-handover-XXXXXX";
static struct loop *loop;

struct event {
	bool adopted;		/* or failed */
	bool gone;
	struct conn_origin from;
	size_t n;
	unsigned char sum;	/* of the bytes */
	unsigned number;	/* the first four bytes */
};

/* One end of it. */
struct end {
	struct handover *h;
	uint32_t instance;
	struct event *events;
	size_t n;
	struct end *resend;	/* failed(): to this one */
};

static void note(struct end *e, struct event ev, int fd,
		 const struct conn_origin *from, struct slice read)
{
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	ev.from = *from;
	ev.n = read.n;
	for (size_t i = 0; i < read.n; i++)
		ev.sum = (unsigned char)(ev.sum * 31 + read.p[i]);
	if (read.n >= sizeof(ev.number))
		memcpy(&ev.number, read.p, sizeof(ev.number));
	e->events = realloc(e->events, (e->n + 1) * sizeof(ev));
	e->events[e->n++] = ev;
}

static void adopt(void *arg, int fd, const struct conn_origin *from,
		  struct slice read)
{
	note(arg, (struct event){ .adopted = true }, fd, from, read);
}

static void failed(void *arg, int fd, const struct conn_origin *from,
		   struct slice read, bool gone)
{
	struct end *e = arg;

	if (e->resend != NULL)
		handover_send(e->h, e->resend->instance,
			      fcntl(fd, F_DUPFD_CLOEXEC, 0), from, read);
	note(e, (struct event){ .gone = gone }, fd, from, read);
}

static int bound(uint32_t instance)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	handover_path(dir, instance, sa.sun_path, sizeof(sa.sun_path));
	cr_assert_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static int64_t wait_ms = 60000;

static void start_on(struct end *e, uint32_t instance, int fd)
{
	struct handover_ops ops = { adopt, failed, e };
	struct handover_conf c = {
		.run_dir = dir, .fd = fd, .wait_ms = wait_ms,
	};

	*e = (struct end){ .instance = instance };
	e->h = handover_new(loop, &c, &ops);
}

static void start(struct end *e, uint32_t instance)
{
	start_on(e, instance, bound(instance));
}

static void stop(struct end *e)
{
	char path[128];

	handover_free(&e->h);
	handover_path(dir, e->instance, path, sizeof(path));
	unlink(path);
}

static size_t open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static int connection(void)
{
	int fds[2];

	cr_assert_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	close(fds[0]);
	return fds[1];
}

static const struct conn_origin client = {
	.peer = { .b = { 0x20, 1, [15] = 7 } }, .home = 5,
};

/* A connection with n bytes read that begin with number. */
static void give(struct end *from, uint32_t to, unsigned number, size_t n)
{
	char *bytes = malloc(n);

	for (size_t i = 0; i < n; i++)
		bytes[i] = (char)(i * 7 + number);
	if (n >= sizeof(number))
		memcpy(bytes, &number, sizeof(number));
	handover_send(from->h, to, connection(), &client,
		      (struct slice){ bytes, n });
	free(bytes);
}

static unsigned char sum_of(unsigned number, size_t n)
{
	unsigned char sum = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char b = (unsigned char)(i * 7 + number);

		if (n >= sizeof(number) && i < sizeof(number))
			memcpy(&b, (char *)&number + i, 1);
		sum = (unsigned char)(sum * 31 + (char)b);
	}
	return sum;
}

struct count { struct end *e; size_t n; };

static bool has_events(void *arg)
{
	struct count *c = arg;

	return c->e->n >= c->n;
}

static bool wait_events(struct end *e, size_t n)
{
	struct count c = { e, n };

	return run_until(loop, has_events, &c);
}

#endif
