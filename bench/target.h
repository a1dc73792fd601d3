/* The server a client connects to: a URL and the addresses behind its name. */
#ifndef PW_BENCH_TARGET_H
#define PW_BENCH_TARGET_H

#include <sys/socket.h>

#include "common/base/base.h"

#define TARGET_ADDRS 8

struct target {
	char host[256];		/* as a Host field says it: "name:3001", "[::1]:3001" */
	struct {
		struct sockaddr_storage sa;
		socklen_t len;
	} addrs[TARGET_ADDRS];
	unsigned naddrs;	/* at least 1 */
	unsigned preferred;	/* the address that worked last */
	struct sockaddr_storage from;	/* target_from() */
	socklen_t from_len;	/* 0: from any address */
};

/* "http://host[:port][/]" or "ws://…"; the Engine.IO path is always
 * /socket.io/. Looks the name up, which blocks: not to be called from the loop.
 * 0, -EINVAL or -EHOSTUNREACH with a message in err. */
int target_resolve(const char *url, struct target *out, char err[256]) MUST_CHECK;
/* Connect from this address of the machine, in digits. An address has 28,000
 * ports for one server, and is slow to find one when half of them are taken. 0
 * or -EINVAL. */
int target_from(struct target *t, const char *addr) MUST_CHECK;
/* "127.0.0.1:3001" */
void target_addr_text(const struct target *t, unsigned i, char *out, size_t size);

#endif
