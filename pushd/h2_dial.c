#include "pushd/h2_dial.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/backend/resolve.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"

struct h2_dial {
	struct loop *loop;
	h2_dial_cb *cb;
	void *arg;
	char port[8];
	int64_t end_ms;		/* monotonic */
	struct resolve *resolve;
	struct resolved addrs;
	int next;		/* of addrs */
	struct io io;		/* of the address that is tried */
	int fd;			/* -1: none */
	struct timer timer;	/* its time is over; or: start */
};

static void try_next(struct h2_dial *d, const char *why);

static void dial_free(struct h2_dial *d)
{
	resolve_cancel(&d->resolve);
	timer_free(&d->timer);
	io_free(&d->io);
	if (d->fd != -1)
		close(d->fd);
	free(d);
}

static void finish(struct h2_dial *d, const char *why)
{
	int fd = d->fd;

	d->fd = -1;
	io_free(&d->io);
	d->cb(d->arg, fd, why);
	dial_free(d);
}

static void give_up_address(struct h2_dial *d, const char *why)
{
	io_free(&d->io);
	close(d->fd);
	d->fd = -1;
	try_next(d, why);
}

static void on_connected(void *arg, int what)
{
	struct h2_dial *d = arg;
	int err = 0;
	socklen_t n = sizeof(err);

	(void)what;
	if (getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &err, &n) == -1)
		err = errno;
	if (err == 0)
		finish(d, NULL);
	else
		give_up_address(d, strerror(err));
}

/* A peer that vanished without a word is noticed even while nothing is sent. */
static void set_socket_options(int fd)
{
	const int on = 1, idle = 60, interval = 15, count = 4;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

/* 0: under way; or -errno. */
static int connect_to(struct h2_dial *d, const char *addr)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
					.ai_socktype = SOCK_STREAM };
	struct addrinfo *ai;
	int rc = 0;

	if (getaddrinfo(addr, d->port, &hints, &ai) != 0)
		return -EINVAL;
	d->fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (d->fd == -1 || (connect(d->fd, ai->ai_addr, ai->ai_addrlen) == -1 &&
			    errno != EINPROGRESS))
		rc = -errno;
	freeaddrinfo(ai);
	if (rc != 0 && d->fd != -1) {
		close(d->fd);
		d->fd = -1;
	}
	return rc;
}

/* why: what became of the one before. */
static void try_next(struct h2_dial *d, const char *why)
{
	int64_t left = d->end_ms - clock_mono_ms();

	while (d->next < d->addrs.n) {
		int rc = connect_to(d, d->addrs.addr[d->next++]);

		if (rc != 0) {
			why = strerror(-rc);
			continue;
		}
		set_socket_options(d->fd);
		io_init(&d->io, d->loop, d->fd, on_connected, d);
		io_watch(&d->io, IO_WRITE);
		timer_arm(&d->timer, left / (d->addrs.n - d->next + 1));
		return;
	}
	finish(d, why);
}

static void on_resolved(void *arg, int err, const struct resolved *addrs)
{
	struct h2_dial *d = arg;
	char why[128];

	d->resolve = NULL;
	if (err != 0) {
		snprintf(why, sizeof(why), "look-up of the name: %s", gai_strerror(err));
		finish(d, why);
		return;
	}
	d->addrs = *addrs;
	try_next(d, NULL);
}

static void on_timer(void *arg)
{
	struct h2_dial *d = arg;

	if (d->fd != -1)
		give_up_address(d, "no connection in time");
	else
		try_next(d, NULL);
}

struct h2_dial *h2_dial_start(struct loop *l, const char *host, unsigned port,
			      unsigned timeout_ms, h2_dial_cb *cb, void *arg)
{
	struct h2_dial *d = mem_zalloc(sizeof(*d));

	d->loop = l;
	d->cb = cb;
	d->arg = arg;
	d->fd = -1;
	d->end_ms = clock_mono_ms() + timeout_ms;
	snprintf(d->port, sizeof(d->port), "%u", port);
	timer_init(&d->timer, l, on_timer, d);
	if (resolve_is_numeric(host)) {
		d->addrs.n = 1;
		snprintf(d->addrs.addr[0], sizeof(d->addrs.addr[0]), "%s", host);
		timer_arm(&d->timer, 0);
	} else {
		d->resolve = resolve_start(l, host, on_resolved, d);
	}
	return d;
}

void h2_dial_cancel(struct h2_dial **dp)
{
	if (*dp != NULL)
		dial_free(*dp);
	*dp = NULL;
}
