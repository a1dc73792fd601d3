/* The supervisor's own state, shared by supervisor.c (life and death) and
 * tend.c (what is looked after on every tick). */
#ifndef PW_SLOT_H
#define PW_SLOT_H

#include "common/conf/conf.h"
#include "master/ids_file.h"
#include "master/supervisor.h"

struct slot {
	struct supervisor *sup;
	unsigned index;
	int listen_fd;			/* borrowed from the listeners */
	struct instance *worker;
	struct timer restart;
	unsigned young_deaths;		/* in a row */
	unsigned restarts;
	int64_t down_ms;		/* monotonic; since when not READY */
	uint32_t lent_to;
	int64_t lent_ms;		/* monotonic; of the last LEND */
};

struct supervisor {
	struct loop *loop;
	const struct conf *conf;
	struct instance_host host;
	struct supervisor_events ev;
	struct slot *slots;
	unsigned n;
	struct ids_file ids;
	struct timer tick;
	int64_t last_tick_ms;
	/* Not before this is a heartbeat counted as old: the master itself
	 * stood still until then. */
	int64_t awake_ms;
	struct timer stop;
	bool stopping;
	bool was_ready;
	/* Died, and no worker has been told yet. */
	uint32_t *dead;
	size_t ndead;
};

#define TICK_MS 200

static inline bool slot_ready(const struct slot *s)
{
	return s->worker != NULL && s->worker->state == INSTANCE_READY;
}

/* Everything that may have become possible or due: stuck workers, listeners to
 * lend or take back, deaths to report. Cheap; called on each tick and each
 * change. */
void supervisor_tend(struct supervisor *s);

#endif
