/* What happened to a message on this host: the flight recorders of its workers
 * (common/ipc/stats.h), and of the last worker that died in each slot. They hold
 * the newest 65,536 events a worker, in memory: what is older is forgotten. No
 * worker is interrupted for it. */
#ifndef PW_EXPLAIN_H
#define PW_EXPLAIN_H

#include <jansson.h>

#include "common/base/base.h"

struct explain;
struct instance;
struct members;
struct supervisor;

struct explain *explain_new(unsigned slots);
void explain_free(struct explain **e);
/* Keeps its page, in place of that of the one before it in the slot. */
void explain_worker_died(struct explain *e, const struct instance *i);
/* For another master: the pages kept. The caller's. */
json_t *explain_save(const struct explain *e);
/* Of m's object "explain". Takes the descriptors; a page that is unknown to us is
 * forgotten. */
void explain_load(struct explain *e, const struct members *m);
/* 24 hexadecimal digits. */
bool explain_is_id(const char *id);
/* {"id", "events": [{"time", "us", "event", "slot", "instance", "alive", and
 *  "after_arrival_us", "instances" or "devices"}]}, sorted by time. time and us
 * (since the epoch) say the same; alive: that worker still runs. The caller's. */
json_t *explain_json(struct explain *e, const struct supervisor *sup,
		     const char *id);

#endif
