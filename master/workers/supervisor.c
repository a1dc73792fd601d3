#include "master/workers/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/service/listener.h"
#include "master/workers/conf_fd.h"
#include "master/workers/slot.h"

struct instance **supervisor_place(struct supervisor *s, unsigned k)
{
	if (k < s->n)
		return &s->slots[k].worker;
	k -= s->n;
	if (k < s->n)
		return &s->slots[k].successor;
	k -= s->n;
	return k < s->ndraining ? &s->draining[k] : NULL;
}

static void on_restart(void *arg)
{
	struct slot *slot = arg;

	slot->restarts++;
	(void)worker_start(slot);
}

static void tell_ready(struct supervisor *s)
{
	if (s->told_ready || supervisor_ready(s) != s->n)
		return;
	s->was_ready = true;
	s->told_ready = true;
	s->ev.ready(s->ev.arg);
}

static void on_worker_ready(void *arg, struct instance *i)
{
	struct supervisor *s = arg;

	struct slot *slot = &s->slots[i->slot];

	log_info("worker ready: slot=%u instance=%u pid=%ld", i->slot,
		 (unsigned)i->id, (long)i->pid);
	supervisor_tend(s);
	if (slot->replacement.together)
		replace_all_tend(s);
	else if (i == slot->successor)
		successor_ready(slot);
	else if (slot->successor == NULL)	/* it was itself the new one */
		replacement_end(slot, NULL);
	tell_ready(s);
}

static void on_worker_answer(void *arg, struct instance *i, uint32_t query,
			     struct slice json)
{
	struct supervisor *s = arg;

	s->ev.answer(s->ev.arg, i, query, json);
}

static void on_tick(void *arg)
{
	struct supervisor *s = arg;
	int64_t now = clock_mono_ms();
	struct instance **place;

	if (now - s->last_tick_ms > 5 * TICK_MS)
		s->awake_ms = now;
	s->last_tick_ms = now;
	dues_pay_all(s);
	EACH_PLACE(place, s, k)
		if (*place != NULL)
			instance_tend(*place);
	supervisor_tend(s);
	tell_ready(s);
	timer_arm(&s->tick, TICK_MS);
}

static void kill_all(struct supervisor *s, const char *why)
{
	struct instance **place;

	EACH_PLACE(place, s, k) {
		struct instance *w = *place;

		if (w == NULL || w->state == INSTANCE_KILLED)
			continue;
		log_warn("worker is killed: %s slot=%u instance=%u pid=%ld", why,
			 w->slot, (unsigned)w->id, (long)w->pid);
		instance_kill(w);
	}
}

static void on_stop_timeout(void *arg)
{
	kill_all(arg, "stop_timeout is over");
}

void supervisor_stop(struct supervisor *s)
{
	struct instance **place;

	if (s->stopping) {
		kill_all(s, "told twice to stop");
		return;
	}
	s->stopping = true;
	for (unsigned i = 0; i < s->n; i++) {
		timer_disarm(&s->slots[i].restart);
		s->slots[i].replacement.why = "the master was told to stop";
	}
	EACH_PLACE(place, s, k) {
		if (*place == NULL || (*place)->state == INSTANCE_KILLED)
			continue;
		(*place)->state = INSTANCE_STOPPING;
		dues_owe(s, *place, OWE_STOP);
	}
	timer_arm(&s->stop, s->conf->stop_timeout);
	supervisor_reap(s);	/* there may be none at all */
}

static int make_boot(char out[17])
{
	unsigned char random[8];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(out + 2 * i, 3, "%02x", random[i]);
	return 0;
}

static void make_slots(struct supervisor *s, const struct listeners *listeners)
{
	int64_t now = clock_mono_ms();

	s->slots = mem_zalloc(s->n * sizeof(*s->slots));
	for (unsigned i = 0; i < s->n; i++) {
		struct slot *slot = &s->slots[i];

		slot->sup = s;
		slot->index = i;
		slot->listen_fd = listeners_fd(listeners, i);
		slot->down_ms = now;
		timer_init(&slot->restart, s->loop, on_restart, slot);
	}
}

