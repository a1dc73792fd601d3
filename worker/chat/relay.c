#include "worker/chat/relay.h"

#include <string.h>

#include "common/ipc/stats.h"
#include "worker/chat/emit.h"
#include "worker/emitter.h"

#define USER_ROOM "user:"
#define USER_ROOM_LEN (sizeof(USER_ROOM) - 1)

struct relay {
	const struct emission_to *to;
	void (*act)(struct device *d, struct slice frame);
	struct slice frame;
};

static void act_emit(struct device *d, struct slice frame)
{
	if (emit_event(d, frame))
		stats_inc(STAT_relayed);
}

static void act_disconnect(struct device *d, struct slice frame)
{
	(void)frame;
	sio_disconnect(d->socket, CLOSE_SERVER);
}

static void relay_to_user(struct map_node *node, void *arg)
{
	struct user *u = CONTAINER_OF(node, struct user, node);
	const struct relay *r = arg;
	const struct rooms *except = &r->to->except;
	char room[USER_ROOM_LEN + PW_ID_MAX + 1] = USER_ROOM;
	struct list *pos, *tmp;

	strcpy(room + USER_ROOM_LEN, u->id);
	if (rooms_have(except, slice_of(room)))
		return;
	LIST_FOREACH_SAFE(pos, tmp, &u->devices) {
		struct device *d = LIST_ENTRY(pos, struct device, node);
		const char *sid = sio_socket_id(d->socket);

		if (!rooms_have(except, slice_of(sid)))
			r->act(d, r->frame);
	}
}

static void relay(struct chat *c, struct relay *r)
{
	const struct rooms *rooms = &r->to->rooms;

	if (rooms->n == 0)
		map_each(&c->users.map, relay_to_user, r);
	for (size_t i = 0; i < rooms->n; i++) {
		struct slice name = rooms->names[i];
		struct user *u;

		if (name.n <= USER_ROOM_LEN ||
		    memcmp(name.p, USER_ROOM, USER_ROOM_LEN) != 0)
			continue;
		u = users_find(&c->users,
			       (struct slice){ name.p + USER_ROOM_LEN,
					       name.n - USER_ROOM_LEN });
		if (u != NULL)
			relay_to_user(&u->node, r);
	}
}

static void relay_emit(void *arg, const struct emission_to *to,
		       struct slice frame)
{
	struct relay r = { to, act_emit, frame };

	relay(arg, &r);
}

static void relay_disconnect(void *arg, const struct emission_to *to)
{
	struct relay r = { to, act_disconnect, { NULL, 0 } };

	relay(arg, &r);
}

struct emitter_ops relay_ops(struct chat *c)
{
	return (struct emitter_ops){ relay_emit, relay_disconnect, c };
}
