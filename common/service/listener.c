#include "common/service/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/mem.h"

/* The kernel cuts it to net.core.somaxconn. */
#define BACKLOG 4096
/* What the kernel holds back for a client that does not read; otherwise up to
 * tcp_wmem, megabytes each. What is on its way to one that does is not counted,
 * so this costs no speed. */
#define UNSENT_MAX 65536

struct listeners {
	unsigned n;
	int *fds;
	unsigned port;
	char host[64];
	char name[80];
};

/* A union: the compiler is to know that its parts are one. */
struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} sa;
	socklen_t len;
};

static int resolve(const char *host, unsigned port, struct address *out,
		   char err[LISTENER_ERR_MAX])
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
				  .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *found;
	char service[16];
	int rc;

	snprintf(service, sizeof(service), "%u", port);
	rc = getaddrinfo(host, service, &hints, &found);
	if (rc != 0) {
		snprintf(err, LISTENER_ERR_MAX, "cannot listen on %.100s: %s",
			 host, gai_strerror(rc));
		return -EADDRNOTAVAIL;
	}
	memcpy(&out->sa, found->ai_addr, found->ai_addrlen);
	out->len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

static void set_port(struct address *a, unsigned port)
{
	if (a->sa.any.sa_family == AF_INET6)
		a->sa.v6.sin6_port = htons((uint16_t)port);
	else
		a->sa.v4.sin_port = htons((uint16_t)port);
}

static unsigned get_port(const struct address *a)
{
	return ntohs(a->sa.any.sa_family == AF_INET6 ? a->sa.v6.sin6_port :
						       a->sa.v4.sin_port);
}

/* A bound socket, or -errno. SO_REUSEADDR: connections of an earlier run that
 * are in TIME_WAIT do not hold the port. */
static int bound_socket(const struct address *a, bool share)
{
	int fd = socket(a->sa.any.sa_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1, off = 0, rc;

	if (fd == -1)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
	    (share && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on,
				 sizeof(on)) == -1) ||
	    (a->sa.any.sa_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) == -1) ||
	    bind(fd, &a->sa.any, a->len) == -1) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

/* With SO_REUSEPORT alone two masters of one user would share the port and
 * each get some of the clients. A socket without it cannot be bound while
 * anybody listens there, whatever options he has set. (A port that the system
 * picks is never a shared one.) */
