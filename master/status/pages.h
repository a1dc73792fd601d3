/* What the master's admin listener answers:
 *   /metrics      Prometheus
 *   /status.json  numbers for people and scripts (status.h)
 *   /healthz      200 while the master's loop turns
 *   /readyz       200 when every slot serves and reaches all backends, else
 *                 503 with a line for each that does not */
#ifndef PW_PAGES_H
#define PW_PAGES_H

#include "common/base/base.h"

struct admin;
struct loop;
struct status;
struct supervisor;

struct pages {
	struct status *status;
	const struct supervisor *sup;
};
/* All borrowed. */
void pages_start(struct pages *p, struct admin *a, struct loop *l);

#endif
