/* Cells of tables with a row per worker process, as status and workers have. */
#ifndef PW_CTL_WORKER_CELLS_H
#define PW_CTL_WORKER_CELLS_H

#include <jansson.h>

#include "ctl/table.h"

/* slot, instance, pid, state and uptime; five cells. The state of one that
 * drains also has how long its clients may stay. */
void worker_cells(struct table *t, const json_t *worker);
#define WORKER_HEADS ">slot", ">instance", ">pid", "state", ">uptime"

#endif
