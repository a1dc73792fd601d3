#include "config.h"	/* F_DUPFD_CLOEXEC */

#include "master/status/explain.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "master/members.h"
#include "master/workers/supervisor.h"

#define ID_DIGITS 24
/* A message that has more of them on one worker is resent without end. */
#define EVENTS_MAX 256

struct dead {
	struct stats_view *page;	/* NULL: nobody died yet */
	int fd;				/* its own, to be left to another master */
	uint32_t instance;
};

struct explain {
	struct dead *dead;		/* by slot */
	unsigned slots;
};

static const struct {
	const char *name;
	const char *arg;	/* what its number is; NULL: nothing */
} names[] = {
	[FLIGHT_ACCEPTED] = { "accepted", NULL },
	[FLIGHT_DEDUPLICATED] = { "deduplicated", NULL },
	[FLIGHT_STORED] = { "stored", "after_arrival_us" },
	[FLIGHT_ROUTED] = { "routed", "instances" },
	[FLIGHT_WRITTEN] = { "written", "devices" },
	[FLIGHT_CONFIRMED] = { "confirmed", NULL },
	[FLIGHT_READ] = { "read", NULL },
	[FLIGHT_PUSH_QUEUED] = { "push queued", NULL },
};

struct event {
	struct flight_item it;
	unsigned slot;
	uint32_t instance;
	bool alive;
};

struct events {
	struct event *list;
	size_t n;
};

struct explain *explain_new(unsigned slots)
{
	struct explain *e = mem_zalloc(sizeof(*e));

	e->slots = slots;
	e->dead = mem_zalloc(slots * sizeof(*e->dead));
	return e;
}

static void forget(struct dead *d)
{
	if (d->page == NULL)
		return;
	stats_view_close(&d->page);
	close(d->fd);
}

/* fd is taken. */
static void keep(struct dead *d, int fd, uint32_t instance)
{
	struct stats_view *page = fd != -1 ? stats_view_open(fd) : NULL;

	if (page == NULL) {
		if (fd != -1)
			close(fd);
		return;		/* it did not live to write one */
	}
	forget(d);
	*d = (struct dead){ page, fd, instance };
}

void explain_free(struct explain **ep)
{
	struct explain *e = *ep;

	if (e == NULL)
		return;
	for (unsigned i = 0; i < e->slots; i++)
		forget(&e->dead[i]);
	free(e->dead);
	free(e);
	*ep = NULL;
}

void explain_worker_died(struct explain *e, const struct instance *i)
{
	/* One that never served has nothing to tell. */
	if (i->ready_ms == 0)
		return;
	keep(&e->dead[i->slot], fcntl(i->stats_fd, F_DUPFD_CLOEXEC, 0), i->id);
}

json_t *explain_save(const struct explain *e)
{
	json_t *pages = json_array();

	for (unsigned i = 0; i < e->slots; i++)
		if (e->dead[i].page != NULL)
			json_array_append_new(pages, json_pack(
				"{s:i, s:I, s:i}", "slot", (int)i,
				"instance", (json_int_t)e->dead[i].instance,
				"fd", e->dead[i].fd));
	return json_pack("{s:o}", "pages", pages);
}

void explain_load(struct explain *e, const struct members *m)
{
	struct members saved = { members_object(m, "explain"), "explain", m->err };
	const json_t *pages = members_array(&saved, "pages");
	char where[40];

	for (size_t i = 0; i < json_array_size(pages) && *m->err == '\0'; i++) {
		struct members one = { json_array_get(pages, i), where, m->err };
		int64_t slot, instance;
		int fd;

		snprintf(where, sizeof(where), "explain.pages[%zu]", i);
		slot = members_int(&one, "slot", 0, (int64_t)e->slots - 1);
		instance = members_int(&one, "instance", 1, UINT32_MAX);
		fd = members_fd(&one, "fd");
		if (*m->err == '\0')
			keep(&e->dead[slot], fd, (uint32_t)instance);
	}
}

bool explain_is_id(const char *id)
{
	size_t n = 0;

	while (isxdigit((unsigned char)id[n]))
		n++;
	return n == ID_DIGITS && id[n] == '\0';
}

static void look(struct events *all, const struct stats_view *page,
		 const char *id, struct event where)
{
	struct flight_item found[EVENTS_MAX];
	size_t n = page != NULL ?
		stats_view_flight_of(page, id, found, EVENTS_MAX) : 0;

	if (n == 0)
		return;
	all->list = mem_realloc(all->list, (all->n + n) * sizeof(*all->list));
	for (size_t i = 0; i < n; i++) {
		where.it = found[i];
		all->list[all->n++] = where;
	}
}

static void look_alive(struct events *all, struct instance *i, const char *id)
{
	if (i != NULL)
		look(all, instance_stats(i), id, (struct event){
			.slot = i->slot, .instance = i->id, .alive = true });
}

/* Of what happened in the same microsecond, what comes first in a message's
 * life. */
static int by_time(const void *a, const void *b)
{
	const struct flight_item *x = &((const struct event *)a)->it;
	const struct flight_item *y = &((const struct event *)b)->it;

	if (x->wall_us != y->wall_us)
		return x->wall_us < y->wall_us ? -1 : 1;
	return (x->event > y->event) - (x->event < y->event);
}

static void time_text(int64_t us, char *out, size_t n)
{
	time_t s = (time_t)(us / 1000000);
	struct tm tm;
	char date[32] = "";

	if (gmtime_r(&s, &tm) != NULL)
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, n, "%s.%06uZ", date, (unsigned)(us % 1000000));
}

static json_t *event_json(const struct event *ev)
{
	const struct flight_item *it = &ev->it;
	bool known = it->event < ARRAY_SIZE(names) &&
		     names[it->event].name != NULL;
	char time[48], number[24];
	json_t *o;

	time_text(it->wall_us, time, sizeof(time));
	snprintf(number, sizeof(number), "event %u", it->event);
	o = json_pack("{s:s, s:I, s:s, s:i, s:I, s:b}", "time", time, "us",
		      (json_int_t)it->wall_us, "event",
		      known ? names[it->event].name : number, "slot",
		      (int)ev->slot, "instance", (json_int_t)ev->instance,
		      "alive", (int)ev->alive);
	if (known && names[it->event].arg != NULL)
		json_object_set_new(o, names[it->event].arg,
				    json_integer(it->arg));
	return o;
}

json_t *explain_json(struct explain *e, const struct supervisor *sup,
		     const char *id)
{
	struct events all = { NULL, 0 };
	json_t *list = json_array();

	for (unsigned i = 0; i < supervisor_slots(sup); i++) {
		const struct dead *d = &e->dead[i];
		struct slot_view v;

		supervisor_slot(sup, i, &v);
		look(&all, d->page, id, (struct event){
			.slot = i, .instance = d->instance, .alive = false });
		look_alive(&all, v.worker, id);
		look_alive(&all, v.successor, id);
	}
	for (unsigned i = 0; i < supervisor_draining(sup); i++)
		look_alive(&all, supervisor_drainer(sup, i), id);
	if (all.n > 0)
		qsort(all.list, all.n, sizeof(*all.list), by_time);
	for (size_t i = 0; i < all.n; i++)
		json_array_append_new(list, event_json(&all.list[i]));
	free(all.list);
	return json_pack("{s:s, s:o}", "id", id, "events", list);
}
