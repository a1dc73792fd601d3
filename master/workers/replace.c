#include "master/workers/slot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"

void replacement_end(struct slot *slot, const char *error)
{
	struct replacement r = slot->replacement;

	if (r.done == NULL)
		return;
	if (error != NULL && r.why != NULL)
		error = r.why;
	slot->replacement = (struct replacement){ 0 };
	if (error != NULL)
		log_warn("worker is not replaced: slot=%u %s", slot->index, error);
	r.done(r.arg, slot->index, error);
}

/* A slot without a worker has no need of a second one. */
static int start_instead(struct slot *slot)
{
	if (slot->worker != NULL)
		return worker_spawn(slot, &slot->successor);
	timer_disarm(&slot->restart);
	slot->restarts++;
	return worker_start(slot);
}

int supervisor_replace(struct supervisor *s, unsigned index, int64_t grace_ms,
		       supervisor_replaced done, void *arg)
{
	struct slot *slot = &s->slots[index];
	int rc;

	if (s->stopping)
		return -ESHUTDOWN;
	if (slot->replacement.done != NULL)
		return -EBUSY;
	rc = start_instead(slot);
	if (rc == 0)
		slot->replacement = (struct replacement){
			.done = done, .arg = arg, .grace_ms = grace_ms };
	return rc;
}

void successor_give_up(struct slot *slot, const char *why)
{
	if (slot->replacement.why == NULL)
		slot->replacement.why = why;
	instance_kill(slot->successor);
}

void successor_gone(struct slot *slot, const char *how)
{
	char text[64];

	snprintf(text, sizeof(text), "the new worker died: %s", how);
	instance_free(&slot->successor);
	replacement_end(slot, text);
}

static void draining_add(struct supervisor *s, struct instance *i)
{
	s->draining = mem_realloc(s->draining,
				  (s->ndraining + 1) * sizeof(struct instance *));
	s->draining[s->ndraining++] = i;
}

void draining_gone(struct supervisor *s, struct instance *i)
{
	unsigned k = 0;

	while (s->draining[k] != i)
		k++;
	s->draining[k] = s->draining[--s->ndraining];
	instance_free(&i);
}

/* i is in no slot any more. */
static void retire(struct supervisor *s, struct instance *i, int64_t grace_ms)
{
	i->drain_ms = clock_mono_ms();
	i->grace_ms = grace_ms;
	if (i->state != INSTANCE_KILLED)
		i->state = INSTANCE_DRAINING;
	draining_add(s, i);
	/* What it has borrowed goes to others first. */
	supervisor_tend(s);
	dues_owe(s, i, OWE_DRAIN);
}

void successor_ready(struct slot *slot)
{
	struct instance *before = slot->worker;
	int64_t grace_ms = slot->replacement.grace_ms;

	slot->worker = slot->successor;
	slot->successor = NULL;
	log_info("worker replaced: slot=%u instance=%u drains=%u grace_ms=%"
		 PRId64, slot->index, (unsigned)slot->worker->id,
		 (unsigned)before->id, grace_ms);
	retire(slot->sup, before, grace_ms);
	replacement_end(slot, NULL);
}

void successor_retire(struct slot *slot)
{
	struct instance *i = slot->successor;

	slot->successor = NULL;
	retire(slot->sup, i, slot->replacement.grace_ms);
}

unsigned supervisor_draining(const struct supervisor *s)
{
	return s->ndraining;
}

struct instance *supervisor_drainer(const struct supervisor *s, unsigned n)
{
	return s->draining[n];
}
