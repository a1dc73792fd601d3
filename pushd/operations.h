/* What people and machines see of a running pushd: /metrics, /healthz and
 * /readyz, systemd's status and watchdog, a line in the log now and then. Loop
 * thread only. */
#ifndef PW_PUSHD_OPERATIONS_H
#define PW_PUSHD_OPERATIONS_H

#include "common/service/admin.h"

struct conf;
struct delivery;
struct loop;
struct operations;
struct push_consumer;

/* Binds pushd_listen. conf is borrowed. 0, or -errno with one line in err. */
int operations_new(const struct conf *conf, struct operations **out,
		   char err[ADMIN_ERR_MAX]) MUST_CHECK;
/* Serves, and feeds the watchdog as long as the loop turns and what is in flight
 * moves. Both are borrowed. */
void operations_start(struct operations *o, struct loop *l,
		      const struct delivery *d, const struct push_consumer *queue);
/* /readyz says so from now on. */
void operations_stopping(struct operations *o);
/* Before what it watches. NULLs *o. */
void operations_free(struct operations **o);
/* "127.0.0.1:3003"; NULL: off. */
const char *operations_address(const struct operations *o);

#endif
