#include "worker/chat/expiry.h"

#include "common/base/clock.h"
#include "worker/chat/users.h"
#include "worker/socketio/socket.h"

#define TICK_MS 1000

struct pass {
	int64_t now_ms;
	int64_t earliest_ms;	/* of those that stay */
};

static void expire_devices(struct map_node *n, void *arg)
{
	struct user *u = CONTAINER_OF(n, struct user, node);
	struct pass *pass = arg;
	struct list *pos, *tmp;

	LIST_FOREACH_SAFE(pos, tmp, &u->devices) {
		struct device *d = LIST_ENTRY(pos, struct device, node);

		if (d->expires_mono_ms == 0)
			continue;
		if (d->expires_mono_ms <= pass->now_ms)
			sio_disconnect(d->socket, CLOSE_AUTH);
		else if (d->expires_mono_ms < pass->earliest_ms)
			pass->earliest_ms = d->expires_mono_ms;
	}
}

void expiry_pass(struct expiry *x, int64_t now_ms)
{
	for (size_t i = 0; i < EXPIRY_SHARES; i++) {
		struct pass pass = { now_ms, INT64_MAX };

		if (x->earliest_ms[i] > now_ms)
			continue;
		map_each_share(&x->users->map, i, EXPIRY_SHARES, expire_devices,
			       &pass);
		x->earliest_ms[i] = pass.earliest_ms;
	}
}

static void on_tick(void *arg)
{
	struct expiry *x = arg;

	expiry_pass(x, clock_mono_ms());
	timer_arm(&x->timer, TICK_MS);
}

void expiry_init(struct expiry *x, struct loop *l, struct users *users)
{
	x->users = users;
	for (size_t i = 0; i < EXPIRY_SHARES; i++)
		x->earliest_ms[i] = INT64_MAX;
	timer_init(&x->timer, l, on_tick, x);
	timer_arm(&x->timer, TICK_MS);
}

void expiry_free(struct expiry *x)
{
	timer_free(&x->timer);
}

void expiry_note(struct expiry *x, const struct device *d)
{
	size_t share = d->user->node.hash & (EXPIRY_SHARES - 1);

	if (d->expires_mono_ms < x->earliest_ms[share])
		x->earliest_ms[share] = d->expires_mono_ms;
}