struct supervisor *supervisor_make(struct loop *l, const struct conf *conf,
				   const struct listeners *listeners,
				   unsigned workers, const char *worker_path,
				   const struct supervisor_events *ev)
{
	struct supervisor *s = mem_zalloc(sizeof(*s));

	*s = (struct supervisor){
		.loop = l,
		.conf = conf,
		.ev = *ev,
		.n = workers,
		.ids = { .fd = -1 },
		.host = { .loop = l, .worker_path = worker_path,
			  .run_dir = conf->run_dir, .node = conf->node,
			  .conf_fd = -1,
			  .events = { on_worker_ready, on_worker_answer, s } },
	};
	make_slots(s, listeners);
	timer_init(&s->tick, l, on_tick, s);
	timer_init(&s->stop, l, on_stop_timeout, s);
	return s;
}

int supervisor_open(struct supervisor *s)
{
	int fd = conf_fd_make(s->conf);

	if (fd < 0)
		return fd;
	s->host.conf_fd = fd;
	ids_open(&s->ids, s->conf->run_dir);
	loop_signal(s->loop, SIGCHLD, supervisor_reap, s);
	s->last_tick_ms = clock_mono_ms();
	timer_arm(&s->tick, TICK_MS);
	return 0;
}

void supervisor_discard(struct supervisor **sp)
{
	struct supervisor *s = *sp;

	for (unsigned i = 0; i < s->n; i++)
		timer_free(&s->slots[i].restart);
	timer_free(&s->tick);
	timer_free(&s->stop);
	if (s->host.conf_fd != -1)
		close(s->host.conf_fd);
	ids_close(&s->ids);
	dues_forget_logs(s);
	free(s->slots);
	free(s->draining);
	free(s->dead);
	free(s);
	*sp = NULL;
}

int supervisor_new(struct loop *l, const struct conf *conf,
		   const struct listeners *listeners, unsigned workers,
		   const char *worker_path, const struct supervisor_events *ev,
		   struct supervisor **out)
{
	struct supervisor *s = supervisor_make(l, conf, listeners, workers,
					       worker_path, ev);
	int rc = make_boot(s->host.boot);

	if (rc == 0)
		rc = supervisor_open(s);
	if (rc != 0) {
		supervisor_discard(&s);
		return rc;
	}
	for (unsigned i = 0; i < s->n; i++)
		(void)worker_start(&s->slots[i]);
	*out = s;
	return 0;
}

void supervisor_free(struct supervisor **sp)
{
	struct instance **place;

	if (*sp == NULL)
		return;
	EACH_PLACE(place, *sp, k) {
		if (*place == NULL)
			continue;
		instance_kill(*place);
		while (waitpid((*place)->pid, NULL, 0) == -1 && errno == EINTR)
			;
		instance_free(place);
	}
	supervisor_discard(sp);
}

unsigned supervisor_slots(const struct supervisor *s)
{
	return s->n;
}

void supervisor_slot(const struct supervisor *s, unsigned slot,
		     struct slot_view *out)
{
	const struct slot *it = &s->slots[slot];

	*out = (struct slot_view){ .worker = it->worker,
				   .successor = it->successor,
				   .restarts = it->restarts,
				   .lent_to = it->lent_to };
}

unsigned supervisor_ready(const struct supervisor *s)
{
	unsigned ready = 0;

	for (unsigned i = 0; i < s->n; i++)
		ready += slot_ready(&s->slots[i]);
	return ready;
}

bool supervisor_started(const struct supervisor *s)
{
	return s->was_ready;
}

bool supervisor_stopping(const struct supervisor *s)
{
	return s->stopping;
}

const char *supervisor_boot(const struct supervisor *s)
{
	return s->host.boot;
}
