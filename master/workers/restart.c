#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "master/workers/slot.h"

/* A worker that dies younger than this is part of a crash loop. So is one that
 * was never READY, however long the machine took for that. */
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

void worker_restart_later(struct slot *slot)
{
	int64_t ms = backoff_ms(slot);

	if (ms > 0)
		log_warn("worker keeps dying: slot=%u next_start_in_ms=%" PRId64,
			 slot->index, ms);
	timer_arm(&slot->restart, ms);
}

static bool id_used(struct supervisor *s, uint32_t id)
{
	struct instance **place;

	EACH_PLACE(place, s, k)
		if (*place != NULL && (*place)->id == id)
			return true;
	return false;
}

/* Never 0, never one in use. */
static uint32_t take_id(struct supervisor *s)
{
	uint32_t id;

	do
		id = ids_take(&s->ids);
	while (id_used(s, id));
	return id;
}

int worker_spawn(struct slot *slot, struct instance **out)
{
	struct supervisor *s = slot->sup;
	uint32_t id = take_id(s);
	int rc = instance_start(&s->host, slot->index, id, slot->listen_fd,
				out == &slot->worker, out);

	if (rc != 0) {
		log_err("worker cannot be started: slot=%u program=%s "
			"error=\"%s\"",
			slot->index, s->host.worker_path, strerror(-rc));
		return rc;
	}
	log_info("worker started: slot=%u instance=%u pid=%ld", slot->index,
		 (unsigned)id, (long)(*out)->pid);
	if (s->nlogs > 0)
		dues_owe(s, *out, OWE_LOG);
	return 0;
}

int worker_start(struct slot *slot)
{
	int rc = worker_spawn(slot, &slot->worker);

	if (rc != 0) {
		slot->young_deaths++;
		worker_restart_later(slot);
	}
	return rc;
}

void worker_gone(struct slot *slot)
{
	struct supervisor *s = slot->sup;
	int64_t now = clock_mono_ms();
	bool young = slot->worker->ready_ms == 0 ||
		     now - slot->worker->started_ms < YOUNG_MS;

	instance_free(&slot->worker);
	slot->down_ms = now;
	if (!s->stopping) {
		slot->young_deaths = young ? slot->young_deaths + 1 : 0;
		if (slot->successor != NULL &&
		    slot->successor->state < INSTANCE_DRAINING) {
			slot->restarts++;
			slot->worker = slot->successor;
			slot->successor = NULL;
			log_info("worker has its successor at once: slot=%u "
				 "instance=%u", slot->index,
				 (unsigned)slot->worker->id);
			replace_all_tend(s);
			return;
		}
		if (backoff_ms(slot) == 0) {
			slot->restarts++;
			(void)worker_start(slot);
		} else {
			worker_restart_later(slot);
		}
	}
	/* It was itself the new one, there being no other. */
	if (slot->successor == NULL)
		replacement_end(slot, "the new worker died before it was ready");
}
