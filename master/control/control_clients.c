#include "config.h"	/* ucred */

#include "master/control/control_clients.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/ipc/ctl_protocol.h"

#define OWNER_CLIENTS 64
#define OTHERS_CLIENTS 256	/* of all who are not trusted */
#define OWNER_UNREAD ((size_t)CTL_ANSWER_MAX + 4)
/* Who has just come may stay so long, if others can go. */
#define GRACE_MS 1000
#define KEEP_BYTES 65536	/* of an empty buffer */

void clients_init(struct clients *all, struct loop *l)
{
	*all = (struct clients){ .loop = l, .next_id = 1 };
	list_init(&all->owners);
	list_init(&all->waiting[0]);
	list_init(&all->waiting[1]);
}

static void free_now(void *arg)
{
	struct client *c = arg;
	struct owner *o = c->owner;

	task_cancel(&c->reap);
	timer_free(&c->limit);
	io_free(&c->io);
	if (c->fd != -1)
		close(c->fd);
	list_remove(&c->node);
	list_remove(&c->turn);
	buf_free(&c->in);
	buf_free(&c->out);
	free(c->change);
	c->all->others -= !o->trusted;
	free(c);
	if (--o->n == 0) {
		list_remove(&o->node);
		free(o);
	}
}

void clients_free(struct clients *all)
{
	struct list *first;

	while ((first = list_first(&all->owners)) != NULL) {
		struct owner *o = LIST_ENTRY(first, struct owner, node);

		free_now(LIST_ENTRY(list_first(&o->clients), struct client, node));
	}
}

static struct owner *owner_of(struct clients *all, uid_t uid)
{
	struct list *pos, *tmp;
	struct owner *o;

	LIST_FOREACH_SAFE(pos, tmp, &all->owners) {
		o = LIST_ENTRY(pos, struct owner, node);
		if (o->uid == uid)
			return o;
	}
	o = mem_zalloc(sizeof(*o));
	o->uid = uid;
	o->trusted = uid == 0 || uid == geteuid();
	list_init(&o->clients);
	list_append(&all->owners, &o->node);
	return o;
}

/* The one of an owner that can best be done without: who has long had nothing
 * from us, else who had most. NULL: all wait for a command's answer. */
static struct client *dispensable(struct owner *o)
{
	int64_t old_ms = clock_mono_ms() - GRACE_MS;
	struct client *found = NULL;
	struct list *pos, *tmp;

	LIST_FOREACH_SAFE(pos, tmp, &o->clients) {
		struct client *c = LIST_ENTRY(pos, struct client, node);

		if (c->busy || c->fd == -1)
			continue;
		if (c->since_ms <= old_ms && c->state != CLIENT_WAITING)
			return c;
		if (found == NULL || c->served > found->served)
			found = c;
	}
	return found;
}

static struct owner *largest_other(struct clients *all)
{
	struct owner *found = NULL;
	struct list *pos, *tmp;

	LIST_FOREACH_SAFE(pos, tmp, &all->owners) {
		struct owner *o = LIST_ENTRY(pos, struct owner, node);

		if (!o->trusted && (found == NULL || o->n > found->n))
			found = o;
	}
	return found;
}

/* Whoever goes does so at once: the newcomer's place is his. */
static bool make_room(struct clients *all, struct owner *o)
{
	struct owner *from = NULL;
	struct client *c;

	if (o->n >= OWNER_CLIENTS)
		from = o;
	else if (!o->trusted && all->others >= OTHERS_CLIENTS)
		from = largest_other(all);
	if (from == NULL)
		return true;
	c = dispensable(from);
	if (c == NULL)
		return false;
	client_close(c);
	return true;
}

struct client *clients_add(struct clients *all, const struct ucred *peer, int fd)
{
	struct owner *o = owner_of(all, peer->uid);
	struct client *c;

	/* never of one without clients: that has room */
	if (!make_room(all, o)) {
		close(fd);
		if (o->n == 0) {
			list_remove(&o->node);
			free(o);
		}
		return NULL;
	}
	c = mem_zalloc(sizeof(*c));
	c->all = all;
	c->owner = o;
	c->id = all->next_id++;
	c->pid = peer->pid;
	c->fd = fd;
	c->since_ms = clock_mono_ms();
	task_init(&c->reap, LOOP_REAP, free_now, c);
	list_init(&c->turn);
	list_append(&o->clients, &c->node);
	o->n++;
	all->others += !o->trusted;
	return c;
}

