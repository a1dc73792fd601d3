/* The supervisor's own state, and what its files are to each other:
 *   supervisor.c     life of the whole: start, stop, what others may see
 *   restart.c        a slot's worker: started, and started again
 *   replace.c        a successor for it, and what becomes of who was there
 *   replace_all.c    the same for all slots, or for none
 *   reap.c           who died, and what that means to the slot
 *   dues.c           what a worker must be told, now or when it listens
 *   tend.c           what is looked after on every tick
 *   older.c          what workers have not got of configuration and program
 *   saved_workers.c  all of it as JSON, over an exec */
#ifndef PW_SLOT_H
#define PW_SLOT_H

#include "common/conf/conf.h"
#include "master/workers/ids_file.h"
#include "master/workers/supervisor.h"

struct replacement {
	supervisor_replaced done;	/* NULL: it is not being replaced */
	void *arg;
	int64_t grace_ms;
	const char *why;		/* the successor was given up; or NULL */
	bool together;			/* a part of replace_all */
};

struct replace_all {
	supervisor_replaced_all done;
	void *arg;
	unsigned left;			/* slots; 0: none is running */
	char error[160];		/* "": going well */
};

struct slot {
	struct supervisor *sup;
	unsigned index;
	int listen_fd;			/* borrowed from the listeners */
	struct instance *worker;
	struct instance *successor;	/* is to take its place once READY */
	struct replacement replacement;
	struct timer restart;
	unsigned young_deaths;		/* in a row */
	unsigned restarts;
	int64_t down_ms;		/* monotonic; since when not READY */
	uint32_t lent_to;
	int64_t lent_ms;		/* monotonic; of the last LEND */
};

struct log_order {
	int level;
	char *area;
};

struct supervisor {
	struct loop *loop;
	const struct conf *conf;
	struct instance_host host;
	struct supervisor_events ev;
	struct slot *slots;
	unsigned n;
	struct instance **draining;
	unsigned ndraining;
	struct replace_all all;
	struct ids_file ids;
	struct timer tick;
	int64_t last_tick_ms;
	/* Not before this is a heartbeat counted as old: the master itself
	 * stood still until then. */
	int64_t awake_ms;
	struct timer stop;
	bool stopping;
	bool stopped;		/* and all are gone */
	bool was_ready;
	bool told_ready;
	/* Died, and no worker has been told yet. */
	uint32_t *dead;
	size_t ndead;
	/* In force, in the order they came in. */
	struct log_order *logs;
	size_t nlogs;
};

#define TICK_MS 200

static inline bool slot_ready(const struct slot *s)
{
	return s->worker != NULL && s->worker->state == INSTANCE_READY;
}

/* supervisor.c: where there is or may be a process: k = 0, 1, ... until NULL. */
struct instance **supervisor_place(struct supervisor *s, unsigned k);
#define EACH_PLACE(place, s, k) \
	for (unsigned k = 0; ((place) = supervisor_place((s), k)) != NULL; k++)
struct supervisor *supervisor_make(struct loop *l, const struct conf *conf,
				   const struct listeners *listeners,
				   unsigned workers, const char *worker_path,
				   const struct supervisor_events *ev);
/* The workers' configuration and the rest of what may fail; the tick begins. 0
 * or -errno. */
int supervisor_open(struct supervisor *s) MUST_CHECK;
/* Without a look at its processes. NULLs *s. */
void supervisor_discard(struct supervisor **s);

/* restart.c */
/* A new process for the slot, told what the others have been told. 0 or
 * -errno. */
int worker_spawn(struct slot *slot, struct instance **out) MUST_CHECK;
/* A worker now. Cannot one be started, it is tried again later; then -errno. */
int worker_start(struct slot *slot);
void worker_restart_later(struct slot *slot);
/* Frees the slot's worker, which is dead, and sees to it that another comes. */
void worker_gone(struct slot *slot);

/* replace.c */
/* It takes the worker's place, which drains. */
void successor_ready(struct slot *slot);
/* It has served already, but goes again: drains. */
void successor_retire(struct slot *slot);
/* Frees it; it is dead. how: "status=3". */
void successor_gone(struct slot *slot, const char *how);
/* Kills it; done() comes with why (static text) once it is reaped. */
void successor_give_up(struct slot *slot, const char *why);
/* Ends the replacement, if there is one. error NULL: it succeeded. */
void replacement_end(struct slot *slot, const char *error);
/* Out of the list of those that drain, and freed. */
void draining_gone(struct supervisor *s, struct instance *i);

/* replace_all.c: after each change that may be what it waited for. */
void replace_all_tend(struct supervisor *s);

/* reap.c: SIGCHLD. Only our own children are waited for. */
void supervisor_reap(void *sup);

/* dues.c */
enum dues { OWE_RELOAD = 1, OWE_LOG = 2, OWE_DRAIN = 4, OWE_STOP = 8 };
/* Tells it at once, or as soon as its socket takes it. */
void dues_owe(struct supervisor *s, struct instance *i, unsigned what);
void dues_pay_all(struct supervisor *s);
/* Their names, for what outlives a version: "reload". NULL past the end; 0: no such
 * one. */
const char *dues_name(size_t n, unsigned *what_out);
unsigned dues_named(const char *name);
void dues_forget_logs(struct supervisor *s);

/* tend.c: everything that may have become possible or due: stuck workers,
 * listeners to lend or take back, deaths to report. Cheap; called on each tick
 * and each change. */
void supervisor_tend(struct supervisor *s);

#endif
