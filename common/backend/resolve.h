/* Host names to addresses, without blocking the loop. The system's resolver
 * (nsswitch, /etc/hosts, DNS) is asked on a thread of its own per look-up:
 * there is one per connection attempt at most, and one that hangs is left
 * behind, so neither the loop nor the end of the process waits for DNS. */
#ifndef PW_RESOLVE_H
#define PW_RESOLVE_H

#include "common/base/base.h"

struct loop;
struct resolve;

#define RESOLVE_MAX 8		/* addresses kept of one name */
#define RESOLVE_ADDR_LEN 64	/* text with scope ("fe80::1%eth0") and NUL */

struct resolved {
	int n;
	char addr[RESOLVE_MAX][RESOLVE_ADDR_LEN];	/* in the system's order */
};

/* True if host is an IPv4 or IPv6 address already. */
bool resolve_is_numeric(const char *host);
/* Once, never before resolve_start() returns. err is an EAI_* code; 0: addrs
 * holds at least one, borrowed until return. */
typedef void resolve_cb(void *arg, int err, const struct resolved *addrs);
/* host is copied. Frees itself once cb returned: forget the pointer in cb. */
struct resolve *resolve_start(struct loop *l, const char *host, resolve_cb *cb,
			      void *arg);
/* cb will not run. NULLs *r; harmless when NULL. */
void resolve_cancel(struct resolve **r);

#endif
