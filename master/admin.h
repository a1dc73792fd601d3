/* The admin listener: how monitoring sees this host, by HTTP. GET and HEAD of
 *   /metrics      Prometheus
 *   /status.json  numbers for people and scripts (status.h)
 *   /healthz      200 while the master's loop turns
 *   /readyz       200 when every slot serves and reaches all backends, else
 *                 503 with a line for each that does not
 * Nobody is asked who he is: it listens on loopback unless told otherwise. */
#ifndef PW_ADMIN_H
#define PW_ADMIN_H

#include "common/base/base.h"

#define ADMIN_ERR_MAX 320

struct admin;
struct loop;
struct status;
struct supervisor;

/* Binds HOST:PORT (conf_host_port()); port 0: a free one. 0, or -errno with one
 * line in err. */
int admin_new(const char *address, struct admin **out, char err[ADMIN_ERR_MAX])
	MUST_CHECK;
/* Answers from now on. All borrowed. */
void admin_start(struct admin *a, struct loop *l, struct status *status,
		 const struct supervisor *sup);
/* NULLs *a. */
void admin_free(struct admin **a);

/* "127.0.0.1:3002"; NULL for NULL. */
const char *admin_name(const struct admin *a);

#endif
