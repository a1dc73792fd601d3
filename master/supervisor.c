#include "config.h"	/* wait4 */

#include "master/supervisor.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "master/conf_fd.h"
#include "master/listener.h"
#include "master/slot.h"

/* A worker that dies younger than this is part of a crash loop. */
#define YOUNG_MS 5000
#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 10000

/* The first young death may be bad luck; from the second on it is a loop. */
static int64_t backoff_ms(const struct slot *slot)
{
	unsigned loops = slot->young_deaths < 2 ? 0 : slot->young_deaths - 1;

	if (loops == 0)
		return 0;
	if (loops > 7)
		return BACKOFF_MAX_MS;
	return BACKOFF_FIRST_MS << (loops - 1);
}

static void restart_later(struct slot *slot)
{
	int64_t ms = backoff_ms(slot);

	if (ms > 0)
		log_warn("worker keeps dying: slot=%u next_start_in_ms=%" PRId64,
			 slot->index, ms);
	timer_arm(&slot->restart, ms);
}

/* Never 0, never one in use. */
static uint32_t take_id(struct supervisor *s)
{
	for (;;) {
		uint32_t id = ids_take(&s->ids);
		bool used = false;

		for (unsigned i = 0; i < s->n && !used; i++)
			used = s->slots[i].worker != NULL &&
			       s->slots[i].worker->id == id;
		if (!used)
			return id;
	}
}

static void start_worker(struct slot *slot)
{
	struct supervisor *s = slot->sup;
	uint32_t id = take_id(s);
	int rc = instance_start(&s->host, slot->index, id, slot->listen_fd,
				&slot->worker);

	if (rc != 0) {
		log_err("worker cannot be started: slot=%u program=%s error=%s",
			slot->index, s->host.worker_path, strerror(-rc));
		slot->young_deaths++;
		restart_later(slot);
		return;
	}
	log_info("worker started: slot=%u instance=%u pid=%ld", slot->index,
		 (unsigned)id, (long)slot->worker->pid);
}

static void on_restart(void *arg)
{
	struct slot *slot = arg;

	slot->restarts++;
	start_worker(slot);
}

static void on_worker_ready(void *arg, struct instance *i)
{
	struct supervisor *s = arg;

	log_info("worker ready: slot=%u instance=%u pid=%ld", i->slot,
		 (unsigned)i->id, (long)i->pid);
	supervisor_tend(s);
	if (!s->was_ready && supervisor_ready(s) == s->n) {
		s->was_ready = true;
		s->ev.ready(s->ev.arg);
	}
}

static void on_worker_answer(void *arg, struct instance *i, uint32_t query,
			     struct slice json)
{
	struct supervisor *s = arg;

	s->ev.answer(s->ev.arg, i, query, json);
}

static void remember_death(struct supervisor *s, uint32_t id)
{
	s->dead = mem_realloc(s->dead, (s->ndead + 1) * sizeof(*s->dead));
	s->dead[s->ndead++] = id;
}

static void log_death(const struct slot *slot, int status, int64_t age_ms)
{
	const struct instance *i = slot->worker;
	bool by_signal = WIFSIGNALED(status);

	LOG_AT(slot->sup->stopping ? LOG_LVL_INFO : LOG_LVL_ERR,
	       "worker %s: slot=%u instance=%u pid=%ld %s=%d age_ms=%" PRId64,
	       slot->sup->stopping ? "stopped" : "died", slot->index,
	       (unsigned)i->id, (long)i->pid, by_signal ? "signal" : "status",
	       by_signal ? WTERMSIG(status) : WEXITSTATUS(status), age_ms);
}

static int64_t cpu_us(const struct rusage *used)
{
	return (used->ru_utime.tv_sec + used->ru_stime.tv_sec) * INT64_C(1000000) +
	       used->ru_utime.tv_usec + used->ru_stime.tv_usec;
}

static void worker_died(struct slot *slot, int status,
			const struct rusage *used)
{
	struct supervisor *s = slot->sup;
	int64_t now = clock_mono_ms();
	int64_t age = now - slot->worker->started_ms;

	log_death(slot, status, age);
	slot->worker->cpu_us = cpu_us(used);
	s->ev.died(s->ev.arg, slot->worker);
	remember_death(s, slot->worker->id);
	instance_free(&slot->worker);
	slot->down_ms = now;
	if (s->stopping)
		return;
	slot->young_deaths = age < YOUNG_MS ? slot->young_deaths + 1 : 0;
	if (backoff_ms(slot) == 0)
		on_restart(slot);
	else
		restart_later(slot);
	supervisor_tend(s);
}

