/* The reader's side: nothing in the page is trusted to be in place. */
#include "common/ipc/stats_page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/base/mem.h"

#define ITEMS_MAX 4096

const int64_t stats_bounds_us[STATS_BOUNDS] = {
	1 << 7, 1 << 9, 1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15,
	1 << 16, 1 << 17, 1 << 18, 1 << 19, 1 << 20, 1 << 22, 1 << 24,
};

struct view_item {
	char kind;
	char *name;
	char *help;
	const char *data;	/* in the map */
};

struct stats_view {
	const char *map;
	size_t size;
	struct stats_head head;	/* as it was when opened */
	struct view_item *items;
	size_t nitems;
};

static bool inside(const struct stats_view *v, uint64_t off, uint64_t n)
{
	return off <= v->size && n <= v->size - off;
}

static char *copy_text(const struct stats_view *v, uint32_t off)
{
	if (!inside(v, off, 1))
		return NULL;
	return mem_strndup(v->map + off, strnlen(v->map + off, v->size - off));
}

static bool take_item(struct stats_view *v, size_t i)
{
	struct view_item *it = &v->items[i];
	struct stats_entry e;
	size_t need;

	memcpy(&e, v->map + v->head.items_off + i * sizeof(e), sizeof(e));
	it->kind = (char)e.kind;
	it->name = copy_text(v, e.name_off);
	it->help = copy_text(v, e.help_off);
	it->data = v->map + e.data_off;
	v->nitems = i + 1;
	need = it->kind == 'h' ?
		sizeof(struct stats_hist) + v->head.hist_buckets * sizeof(uint64_t) :
		sizeof(int64_t);
	return it->name != NULL && it->help != NULL && e.data_off % 8 == 0 &&
	       inside(v, e.data_off, need);
}

static bool sane(const struct stats_view *v)
{
	const struct stats_head *h = &v->head;

	return h->magic == STATS_MAGIC && h->version == STATS_VERSION &&
	       h->nitems <= ITEMS_MAX && h->hist_sub_bits <= 8 &&
	       h->hist_buckets <= 65536 &&
	       inside(v, h->items_off, h->nitems * sizeof(struct stats_entry)) &&
	       h->ring_off % 8 == 0 && h->ring_entry % 8 == 0 &&
	       h->ring_entry >= sizeof(struct flight_entry) && h->ring_n > 0 &&
	       inside(v, h->ring_off, (uint64_t)h->ring_n * h->ring_entry);
}

struct stats_view *stats_view_open(int fd)
{
	struct stats_view *v;
	struct stat st;
	bool ok;
	void *map;

	if (fstat(fd, &st) == -1 || (size_t)st.st_size < sizeof(v->head))
		return NULL;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return NULL;
	v = mem_zalloc(sizeof(*v));
	v->map = map;
	v->size = (size_t)st.st_size;
	/* Pairs with the store of magic, which comes last. */
	v->head.magic = __atomic_load_n((const uint32_t *)map, __ATOMIC_ACQUIRE);
	if (v->head.magic == STATS_MAGIC)
		memcpy(&v->head, map, sizeof(v->head));
	ok = sane(v);
	if (ok)
		v->items = mem_zalloc((v->head.nitems + 1) * sizeof(*v->items));
	for (size_t i = 0; ok && i < v->head.nitems; i++)
		ok = take_item(v, i);
	if (!ok)
		stats_view_close(&v);
	return v;
}

void stats_view_close(struct stats_view **vp)
{
	struct stats_view *v = *vp;

	if (v == NULL)
		return;
	for (size_t i = 0; i < v->nitems; i++) {
		free(v->items[i].name);
		free(v->items[i].help);
	}
	free(v->items);
	munmap((void *)(uintptr_t)v->map, v->size);
	free(v);
	*vp = NULL;
}

static void sum_up(const struct stats_view *v, const struct stats_hist *h,
		   struct stats_item *out)
{
	uint64_t *copy = mem_alloc((v->head.hist_buckets + 1) * sizeof(*copy));
	uint64_t n = 0, seen = 0;
	size_t bound = 0;

