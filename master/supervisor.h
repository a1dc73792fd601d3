/* Keeps one worker serving on every slot: starts them, restarts the dead
 * (at once, with backoff when they die young again and again), kills the stuck,
 * lends the listener of a slot without a worker to a neighbour, and stops all.
 * Loop thread only. */
#ifndef PW_SUPERVISOR_H
#define PW_SUPERVISOR_H

#include "common/base/base.h"
#include "master/instance.h"

struct conf;
struct listeners;
struct supervisor;

struct supervisor_events {
	/* Every slot has a READY worker, for the first time. */
	void (*ready)(void *arg);
	/* After supervisor_stop(): no worker is left. */
	void (*stopped)(void *arg);
	void (*answer)(void *arg, struct instance *i, uint32_t query,
		       struct slice json);
	/* i is dead and about to be freed; its page can still be read. */
	void (*died)(void *arg, struct instance *i);
	void *arg;
};

/* conf, listeners and worker_path are borrowed and outlive it. workers: as
 * many as there are listeners. Starts the workers. 0 or -errno. */
int supervisor_new(struct loop *l, const struct conf *conf,
		   const struct listeners *listeners, unsigned workers,
		   const char *worker_path, const struct supervisor_events *ev,
		   struct supervisor **out) MUST_CHECK;
/* Kills and waits for what still runs. NULLs *s. */
void supervisor_free(struct supervisor **s);

/* STOP to all; what is left after stop_timeout is killed. Called again: all
 * are killed now. stopped() follows. */
void supervisor_stop(struct supervisor *s);

struct slot_view {
	struct instance *worker;	/* NULL: none, waiting to be restarted */
	unsigned restarts;		/* since the master's start */
	uint32_t lent_to;		/* instance that accepts for it; 0: none */
};
unsigned supervisor_slots(const struct supervisor *s);
void supervisor_slot(const struct supervisor *s, unsigned slot,
		     struct slot_view *out);
unsigned supervisor_ready(const struct supervisor *s);
bool supervisor_started(const struct supervisor *s);	/* all were READY once */
bool supervisor_stopping(const struct supervisor *s);
/* Hexadecimal, random per master's start. */
const char *supervisor_boot(const struct supervisor *s);

#endif
