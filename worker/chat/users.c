#include "worker/chat/users.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/siphash.h"
#include "worker/chat/seen.h"

/* What one client may have waiting while a backend is slow: enough for any
 * burst an app means, far from what would hurt the worker. */
#define EVENTS_MAX 8192
#define EVENT_BYTES_MAX (4 * 1024 * 1024)

static bool user_is(const struct map_node *n, const void *key)
{
	const struct slice *id = key;
	const struct user *u = CONTAINER_OF(n, struct user, node);

	return strlen(u->id) == id->n && memcmp(u->id, id->p, id->n) == 0;
}

void users_init(struct users *us)
{
	us->generations = 0;
	map_init(&us->map, user_is);
}

void users_free(struct users *us)
{
	map_free(&us->map);
}

size_t users_count(const struct users *us)
{
	return us->map.count;
}

struct user *users_find(const struct users *us, struct slice id)
{
	struct map_node *n = map_find(&us->map, hash_bytes(id.p, id.n), &id);

	return n != NULL ? CONTAINER_OF(n, struct user, node) : NULL;
}

static struct user *user_get(struct users *us, const char *id)
{
	struct slice key = slice_of(id);
	struct user *u = users_find(us, key);

	if (u != NULL)
		return u;
	u = mem_zalloc(offsetof(struct user, id) + key.n + 1);
	memcpy(u->id, id, key.n);
	list_init(&u->devices);
	u->generation = ++us->generations;
	map_insert(&us->map, &u->node, hash_bytes(key.p, key.n));
	return u;
}

struct device *device_new(struct chat *c, struct users *us, const char *user_id,
			  struct sio_socket *k)
{
	struct device *d = mem_zalloc(sizeof(*d));

	d->chat = c;
	d->user = user_get(us, user_id);
	d->socket = k;
	d->refs = 1;
	list_init(&d->node);
	list_append(&d->user->devices, &d->node);
	d->user->ndevices++;
	return d;
}

struct device *device_ref(struct device *d)
{
	d->refs++;
	return d;
}

void device_unref(struct device *d)
{
	if (--d->refs > 0)
		return;
	pendings_free(&d->pendings);
	seen_free(&d->seen);
	free(d);
}

static void user_free(struct users *us, struct user *u)
{
	map_remove(&us->map, &u->node);
	free(u);
}

bool device_gone(struct users *us, struct device *d, char *id_out)
{
	struct user *u = d->user;
	bool last;

	list_remove(&d->node);
	u->ndevices--;
	d->user = NULL;
	d->socket = NULL;
	last = list_empty(&u->devices);
	if (last) {
		strcpy(id_out, u->id);
		user_free(us, u);
	}
	device_unref(d);
	return last;
}

bool device_event_begin(struct device *d, size_t bytes)
{
	if (d->events >= EVENTS_MAX || d->event_bytes + bytes > EVENT_BYTES_MAX)
		return false;
	d->events++;
	d->event_bytes += (uint32_t)bytes;
	return true;
}

void device_event_end(struct device *d, size_t bytes)
{
	d->events--;
	d->event_bytes -= (uint32_t)bytes;
}
