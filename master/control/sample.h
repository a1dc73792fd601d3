/* What `pairwirectl top` is drawn from: a small picture of this host, taken each
 * second. Rates are the reader's to make, from two of them. */
#ifndef PW_SAMPLE_H
#define PW_SAMPLE_H

#include <jansson.h>

struct status;
struct supervisor;

/* {"version", "node", "state", "uptime_ms", "mono_us", "slots", "ready",
 *  "online" (in the cluster),
 *  "backends": [{"name", "workers" (how many have it), "up" (of them)}],
 *  "bounds_us": [where histograms are cut],
 *  "workers": [{"slot", "instance", "pid", "state", "uptime_ms", "left_ms",
 *    "connections", "sessions_polling", "users", "messages_accepted",
 *    "messages_emitted", "cpu_us", "rss",
 *    "store_us", "confirm_us": [count, how many were below each bound]}]}
 * workers: also successors and those that drain, whose left_ms is when the rest
 * of their clients begin to be closed; a slot without one has state "backoff"
 * and nothing else. cpu_us and rss are missing when the process is gone. state,
 * slots, ready as in status_json(). The caller's. */
json_t *sample_json(struct status *s, const struct supervisor *sup);

#endif
