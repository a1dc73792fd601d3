/* What is known of this host's workers, for the control socket, the admin
 * listener and the log: from the statistics pages and /proc alone, no worker is
 * interrupted for it. What counts up never goes back: the counts of instances
 * that died are kept by slot. */
#ifndef PW_STATUS_H
#define PW_STATUS_H

#include <jansson.h>

#include "common/base/buf.h"

struct conf;
struct instance;
struct listeners;
struct members;
struct supervisor;
struct status;
struct tally;

/* All borrowed; they outlive it (of conf: what counts at a restart only), but the supervisor may come later, with one
 * worker per slot. admin: where the admin listener is; NULL: off. */
struct status *status_new(const struct conf *conf,
			  const struct listeners *listeners, const char *admin,
			  unsigned slots);
void status_free(struct status **s);

const char *status_master_state(const struct supervisor *sup);
const char *status_node(const struct status *s);
int64_t status_uptime_ms(const struct status *s);

/* Keeps what a dead worker counted. */
void status_worker_died(struct status *s, struct instance *i);

/* For another master: since when, and what the dead counted. The caller's. */
json_t *status_save(const struct status *s);
/* Of m's object "status", into a new one with as many slots. */
void status_load(struct status *s, const struct members *m);

/* {"version", "node", "host", "port", "admin", "pid", "boot", "state",
 *  "uptime_ms", "workers", "ready",
 *  "slots": [{"slot", "instance", "pid", "state", "restarts", "uptime_ms",
 *             "heartbeat_age_ms", "lent_to",
 *             "successor": {"instance", "pid", "state", "uptime_ms"} or null,
 *             "stats": {name: value or
 *             {"count", "sum_us", "p50_us", "p99_us"}}}],
 *  "draining": [{"slot", "instance", "pid", "state", "since_ms", "left_ms",
 *                "stats"}]
 *  "totals": {name: value}}
 * state: "starting", "ready", "degraded" (a worker is missing), "stopping".
 * A slot without a worker has state "backoff" and null for what a worker would
 * have. left_ms: until the rest of its clients begin to be closed. Totals:
 * counters since the master's start, dead workers' included; gauges of the
 * workers there are, draining ones included (but for the *_up ones: how many
 * that serve have it). The caller's. */
json_t *status_json(struct status *s, const struct supervisor *sup);

/* /status.json: {"connectedSockets", "onlineUsers", "rooms", "timestamp",
 *  "uptime", "version", "node", "state",
 *  "backends": {name: {"state": "up", "partly" or "down", "workers"}},
 *  "workers": [as slots above], "draining": [as above], "totals"}
 * connectedSockets, rooms: of this host. uptime: seconds. */
json_t *status_page_json(struct status *s, const struct supervisor *sup);

/* /metrics */
void status_metrics(struct status *s, const struct supervisor *sup,
		    struct buf *out);

/* Workers that serve and have this (a gauge of backend_rows.h). One that starts has
 * not got it yet, one that drains may keep it: neither says a thing about it. */
unsigned status_reaching(const struct supervisor *sup, const char *gauge);

/* One line for each thing because of which this host does not serve in full;
 * none: it does.
 *   master=stopping
 *   worker=0 state=backoff
 *   worker=1 backend=redis state=down */
void status_not_ready(const struct supervisor *sup, struct buf *out);

/* The same as "totals". Empty at first; tally_free() it. */
void status_totals(struct status *s, const struct supervisor *sup,
		   struct tally *out);
/* Of totals, users: of the whole cluster while a worker here reaches Redis (it
 * is told with each renewal of a lease), else those connected to this host. */
int64_t status_online(const struct tally *totals);
/* As Socket.IO counts them: one per socket and one per user and worker. */
int64_t status_rooms(const struct tally *totals);

#endif
