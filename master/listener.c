#include "master/listener.h"

#include <errno.h>
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

struct address {
	struct sockaddr_storage sa;
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
	if (a->sa.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&a->sa)->sin6_port = htons((uint16_t)port);
	else
		((struct sockaddr_in *)&a->sa)->sin_port = htons((uint16_t)port);
}

static unsigned get_port(const struct address *a)
{
	if (a->sa.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)&a->sa)->sin6_port);
	return ntohs(((const struct sockaddr_in *)&a->sa)->sin_port);
}

/* A bound socket, or -errno. SO_REUSEADDR: connections of an earlier run that
 * are in TIME_WAIT do not hold the port. */
static int bound_socket(const struct address *a, bool share)
{
	int fd = socket(a->sa.ss_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1, off = 0, rc;

	if (fd == -1)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
	    (share && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on,
				 sizeof(on)) == -1) ||
	    (a->sa.ss_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) == -1) ||
	    bind(fd, (const struct sockaddr *)&a->sa, a->len) == -1) {
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

static int open_slot(struct listeners *l, unsigned slot, struct address *a)
{
	int fd = bound_socket(a, true), unsent = UNSENT_MAX;

	if (fd < 0)
		return fd;
	l->fds[slot] = fd;
	/* Accepted connections inherit it. Not everywhere: then it is not so. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent,
			 sizeof(unsent));
	if (listen(fd, BACKLOG) == -1)
		return -errno;
	if (get_port(a) == 0 &&
	    getsockname(fd, (struct sockaddr *)&a->sa, &a->len) == -1)
		return -errno;
	return 0;
}

static void describe(struct listeners *l, const struct address *a)
{
	bool v6 = a->sa.ss_family == AF_INET6;

	l->port = get_port(a);
	if (getnameinfo((const struct sockaddr *)&a->sa, a->len, l->host,
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

int listeners_open(const char *host, unsigned port, unsigned slots,
		   struct listeners **out, char err[LISTENER_ERR_MAX])
{
	struct listeners *l;
	struct address a = { .len = 0 };
	int rc = resolve(host, port, &a, err);

	if (rc != 0)
		return rc;
	l = mem_zalloc(sizeof(*l));
	l->n = slots;
	l->fds = mem_alloc(slots * sizeof(*l->fds));
	for (unsigned i = 0; i < slots; i++)
		l->fds[i] = -1;
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