static bool any_left(const struct supervisor *s)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->slots[i].worker != NULL)
			return true;
	return false;
}

static void on_child(void *arg)
{
	struct supervisor *s = arg;
	struct rusage used;
	int status;
	pid_t pid;

	while ((pid = wait4(-1, &status, WNOHANG, &used)) > 0)
		for (unsigned i = 0; i < s->n; i++)
			if (s->slots[i].worker != NULL &&
			    s->slots[i].worker->pid == pid)
				worker_died(&s->slots[i], status, &used);
	if (s->stopping && !any_left(s))
		s->ev.stopped(s->ev.arg);
}

static void send_stop(struct supervisor *s)
{
	struct ipc_stop msg = { .deadline_ms = (uint32_t)s->conf->stop_timeout };

	for (unsigned i = 0; i < s->n; i++) {
		struct instance *w = s->slots[i].worker;

		if (w != NULL && w->state < INSTANCE_STOPPING &&
		    instance_send(w, IPC_STOP, &msg, sizeof(msg), SLICE(""),
				  -1) != -EAGAIN)
			w->state = INSTANCE_STOPPING;
	}
}

static void on_tick(void *arg)
{
	struct supervisor *s = arg;
	int64_t now = clock_mono_ms();

	if (now - s->last_tick_ms > 5 * TICK_MS)
		s->awake_ms = now;
	s->last_tick_ms = now;
	if (s->stopping)
		send_stop(s);	/* to whom it could not be sent before */
	else
		supervisor_tend(s);
	timer_arm(&s->tick, TICK_MS);
}

static void kill_all(struct supervisor *s, const char *why)
{
	for (unsigned i = 0; i < s->n; i++) {
		struct instance *w = s->slots[i].worker;

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
	if (s->stopping) {
		kill_all(s, "told twice to stop");
		return;
	}
	s->stopping = true;
	for (unsigned i = 0; i < s->n; i++)
		timer_disarm(&s->slots[i].restart);
	send_stop(s);
	timer_arm(&s->stop, s->conf->stop_timeout);
	if (!any_left(s))
		s->ev.stopped(s->ev.arg);
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

int supervisor_new(struct loop *l, const struct conf *conf,
		   const struct listeners *listeners, unsigned workers,
		   const char *worker_path, const struct supervisor_events *ev,
		   struct supervisor **out)
{
	struct supervisor *s = mem_zalloc(sizeof(*s));
	int rc;

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
	rc = make_boot(s->host.boot);
	if (rc == 0) {
		s->host.conf_fd = conf_fd_make(conf);
		rc = s->host.conf_fd < 0 ? s->host.conf_fd : 0;
	}
	if (rc != 0) {
		free(s);
		return rc;
	}
	ids_open(&s->ids, conf->run_dir);
	make_slots(s, listeners);
	timer_init(&s->tick, l, on_tick, s);
	timer_init(&s->stop, l, on_stop_timeout, s);
	loop_signal(l, SIGCHLD, on_child, s);
	s->last_tick_ms = clock_mono_ms();
	timer_arm(&s->tick, TICK_MS);
	for (unsigned i = 0; i < s->n; i++)
		start_worker(&s->slots[i]);
	*out = s;
	return 0;
}

void supervisor_free(struct supervisor **sp)
{
	struct supervisor *s = *sp;

	if (s == NULL)
		return;
	for (unsigned i = 0; i < s->n; i++) {
		struct instance *w = s->slots[i].worker;

		timer_free(&s->slots[i].restart);
		if (w == NULL)
			continue;
		instance_kill(w);
		while (waitpid(w->pid, NULL, 0) == -1 && errno == EINTR)
			;
		instance_free(&s->slots[i].worker);
	}
	timer_free(&s->tick);
	timer_free(&s->stop);
	close(s->host.conf_fd);
	ids_close(&s->ids);
	free(s->slots);
	free(s->dead);
	free(s);
	*sp = NULL;
}

unsigned supervisor_slots(const struct supervisor *s)
{
	return s->n;
}

void supervisor_slot(const struct supervisor *s, unsigned slot,
		     struct slot_view *out)
{
	const struct slot *it = &s->slots[slot];

	*out = (struct slot_view){ it->worker, it->restarts, it->lent_to };
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
