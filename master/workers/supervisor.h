/* Keeps one worker serving on every slot: starts them, restarts the dead
 * (at once, with backoff when they die young again and again), kills the stuck,
 * lends the listener of a slot without a worker to a neighbour, and stops all.
 * Loop thread only. */
#ifndef PW_SUPERVISOR_H
#define PW_SUPERVISOR_H

#include <jansson.h>

#include "common/base/base.h"
#include "master/workers/instance.h"

struct conf;
struct listeners;
struct supervisor;

/* From the loop. */
struct supervisor_events {
	/* Every slot has a READY worker, for the first time; those of
	 * supervisor_adopt() may have one already. */
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
/* Kills and waits for what still runs; no callback comes of it. NULLs *s. */
void supervisor_free(struct supervisor **s);

/* STOP to all; what is left after stop_timeout is killed. Called again: all
 * are killed now. stopped() follows. */
void supervisor_stop(struct supervisor *s);

/* Replaces a slot's worker without a moment in which nobody accepts: a successor
 * is started on the same listening socket; when it is READY the one before
 * is told to DRAIN with grace_ms, and exits when its clients have left. A
 * successor that dies or is not READY within 30 s is given up, the one before
 * goes on as if nothing had been; when that one dies meanwhile, the successor
 * is the slot's worker at once. Without a worker (backoff) one is started now.
 * A draining worker is told all that the others are. It is killed when it is
 * stuck, or not gone stop_timeout after grace_ms, drain_spread and
 * keepalive_timeout.
 * done (not NULL) comes once, from the loop: error NULL, or a line with what went
 * wrong, borrowed. 0; -EBUSY: it is being replaced already; -ESHUTDOWN:
 * stopping; else -errno: no process can be started. */
typedef void (*supervisor_replaced)(void *arg, unsigned slot, const char *error);
int supervisor_replace(struct supervisor *s, unsigned slot, int64_t grace_ms,
		       supervisor_replaced done, void *arg) MUST_CHECK;

/* All slots at once, all or none: each gets a successor, and who was there is told
 * to DRAIN (with drain_timeout) when every successor is READY. When one fails the
 * others are given up, those that are READY drain, and who was there goes on. done
 * comes once, from the loop. 0; -EBUSY: a slot is being replaced already;
 * -ESHUTDOWN: stopping; else -errno: no process can be started. */
typedef void (*supervisor_replaced_all)(void *arg, const char *error);
int supervisor_replace_all(struct supervisor *s, supervisor_replaced_all done,
			   void *arg) MUST_CHECK;

/* From now on this is the configuration: of workers to come, and RELOAD to those
 * there are (again later to whom it cannot be sent now). Borrowed. 0 or -errno,
 * then nothing changed. */
int supervisor_set_conf(struct supervisor *s, const struct conf *conf) MUST_CHECK;
/* {key: in how many slots the worker has another value of it than the configuration},
 * of keys that count in new workers. The caller's. */
json_t *supervisor_waiting(const struct supervisor *s);
/* Slots with a worker of before the last exec. */
unsigned supervisor_adopted(const struct supervisor *s);
/* LOG to all workers, and to each that starts later, until set_conf().
 * area "": all. */
void supervisor_log(struct supervisor *s, int level, const char *area);
/* The nth of those in force, in the order they came in; false: there are not as
 * many. area_out is borrowed. */
bool supervisor_log_order(const struct supervisor *s, size_t n, int *level_out,
			  const char **area_out);

/* What a re-exec'd master needs to go on with these workers (upgrade.h), as
 * JSON: saved_workers.c has its form. Descriptors are members named *_fd; they
 * are left as they are. NULL: not now, a worker is being replaced or it is
 * stopping. The caller's. */
json_t *supervisor_save(const struct supervisor *s);
/* Whether this version could adopt that, without doing it. 0 or -EINVAL. */
int supervisor_readable(const json_t *saved, unsigned workers) MUST_CHECK;
/* As supervisor_new(), with the workers saved instead of new ones: same numbers,
 * same boot, log levels as they are; those that died meanwhile are restarted. The
 * conf is of workers to come, the others have theirs until set_conf(). -EINVAL:
 * as supervisor_readable(); -EBADF: a descriptor is none. */
int supervisor_adopt(struct loop *l, const struct conf *conf,
		     const struct listeners *listeners, unsigned workers,
		     const char *worker_path, const struct supervisor_events *ev,
		     const json_t *saved, struct supervisor **out) MUST_CHECK;

struct slot_view {
	struct instance *worker;	/* NULL: none, waiting to be restarted */
	struct instance *successor;	/* to replace it; starting, or READY before
					 * the others'; or NULL */
	unsigned restarts;		/* since the master's start */
	uint32_t lent_to;		/* instance that accepts for it; 0: none */
};
/* Those that drain, in no order. */
unsigned supervisor_draining(const struct supervisor *s);
struct instance *supervisor_drainer(const struct supervisor *s, unsigned n);
unsigned supervisor_slots(const struct supervisor *s);
void supervisor_slot(const struct supervisor *s, unsigned slot,
		     struct slot_view *out);
unsigned supervisor_ready(const struct supervisor *s);
bool supervisor_started(const struct supervisor *s);	/* all were READY once */
bool supervisor_stopping(const struct supervisor *s);
/* Hexadecimal, random per master's start. */
const char *supervisor_boot(const struct supervisor *s);

#endif