static struct client *find(struct clients *all,
			   bool (*is)(const struct client *c, uint64_t id),
			   uint64_t id)
{
	struct list *o, *c, *tmp, *tmp2;

	LIST_FOREACH_SAFE(o, tmp, &all->owners) {
		LIST_FOREACH_SAFE(c, tmp2,
				  &LIST_ENTRY(o, struct owner, node)->clients) {
			struct client *found = LIST_ENTRY(c, struct client, node);

			if (is(found, id))
				return found;
		}
	}
	return NULL;
}

static bool is_busy(const struct client *c, uint64_t id)
{
	return c->busy && c->id == id;
}

struct client *clients_find(struct clients *all, uint64_t id)
{
	return find(all, is_busy, id);
}

static bool is_connected(const struct client *c, uint64_t id)
{
	(void)id;
	return c->fd != -1;
}

struct client *clients_connected(struct clients *all)
{
	return find(all, is_connected, 0);
}

void clients_queue(struct client *c)
{
	if (list_empty(&c->turn))
		list_append(&c->all->waiting[c->owner->trusted], &c->turn);
}

/* Not the process that was last, if another waits: one that asks and asks must
 * not hold up an operator of the same user. */
static struct client *next_of(struct clients *all, struct list *waiting)
{
	struct client *found = NULL;
	struct list *pos, *tmp;

	LIST_FOREACH_SAFE(pos, tmp, waiting) {
		struct client *c = LIST_ENTRY(pos, struct client, turn);

		if (found == NULL || c->pid != all->last_pid)
			found = c;
		if (c->pid != all->last_pid)
			break;
	}
	return found;
}

struct client *clients_next(struct clients *all)
{
	struct client *c = next_of(all, &all->waiting[1]);

	if (c == NULL)
		c = next_of(all, &all->waiting[0]);
	if (c != NULL) {
		list_remove(&c->turn);
		all->last_pid = c->pid;
	}
	return c;
}

bool clients_waiting(const struct clients *all)
{
	return !list_empty(&all->waiting[0]) || !list_empty(&all->waiting[1]);
}

void client_served(struct client *c)
{
	c->since_ms = clock_mono_ms();
	c->served++;
	list_remove(&c->node);
	list_append(&c->owner->clients, &c->node);
}

static void drop_unread(struct owner *o)
{
	struct list *pos, *tmp;

	LIST_FOREACH_SAFE(pos, tmp, &o->clients) {
		struct client *c = LIST_ENTRY(pos, struct client, node);

		if (c->out.len > 0) {
			client_close(c);
			return;
		}
	}
}

void client_put(struct client *c, struct slice text)
{
	uint32_t be = htonl((uint32_t)text.n);
	size_t n = sizeof(be) + text.n;

	while (c->owner->unread > 0 && c->owner->unread + n > OWNER_UNREAD)
		drop_unread(c->owner);
	free(c->change);
	c->change = NULL;
	c->harmless = false;
	c->owner->unread += n;
	buf_add(&c->out, &be, sizeof(be));
	buf_add(&c->out, text.p, text.n);
}

void client_sent(struct client *c, size_t n)
{
	c->sent += n;
	if (c->sent < c->out.len)
		return;
	c->owner->unread -= c->out.len;
	c->sent = 0;
	buf_clear(&c->out);
	if (c->out.cap > KEEP_BYTES)
		buf_free(&c->out);
}

void client_close(struct client *c)
{
	if (c->fd == -1)
		return;
	io_watch(&c->io, 0);
	timer_disarm(&c->limit);
	list_remove(&c->turn);
	c->owner->unread -= c->out.len;
	buf_free(&c->out);
	buf_free(&c->in);
	close(c->fd);
	c->fd = -1;
	if (!c->busy)
		client_reap(c);
}

void client_reap(struct client *c)
{
	loop_defer(c->all->loop, &c->reap);
}
