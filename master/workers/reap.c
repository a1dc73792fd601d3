#include "config.h"	/* wait4 */

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "master/workers/slot.h"

#define HOW_MAX 32

static void how_it_ended(int status, char out[HOW_MAX])
{
	if (WIFSIGNALED(status))
		snprintf(out, HOW_MAX, "signal=%d", WTERMSIG(status));
	else
		snprintf(out, HOW_MAX, "status=%d", WEXITSTATUS(status));
}

static void log_end(const struct supervisor *s, const struct instance *i,
		    int status, const char *how)
{
	bool drained = i->drain_ms != 0 && WIFEXITED(status) &&
		       WEXITSTATUS(status) == 0;

	LOG_AT(s->stopping || drained ? LOG_LVL_INFO : LOG_LVL_ERR,
	       "worker %s: slot=%u instance=%u pid=%ld %s age_ms=%" PRId64,
	       s->stopping ? "stopped" : drained ? "drained" : "died", i->slot,
	       (unsigned)i->id, (long)i->pid, how,
	       clock_mono_ms() - i->started_ms);
}

static int64_t cpu_us(const struct rusage *used)
{
	return (used->ru_utime.tv_sec + used->ru_stime.tv_sec) * INT64_C(1000000) +
	       used->ru_utime.tv_usec + used->ru_stime.tv_usec;
}

static void remember_death(struct supervisor *s, uint32_t id)
{
	s->dead = mem_realloc(s->dead, (s->ndead + 1) * sizeof(*s->dead));
	s->dead[s->ndead++] = id;
}

static void ended(struct supervisor *s, struct instance *i, int status,
		  const struct rusage *used)
{
	struct slot *slot = &s->slots[i->slot];
	char how[HOW_MAX];

	how_it_ended(status, how);
	log_end(s, i, status, how);
	i->cpu_us = cpu_us(used);
	s->ev.died(s->ev.arg, i);
	remember_death(s, i->id);
	if (i == slot->worker)
		worker_gone(slot);
	else if (i == slot->successor)
		successor_gone(slot, how);
	else
		draining_gone(s, i);
	supervisor_tend(s);
}

/* A death may change who is in any place: then there is another look. */
static bool reap_some(struct supervisor *s)
{
	struct instance **place;
	bool any = false;

	EACH_PLACE(place, s, k) {
		struct instance *i = *place;
		struct rusage used;
		int status;

		if (i == NULL || wait4(i->pid, &status, WNOHANG, &used) != i->pid)
			continue;
		ended(s, i, status, &used);
		any = true;
	}
	return any;
}

void supervisor_reap(void *sup)
{
	struct supervisor *s = sup;
	struct instance **place;
	bool any = false;

	while (reap_some(s))
		;
	EACH_PLACE(place, s, k)
		any = any || *place != NULL;
	if (!s->stopping || any || s->stopped)
		return;
	s->stopped = true;	/* told once, however often we are called */
	s->ev.stopped(s->ev.arg);
}
