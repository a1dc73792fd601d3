#include "master/workers/slot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CALLED_OFF "the new worker of another slot failed"

/* Its new worker serves, as a successor or as the only one there is. */
static bool new_one_serves(const struct slot *slot)
{
	return slot->successor != NULL ?
		       slot->successor->state == INSTANCE_READY :
		       slot_ready(slot);
}

/* Ends a slot's part, if it can be ended now; else its death does. One that was
 * started because there was no other is left alone. */
static void call_off(struct slot *slot)
{
	if (!slot->replacement.together)
		return;
	slot->replacement.together = false;
	if (slot->successor == NULL) {
		if (slot_ready(slot))
			replacement_end(slot, CALLED_OFF);
	} else if (slot->successor->state == INSTANCE_READY) {
		successor_retire(slot);
		replacement_end(slot, CALLED_OFF);
	} else {
		successor_give_up(slot, CALLED_OFF);
	}
}

static void call_all_off(struct supervisor *s, const char *error)
{
	struct replace_all *all = &s->all;

	if (*all->error != '\0')
		return;
	snprintf(all->error, sizeof(all->error), "%s", error);
	for (unsigned i = 0; i < s->n && !s->stopping; i++)
		call_off(&s->slots[i]);
}

static void on_part(void *arg, unsigned slot, const char *error)
{
	struct supervisor *s = arg;
	struct replace_all all;
	char text[160];

	if (error != NULL && s->stopping) {
		call_all_off(s, error);		/* that is no slot's */
	} else if (error != NULL) {
		snprintf(text, sizeof(text), "slot %u: %s", slot, error);
		call_all_off(s, text);
	}
	if (--s->all.left > 0)
		return;
	all = s->all;
	s->all = (struct replace_all){ 0 };
	all.done(all.arg, *all.error != '\0' ? all.error : NULL);
}

void replace_all_tend(struct supervisor *s)
{
	if (s->all.left == 0 || *s->all.error != '\0')
		return;
	for (unsigned i = 0; i < s->n; i++)
		if (!new_one_serves(&s->slots[i]))
			return;
	for (unsigned i = 0; i < s->n; i++) {
		if (s->slots[i].successor != NULL)
			successor_ready(&s->slots[i]);
		else
			replacement_end(&s->slots[i], NULL);
	}
}

int supervisor_replace_all(struct supervisor *s, supervisor_replaced_all done,
			   void *arg)
{
	char text[160];
	int rc = 0;

	for (unsigned i = 0; i < s->n; i++)
		if (s->slots[i].replacement.done != NULL)
			return -EBUSY;
	s->all = (struct replace_all){ .done = done, .arg = arg };
	for (unsigned i = 0; i < s->n; i++) {
		rc = supervisor_replace(s, i, s->conf->drain_timeout, on_part, s);
		if (rc != 0) {
			snprintf(text, sizeof(text), "slot %u: no worker can be "
				 "started: %s; see the log", i, strerror(-rc));
			break;
		}
		s->slots[i].replacement.together = true;
		s->all.left++;
	}
	if (rc == 0)
		return 0;
	if (s->all.left == 0)
		return rc;
	call_all_off(s, text);
	return 0;
}
