/* A TCP connection to a host: its name is looked up, then its addresses are tried
 * in turn, each for its share of the time that is left. Loop thread only. */
#ifndef PW_PUSHD_H2_DIAL_H
#define PW_PUSHD_H2_DIAL_H

struct h2_dial;
struct loop;

/* Once, never before h2_dial_start() returns. fd: connected, non-blocking, the
 * callee's; or -1, and why says why not, borrowed until return. */
typedef void h2_dial_cb(void *arg, int fd, const char *why);
/* host is copied. Frees itself once cb returned: forget the pointer in cb. */
struct h2_dial *h2_dial_start(struct loop *l, const char *host, unsigned port,
			      unsigned timeout_ms, h2_dial_cb *cb, void *arg);
/* cb will not run. NULLs *d; harmless when NULL. */
void h2_dial_cancel(struct h2_dial **d);

#endif
