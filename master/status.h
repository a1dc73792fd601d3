/* What `pairwirectl status` shows, from the statistics pages alone: no worker
 * is interrupted for it. */
#ifndef PW_STATUS_H
#define PW_STATUS_H

#include <jansson.h>

struct conf;
struct instance;
struct listeners;
struct supervisor;
struct status;

/* All borrowed; they outlive it, but the supervisor may come later. */
struct status *status_new(const struct conf *conf,
			  const struct listeners *listeners);
void status_free(struct status **s);

/* Keeps a dead worker's counters, so that totals do not go back. */
void status_worker_died(struct status *s, struct instance *i);

/* {"version", "node", "host", "port", "pid", "boot", "state", "uptime_ms",
 *  "workers", "ready",
 *  "slots": [{"slot", "instance", "pid", "state", "restarts", "uptime_ms",
 *             "heartbeat_age_ms", "lent_to", "stats": {name: value or
 *             {"count", "sum_us", "p50_us", "p99_us"}}}],
 *  "totals": {name: value}}
 * state: "starting", "ready", "degraded" (a worker is missing), "stopping".
 * A slot without a worker has state "backoff" and null for what a worker would
 * have. Totals: counters since the master's start, dead workers' included;
 * gauges of the workers there are (the *_up ones: how many have it). The
 * caller's. */
json_t *status_json(struct status *s, const struct supervisor *sup);

#endif
