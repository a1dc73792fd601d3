#include "bench/target.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 200

/* Splits "host:port", "[v6]:port" or either without a port. */
static int split_authority(const char *p, size_t n, char *name, char *port)
{
	const char *end = p + n;
	const char *name_end, *colon;

	if (n > 0 && p[0] == '[') {
		p++;
		name_end = memchr(p, ']', n - 1);
		if (name_end == NULL)
			return -EINVAL;
		colon = name_end + 1;
	} else {
		colon = memchr(p, ':', n);
		name_end = colon != NULL ? colon : end;
		colon = name_end;
	}
	if (name_end == p || name_end - p > NAME_MAX_LEN)
		return -EINVAL;
	snprintf(name, NAME_MAX_LEN + 1, "%.*s", (int)(name_end - p), p);
	if (colon == end) {
		snprintf(port, 6, "80");
		return 0;
	}
	n = (size_t)(end - colon) - 1;
	if (*colon != ':' || n == 0 || n > 5)
		return -EINVAL;
	for (size_t i = 1; i <= n; i++) {
		if (colon[i] < '0' || colon[i] > '9')
			return -EINVAL;
	}
	snprintf(port, 6, "%.*s", (int)n, colon + 1);
	return atoi(port) > 0 && atoi(port) <= 65535 ? 0 : -EINVAL;
}

static int parse_url(const char *url, char *name, char *port, char err[256])
{
	const char *rest = NULL;
	size_t n;

	if (strncmp(url, "http://", 7) == 0)
		rest = url + 7;
	else if (strncmp(url, "ws://", 5) == 0)
		rest = url + 5;
	if (rest == NULL) {
		snprintf(err, 256, "%.150s: only http:// URLs are spoken here "
			 "(TLS ends at the load balancer)", url);
		return -EINVAL;
	}
	n = strcspn(rest, "/?#");
	if ((rest[n] != '\0' && strcmp(rest + n, "/") != 0) ||
	    split_authority(rest, n, name, port) != 0) {
		snprintf(err, 256, "%.180s: not a URL like http://host:port", url);
		return -EINVAL;
	}
	return 0;
}

int target_resolve(const char *url, struct target *out, char err[256])
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC,
				  .ai_socktype = SOCK_STREAM };
	char name[NAME_MAX_LEN + 1], port[6];
	struct target t = { .naddrs = 0 };
	struct addrinfo *found = NULL;
	int rc;

	if (parse_url(url, name, port, err) != 0)
		return -EINVAL;
	rc = getaddrinfo(name, port, &hints, &found);
	if (rc != 0) {
		snprintf(err, 256, "cannot find host %s: %s", name,
			 gai_strerror(rc));
		return -EHOSTUNREACH;
	}
	for (const struct addrinfo *a = found;
	     a != NULL && t.naddrs < TARGET_ADDRS; a = a->ai_next) {
		memcpy(&t.addrs[t.naddrs].sa, a->ai_addr, a->ai_addrlen);
		t.addrs[t.naddrs++].len = a->ai_addrlen;
	}
	freeaddrinfo(found);
	snprintf(t.host, sizeof(t.host),
		 strchr(name, ':') != NULL ? "[%s]:%s" : "%s:%s", name, port);
	*out = t;
	return 0;
}

int target_from(struct target *t, const char *addr)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC,
				  .ai_socktype = SOCK_STREAM,
				  .ai_flags = AI_NUMERICHOST };
	struct addrinfo *found = NULL;

	if (getaddrinfo(addr, NULL, &hints, &found) != 0)
		return -EINVAL;
	memcpy(&t->from, found->ai_addr, found->ai_addrlen);
	t->from_len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

void target_addr_text(const struct target *t, unsigned i, char *out, size_t size)
{
	char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";

	getnameinfo((const struct sockaddr *)&t->addrs[i].sa, t->addrs[i].len,
		    host, sizeof(host), port, sizeof(port),
		    NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(out, size, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s",
		 host, port);
}
