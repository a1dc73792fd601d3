/* Listening sockets that others opened. */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/service/listener.h"

static char err[LISTENER_ERR_MAX];

/* Bound to 127.0.0.1. */
static int make(int type, bool share, bool listening, unsigned port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port),
				  .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, type, 0), on = share;

	cr_assert_geq(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	cr_assert_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	if (listening)
		cr_assert_eq(listen(fd, 1), 0);
	return fd;
}

static int good(unsigned port)
{
	return make(SOCK_STREAM, true, true, port);
}

static unsigned port_of(int fd)
{
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);

	cr_assert_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	return ntohs(sa.sin_port);
}

static void expect_ours(int fd)
{
	int unsent = 0;
	socklen_t len = sizeof(unsent);

	cr_expect(fcntl(fd, F_GETFL) & O_NONBLOCK);
	cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	getsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, &len);
	cr_expect_eq(unsent, 65536);
}

/* The queue of listen(fd, 1) takes two. */
static void expect_backlog(unsigned port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port),
				  .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct timeval limit = { .tv_sec = 2 };

	for (int i = 0; i < 12; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
		cr_expect_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0,
			     "connection %d", i);
	}
}

Test(listeners, take_what_listens)
{
	struct listeners *l = NULL;
	int fds[2] = { good(0) };

	fds[1] = good(port_of(fds[0]));
	cr_assert_eq(listeners_take(fds, 2, &l, err), 0, "%s", err);
	cr_expect_eq(listeners_fd(l, 0), fds[0]);
	cr_expect_eq(listeners_fd(l, 1), fds[1]);
	cr_expect_eq(listeners_port(l), port_of(fds[0]));
	cr_expect_str_eq(listeners_host(l), "127.0.0.1");
	expect_ours(fds[0]);
	expect_ours(fds[1]);
	expect_backlog(listeners_port(l));
	listeners_close(&l);
	cr_expect_eq(fcntl(fds[0], F_GETFD), -1, "it was theirs");
}

Test(listeners, take_nothing_else)
{
	const struct {
		int fd;
		const char *why;
	} table[] = {
		{ open("/dev/null", O_RDONLY), "is not a socket" },
		{ 987, "is not a socket" },
		{ make(SOCK_DGRAM, true, false, 0), "is not a stream socket" },
		{ socket(AF_UNIX, SOCK_STREAM, 0), "is not of TCP" },
		{ make(SOCK_STREAM, true, false, 0), "does not listen" },
		{ make(SOCK_STREAM, false, true, 0), "has no SO_REUSEPORT" },
		{ good(0), "is not on the first one's address and port" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct listeners *l = NULL;
		int fds[2] = { good(0), table[i].fd };

		cr_assert_lt(listeners_take(fds, 2, &l, err), 0, "%s",
			     table[i].why);
		cr_expect_null(l);
		cr_expect_not_null(strstr(err, "listening socket 2 of 2 "), "%s",
				   err);
		cr_expect_not_null(strstr(err, table[i].why), "%s", err);
		cr_expect_neq(fcntl(fds[0], F_GETFD), -1, "it stays ours");
		close(fds[0]);
	}
}

Test(listeners, fit_an_address)
{
	struct sockaddr_in6 all = { .sin6_family = AF_INET6 };
	int fd = good(0), v6 = socket(AF_INET6, SOCK_STREAM, 0), on = 1;
	unsigned port = port_of(fd), other = port == 1 ? 2 : port - 1, any = 0;

	setsockopt(v6, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	cr_assert_eq(bind(v6, (struct sockaddr *)&all, sizeof(all)), 0);
	cr_assert_eq(listen(v6, 1), 0);
	cr_expect(listeners_fits(fd, "127.0.0.1", &port));
	cr_expect_not(listeners_fits(fd, "127.0.0.1", &other));
	cr_expect_not(listeners_fits(fd, "0.0.0.0", &port));
	cr_expect_not(listeners_fits(fd, "::", &port));
	cr_expect_not(listeners_fits(fd, "no such host.", &port));
	cr_expect_not(listeners_fits(0, "127.0.0.1", &port));
	cr_expect(listeners_fits(fd, "127.0.0.1", &any));
	cr_expect_eq(any, port);
	any = 0;
	cr_expect(listeners_fits(v6, "::", &any));
	cr_expect_not(listeners_fits(v6, "::1", &any));
}

Test(listeners, complete_what_is_there)
{
	struct listeners *l = NULL;
	int there[3] = { -1, good(0), -1 };
	unsigned port = port_of(there[1]);

	cr_assert_eq(listeners_complete("127.0.0.1", port, there, 3, &l, err), 0,
		     "%s", err);
	cr_expect_eq(listeners_fd(l, 1), there[1]);
	for (unsigned i = 0; i < 3; i++) {
		cr_expect_eq(port_of(listeners_fd(l, i)), port);
		expect_ours(listeners_fd(l, i));
	}
	listeners_close(&l);
}

Test(listeners, do_not_complete_a_foreign_address)
{
	struct listeners *l = NULL;
	int there[2] = { -1, good(0) };
	int theirs = make(SOCK_STREAM, false, true, 0);

	cr_assert_lt(listeners_complete("127.0.0.1", port_of(theirs), there, 2,
					&l, err), 0);
	cr_expect_not_null(strstr(err, "another program listens there"), "%s", err);
	cr_expect_neq(fcntl(there[1], F_GETFD), -1, "it stays ours");
}