static int probe(const struct address *a)
{
	int fd = bound_socket(a, false);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* Of one that listens already, too: then listen() sets its backlog. */
static int start_listening(int fd)
{
	int unsent = UNSENT_MAX;

	/* Accepted connections inherit it. Not everywhere: then it is not so. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent,
			 sizeof(unsent));
	return listen(fd, BACKLOG) == -1 ? -errno : 0;
}

static int bound_address(int fd, struct address *out)
{
	out->len = sizeof(out->sa);
	return getsockname(fd, &out->sa.any, &out->len) == -1 ?
		       -errno : 0;
}

static int open_slot(struct listeners *l, unsigned slot, struct address *a)
{
	int fd = bound_socket(a, true), rc;

	if (fd < 0)
		return fd;
	l->fds[slot] = fd;
	rc = start_listening(fd);
	if (rc == 0 && get_port(a) == 0)
		rc = bound_address(fd, a);
	return rc;
}

static void describe(struct listeners *l, const struct address *a)
{
	bool v6 = a->sa.any.sa_family == AF_INET6;

	l->port = get_port(a);
	if (getnameinfo(&a->sa.any, a->len, l->host,
			sizeof(l->host), NULL, 0, NI_NUMERICHOST) != 0)
		snprintf(l->host, sizeof(l->host), "?");
	snprintf(l->name, sizeof(l->name), "%s%s%s:%u", v6 ? "[" : "", l->host,
		 v6 ? "]" : "", l->port);
}

static void explain(const struct listeners *l, int rc,
		    char err[LISTENER_ERR_MAX])
{
	if (rc == -EADDRINUSE)
		snprintf(err, LISTENER_ERR_MAX,
			 "cannot listen on %s: another program listens there",
			 l->name);
	else if (rc == -EACCES)
		snprintf(err, LISTENER_ERR_MAX,
			 "cannot listen on %s: %s (ports below 1024 need "
			 "CAP_NET_BIND_SERVICE)", l->name, strerror(-rc));
	else
		snprintf(err, LISTENER_ERR_MAX, "cannot listen on %s: %s",
			 l->name, strerror(-rc));
}

static struct listeners *new_listeners(unsigned slots)
{
	struct listeners *l = mem_zalloc(sizeof(*l));

	l->n = slots;
	l->fds = mem_alloc(slots * sizeof(*l->fds));
	for (unsigned i = 0; i < slots; i++)
		l->fds[i] = -1;
	return l;
}

int listeners_open(const char *host, unsigned port, unsigned slots,
		   struct listeners **out, char err[LISTENER_ERR_MAX])
{
	struct listeners *l;
	struct address a = { .len = 0 };
	int rc = resolve(host, port, &a, err);

	if (rc != 0)
		return rc;
	l = new_listeners(slots);
	set_port(&a, port);
	describe(l, &a);
	if (port != 0)
		rc = probe(&a);
	for (unsigned i = 0; rc == 0 && i < slots; i++)
		rc = open_slot(l, i, &a);
	if (rc != 0) {
		explain(l, rc, err);
		listeners_close(&l);
		return rc;
	}
	describe(l, &a);
	*out = l;
	return 0;
}

/* --- sockets that others opened --- */

static bool same_address(const struct address *a, const struct address *b)
{
	const struct sockaddr_in6 *a6 = &a->sa.v6, *b6 = &b->sa.v6;

	if (a->sa.any.sa_family != b->sa.any.sa_family ||
	    get_port(a) != get_port(b))
		return false;
	if (a->sa.any.sa_family == AF_INET6)
		return memcmp(&a6->sin6_addr, &b6->sin6_addr,
			      sizeof(a6->sin6_addr)) == 0 &&
		       a6->sin6_scope_id == b6->sin6_scope_id;
	return a->sa.v4.sin_addr.s_addr == b->sa.v4.sin_addr.s_addr;
}

/* NULL, or what it is not. */
static const char *unlike_ours(int fd, struct address *out)
{
	static const struct {
		int option, value;
		const char *otherwise;
	} wanted[] = {
		{ SO_TYPE, SOCK_STREAM, "is not a stream socket" },
		{ SO_PROTOCOL, IPPROTO_TCP, "is not of TCP" },
		{ SO_ACCEPTCONN, 1, "does not listen" },
		{ SO_REUSEPORT, 1, "has no SO_REUSEPORT (in a unit: "
				   "ReusePort=yes)" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		int value = 0;
		socklen_t len = sizeof(value);

		if (getsockopt(fd, SOL_SOCKET, wanted[i].option, &value,
			       &len) == -1)
			return "is not a socket";
		if (value != wanted[i].value)
			return wanted[i].otherwise;
	}
	return bound_address(fd, out) == 0 ? NULL : "has no address";
}

static int adopt(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) == -1)
		return -errno;
	return start_listening(fd);
}

int listeners_take(const int *fds, unsigned n, struct listeners **out,
		   char err[LISTENER_ERR_MAX])
{
	struct listeners *l;
	struct address first = { .len = 0 }, a = first;

	for (unsigned i = 0; i < n; i++) {
		const char *why = unlike_ours(fds[i], &a);
		int rc = why == NULL ? adopt(fds[i]) : -EINVAL;

		if (i == 0)
			first = a;
		if (why == NULL && rc != 0)
			why = strerror(-rc);
		else if (why == NULL && !same_address(&first, &a))
			why = "is not on the first one's address and port";
		if (why != NULL) {
			snprintf(err, LISTENER_ERR_MAX,
				 "listening socket %u of %u %s", i + 1, n, why);
			return rc != 0 ? rc : -EINVAL;
		}
	}
	l = new_listeners(n);
	memcpy(l->fds, fds, n * sizeof(*fds));
	describe(l, &first);
	*out = l;
	return 0;
}

bool listeners_fits(int fd, const char *host, unsigned *port)
{
	struct address is, wanted = { .len = 0 };
	char err[LISTENER_ERR_MAX];

	if (unlike_ours(fd, &is) != NULL || resolve(host, *port, &wanted, err) != 0)
		return false;
	set_port(&wanted, *port != 0 ? *port : get_port(&is));
	if (!same_address(&is, &wanted))
		return false;
	*port = get_port(&is);
	return true;
}

int listeners_complete(const char *host, unsigned port, const int *there,
		       unsigned slots, struct listeners **out,
		       char err[LISTENER_ERR_MAX])
{
	struct listeners *l;
	struct address a = { .len = 0 };
	int rc = resolve(host, port, &a, err);

	if (rc != 0)
		return rc;
	l = new_listeners(slots);
	set_port(&a, port);
	describe(l, &a);
	for (unsigned i = 0; rc == 0 && i < slots; i++)
		rc = there[i] != -1 ? adopt(there[i]) : open_slot(l, i, &a);
	if (rc != 0) {
		explain(l, rc, err);
		listeners_close(&l);
		return rc;
	}
	for (unsigned i = 0; i < slots; i++)
		if (there[i] != -1)
			l->fds[i] = there[i];
	*out = l;
	return 0;
}

void listeners_close(struct listeners **lp)
{
	struct listeners *l = *lp;

	if (l == NULL)
		return;
	for (unsigned i = 0; i < l->n; i++)
		if (l->fds[i] != -1)
			close(l->fds[i]);
	free(l->fds);
	free(l);
	*lp = NULL;
}

int listeners_fd(const struct listeners *l, unsigned slot)
{
	return l->fds[slot];
}

unsigned listeners_port(const struct listeners *l)
{
	return l->port;
}

const char *listeners_host(const struct listeners *l)
{
	return l->host;
}

const char *listeners_name(const struct listeners *l)
{
	return l->name;
}
