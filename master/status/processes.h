/* The worker processes of this host as JSON, from their statistics pages and
 * /proc. All are the caller's. */
#ifndef PW_PROCESSES_H
#define PW_PROCESSES_H

#include <jansson.h>

#include "common/base/base.h"

struct instance;
struct supervisor;

/* The members "slots" and "draining" of status_json(). */
json_t *processes_slots(const struct supervisor *sup);
json_t *processes_draining(const struct supervisor *sup);

/* {"workers": [{"slot", "instance", "pid", "state", "uptime_ms", "left_ms",
 *  "connections", "users", "cpu_us", "rss_bytes"}]}, by slot: its worker, its
 * successor, those of it that drain. null: not known, or not there; left_ms:
 * until a draining one begins to close the rest of its clients. */
json_t *processes_json(const struct supervisor *sup);

/* Since its loop said that it turns; -1: not known. i may be NULL. */
int64_t processes_heartbeat_age_ms(struct instance *i);

#endif
