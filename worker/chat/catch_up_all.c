/* Envelopes for this worker were lost, or Redis has forgotten its routes: all of
 * them are registered again, then every device catches up (M5). */
#include "common/ipc/stats.h"
#include "worker/chat/catch_up_impl.h"

static void when_done(struct catch_ups *cs)
{
	if (!cs->all || cs->registering > 0 || cs->all_left > 0)
		return;
	cs->all = false;
	/* Else this happens once more when Redis is well. */
	if (!cs->all_failed)
		router_made_good(cs->c->router, cs->loss);
}

void catch_up_all_less(struct catch_ups *cs)
{
	cs->all_left--;
	if (!cs->c->down)
		when_done(cs);
}

static void on_registered(void *arg, int err)
{
	struct catch_ups *cs = arg;

	if (err != 0)
		cs->all_failed = true;
	if (--cs->registering > 0 || cs->c->down)
		return;
	when_done(cs);
	loop_defer(cs->c->loop, &cs->pump);
}

static void start_device(struct catch_ups *cs, struct device *d)
{
	/* One that is just connecting has it all before it. */
	if (!d->accepted && d->catch_up == NULL)
		return;
	catch_up_start(d, true);
	if (!d->catch_up->of_all) {
		d->catch_up->of_all = true;
		cs->all_left++;
	}
}

static void start_user(struct map_node *n, void *arg)
{
	struct catch_ups *cs = arg;
	struct user *u = CONTAINER_OF(n, struct user, node);
	struct list *pos, *tmp;

	u->named = LIST_ENTRY(list_first(&u->devices), struct device, node);
	cs->registering++;
	presence_enter(cs->c->presence, u->id, sio_socket_id(u->named->socket),
		       on_registered, cs);
	LIST_FOREACH_SAFE(pos, tmp, &u->devices)
		start_device(cs, LIST_ENTRY(pos, struct device, node));
}

void catch_up_all(struct chat *c)
{
	struct catch_ups *cs = c->catch_ups;

	cs->loss = router_losses(c->router);
	cs->all = true;
	cs->all_failed = false;
	map_each(&c->users.map, start_user, cs);
	when_done(cs);
}