	/* A copy, so that the count fits the percentiles. */
	for (size_t i = 0; i < v->head.hist_buckets; i++) {
		copy[i] = __atomic_load_n(&h->bucket[i], __ATOMIC_RELAXED);
		n += copy[i];
	}
	out->count = n;
	out->sum_us = __atomic_load_n(&h->sum_us, __ATOMIC_RELAXED);
	out->p50_us = out->p99_us = n > 0 ? -1 : 0;
	for (size_t i = 0; i < v->head.hist_buckets; i++) {
		int64_t middle = hist_value(i, v->head.hist_sub_bits);

		/* The first bucket of which this is true begins there. */
		while (bound < STATS_BOUNDS && middle >= stats_bounds_us[bound])
			out->below[bound++] = seen;
		seen += copy[i];
		if (out->p50_us == -1 && seen >= n - n / 2)
			out->p50_us = middle;
		if (out->p99_us == -1 && seen >= n - n / 100)
			out->p99_us = middle;
	}
	while (bound < STATS_BOUNDS)
		out->below[bound++] = seen;
	free(copy);
}

bool stats_view_cut(const struct stats_view *v, const char *name,
		    const int64_t *bounds_us, size_t n, uint64_t *below_out,
		    uint64_t *count_out)
{
	const struct stats_hist *h;
	uint64_t seen = 0;
	size_t bound = 0, i = 0;

	while (i < v->nitems && (v->items[i].kind != 'h' ||
				 strcmp(v->items[i].name, name) != 0))
		i++;
	if (i == v->nitems)
		return false;
	h = (const void *)v->items[i].data;
	for (i = 0; i < v->head.hist_buckets; i++) {
		while (bound < n && hist_value(i, v->head.hist_sub_bits) >=
					    bounds_us[bound])
			below_out[bound++] = seen;
		seen += __atomic_load_n(&h->bucket[i], __ATOMIC_RELAXED);
	}
	while (bound < n)
		below_out[bound++] = seen;
	*count_out = seen;
	return true;
}

static int64_t value_of(const struct view_item *it)
{
	return __atomic_load_n((const int64_t *)(const void *)it->data,
			       __ATOMIC_RELAXED);
}

bool stats_view_item(const struct stats_view *v, size_t i,
		     struct stats_item *out)
{
	const struct view_item *it;

	if (i >= v->nitems)
		return false;
	it = &v->items[i];
	*out = (struct stats_item){ .kind = it->kind, .name = it->name,
				    .help = it->help };
	if (it->kind == 'h')
		sum_up(v, (const void *)it->data, out);
	else
		out->value = value_of(it);
	return true;
}

int64_t stats_view_value(const struct stats_view *v, const char *name,
			 int64_t fallback)
{
	for (size_t i = 0; i < v->nitems; i++)
		if (v->items[i].kind != 'h' &&
		    strcmp(v->items[i].name, name) == 0)
			return value_of(&v->items[i]);
	return fallback;
}

/* Entry number n of the ring; event 0 when it is overwritten meanwhile. */
static void take_entry(const struct stats_view *v, uint64_t n,
		       struct flight_entry *out)
{
	const struct flight_entry *e =
		(const void *)(v->map + v->head.ring_off +
			       n % v->head.ring_n * v->head.ring_entry);
	uint32_t seq = __atomic_load_n(&e->seq, __ATOMIC_ACQUIRE);

	memcpy(out, e, sizeof(*out));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (seq != (uint32_t)n + 1 ||
	    __atomic_load_n(&e->seq, __ATOMIC_RELAXED) != seq)
		out->event = 0;
}

static struct flight_item item_of(const struct flight_entry *e)
{
	struct flight_item it = { .wall_us = e->wall_us, .event = e->event,
				  .arg = e->arg };

	for (size_t j = 0; j < sizeof(e->id); j++)
		snprintf(it.id + 2 * j, 3, "%02x", e->id[j]);
	return it;
}

static uint64_t ring_next(const struct stats_view *v)
{
	const struct stats_head *h = (const void *)v->map;

	return __atomic_load_n(&h->ring_next, __ATOMIC_ACQUIRE);
}

bool stats_view_flight(const struct stats_view *v, size_t i,
		       struct flight_item *out)
{
	uint64_t next = ring_next(v);
	struct flight_entry e;

	if (i >= next || i >= v->head.ring_n)
		return false;
	take_entry(v, next - 1 - i, &e);
	*out = item_of(&e);
	return true;
}

size_t stats_view_flight_of(const struct stats_view *v, const char *id,
			    struct flight_item *out, size_t max)
{
	uint64_t next = ring_next(v);
	struct flight_entry e;
	uint8_t want[sizeof(e.id)];
	size_t found = 0;

	flight_pack(id, want);
	for (uint64_t i = 0; i < next && i < v->head.ring_n && found < max; i++) {
		take_entry(v, next - 1 - i, &e);
		if (e.event != 0 && memcmp(e.id, want, sizeof(want)) == 0)
			out[found++] = item_of(&e);
	}
	return found;
}
