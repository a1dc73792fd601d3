#include <errno.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/ipc/stats.h"
#include "master/workers/slot.h"

/* A restart that goes well takes less; then nothing is lent. */
#define LEND_AFTER_MS 1000
/* At its descriptor limit a worker gets the message without the socket, and
 * nobody accepts there. A repeat costs nothing to who has it already. */
#define LEND_AGAIN_MS 2000
#define START_TIMEOUT_MS 30000

/* Its loop turned not so long ago; if not, it is killed. */
static bool check_heartbeat(struct supervisor *s, struct instance *i, int64_t now)
{
	const struct stats_view *v = instance_stats(i);
	int64_t beat = 0, age;

	if (v != NULL)
		beat = stats_view_value(v, "heartbeat_ms", 0);
	if (beat < i->ready_ms)
		beat = i->ready_ms;
	if (beat < s->awake_ms)
		beat = s->awake_ms;
	age = now - beat;
	if (age <= s->conf->stuck_timeout)
		return true;
	log_err("worker is stuck and killed: slot=%u instance=%u pid=%ld "
		"heartbeat_age_ms=%lld", i->slot, (unsigned)i->id, (long)i->pid,
		(long long)age);
	instance_kill(i);
	return false;
}

static bool takes_too_long(const struct supervisor *s, const struct instance *i,
			   int64_t limit, int64_t now)
{
	return now - i->started_ms > limit && now - s->awake_ms > limit;
}

static void check_starting(struct supervisor *s, struct instance *i, int64_t now)
{
	int64_t limit = s->conf->stuck_timeout > START_TIMEOUT_MS ?
				s->conf->stuck_timeout :
				START_TIMEOUT_MS;

	if (!takes_too_long(s, i, limit, now))
		return;
	log_err("worker did not become ready and is killed: slot=%u instance=%u "
		"pid=%ld", i->slot, (unsigned)i->id, (long)i->pid);
	instance_kill(i);
}

static void check_slot(struct supervisor *s, struct slot *slot, int64_t now)
{
	struct instance *w = slot->worker, *next = slot->successor;

	if (w != NULL && w->state == INSTANCE_READY &&
	    !check_heartbeat(s, w, now))
		slot->down_ms = now;
	if (w != NULL && w->state == INSTANCE_STARTING)
		check_starting(s, w, now);
	/* It waits for the others (replace_all). */
	if (next != NULL && next->state == INSTANCE_READY)
		(void)check_heartbeat(s, next, now);
	if (next != NULL && next->state == INSTANCE_STARTING &&
	    takes_too_long(s, next, START_TIMEOUT_MS, now))
		successor_give_up(slot, "the new worker was not ready within 30 "
				  "seconds");
}

/* Nobody comes in its place. When its last session is closed connections may
 * idle for keepalive_timeout (worker/retire.h), and stop_timeout is what they may
 * take once they have been told to go. */
static void check_draining(struct supervisor *s, struct instance *i, int64_t now)
{
	int64_t limit = i->grace_ms + s->conf->drain_spread +
			s->conf->keepalive_timeout + s->conf->stop_timeout;

	if (i->state != INSTANCE_DRAINING)
		return;
	/* It may be in the midst of a longer one. */
	if (limit < i->limit_ms)
		limit = i->limit_ms;
	i->limit_ms = limit;
	if (i->ready_ms == 0) {
		check_starting(s, i, now);
	} else if (check_heartbeat(s, i, now) && now - i->drain_ms > limit) {
		log_err("worker does not end its drain and is killed: slot=%u "
			"instance=%u pid=%ld", i->slot, (unsigned)i->id,
			(long)i->pid);
		instance_kill(i);
	}
}

/* The next slot's worker that serves; NULL: none does. */
static struct instance *neighbour(struct supervisor *s, unsigned slot)
{
	for (unsigned k = 1; k < s->n; k++) {
		struct slot *other = &s->slots[(slot + k) % s->n];

		if (slot_ready(other))
			return other->worker;
	}
	return NULL;
}

static struct instance *find(struct supervisor *s, uint32_t id)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->slots[i].worker != NULL && s->slots[i].worker->id == id)
			return s->slots[i].worker;
	return NULL;
}

/* False: not now. The next tick tries again. */
static bool send_lend(struct slot *slot, struct instance *to, int64_t now)
{
	struct ipc_lend msg = { .slot = slot->index };

	if (to == NULL || instance_send(to, IPC_LEND, &msg, sizeof(msg), SLICE(""),
					slot->listen_fd) != 0)
		return false;
	slot->lent_ms = now;
	return true;
}

static void lend(struct supervisor *s, struct slot *slot, int64_t now)
{
	struct instance *to = neighbour(s, slot->index);

	if (!send_lend(slot, to, now))
		return;
	slot->lent_to = to->id;
	log_info("listener lent: slot=%u to_slot=%u to_instance=%u", slot->index,
		 to->slot, (unsigned)to->id);
}

static void unlend(struct supervisor *s, struct slot *slot)
{
	struct ipc_lend msg = { .slot = slot->index };
	struct instance *to = find(s, slot->lent_to);

	if (to != NULL && instance_send(to, IPC_UNLEND, &msg, sizeof(msg),
					SLICE(""), -1) == -EAGAIN)
		return;
	log_info("listener taken back: slot=%u from_instance=%u", slot->index,
		 (unsigned)slot->lent_to);
	slot->lent_to = 0;
}

static void tend_listener(struct supervisor *s, struct slot *slot, int64_t now)
{
	struct instance *to = NULL;

	if (slot->lent_to != 0) {
		to = find(s, slot->lent_to);
		if (to == NULL || to->state != INSTANCE_READY)
			slot->lent_to = 0;	/* it died with it */
	}
	if (slot_ready(slot)) {
		if (slot->lent_to != 0)
			unlend(s, slot);
		return;
	}
	if (slot->lent_to != 0) {
		if (now - slot->lent_ms >= LEND_AGAIN_MS)
			send_lend(slot, to, now);
	} else if (timer_armed(&slot->restart) ||
		   now - slot->down_ms > LEND_AFTER_MS) {
		lend(s, slot, now);
	}
}

/* One worker cleans up the presence of a dead one (design M7). */
static void report_deaths(struct supervisor *s)
{
	struct instance *to = slot_ready(&s->slots[0]) ? s->slots[0].worker :
							 neighbour(s, 0);
	size_t told = 0;

	if (s->ndead == 0)
		return;
	while (to != NULL && told < s->ndead) {
		struct ipc_worker_died msg = { .instance = s->dead[told] };

		if (instance_send(to, IPC_WORKER_DIED, &msg, sizeof(msg),
				  SLICE(""), -1) != 0)
			break;
		told++;
	}
	s->ndead -= told;
	memmove(s->dead, s->dead + told, s->ndead * sizeof(*s->dead));
}

void supervisor_tend(struct supervisor *s)
{
	int64_t now = clock_mono_ms();

	if (s->stopping)
		return;
	for (unsigned i = 0; i < s->n; i++)
		check_slot(s, &s->slots[i], now);
	for (unsigned i = 0; i < s->ndraining; i++)
		check_draining(s, s->draining[i], now);
	for (unsigned i = 0; i < s->n; i++)
		tend_listener(s, &s->slots[i], now);
	report_deaths(s);
}
