/* The writer's side. */
#include "config.h"	/* memfd_create */

#include "common/ipc/stats_page.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"

/* Histograms are numbered among themselves. */
#define HIST_ID_COUNTER(name)
#define HIST_ID_GAUGE(name)
#define HIST_ID_HISTOGRAM(name) HIST_##name,
#define HIST_ID(kind, name, help) HIST_ID_##kind(name)
enum { STATS_TABLE(HIST_ID) HIST__COUNT };

#define HIST_OF_COUNTER(name)
#define HIST_OF_GAUGE(name)
#define HIST_OF_HISTOGRAM(name) [STAT_##name] = HIST_##name,
#define HIST_OF(kind, name, help) HIST_OF_##kind(name)
static const uint8_t hist_of[STAT__COUNT] = { STATS_TABLE(HIST_OF) };

#define KIND_COUNTER 'c'
#define KIND_GAUGE 'g'
#define KIND_HISTOGRAM 'h'
#define STATS_ROW(kind, name, help) { KIND_##kind, #name, help },
static const struct {
	char kind;
	const char *name;
	const char *help;
} rows[STAT__COUNT] = { STATS_TABLE(STATS_ROW) };

#define STATS_TEXT(kind, name, help) + sizeof(#name) + sizeof(help)

struct hist {
	uint64_t sum_us;
	uint64_t bucket[HIST_BUCKETS];
};

struct page {
	struct stats_head head;
	struct stats_entry items[STAT__COUNT];
	char text[(0 STATS_TABLE(STATS_TEXT) + 7) / 8 * 8];
	int64_t values[STAT__COUNT];
	struct hist hists[HIST__COUNT];
	struct flight_entry ring[FLIGHT_RING];
};

/* Until stats_attach(); its ring costs nothing before it is written. */
static struct page private_page;
static struct page *page = &private_page;

/* There is one writer, the loop's thread: a load and a store do, where an
 * atomic addition would lock the cache line for every event. */
static void bump(uint64_t *p, uint64_t n)
{
	__atomic_store_n(p, __atomic_load_n(p, __ATOMIC_RELAXED) + n,
			 __ATOMIC_RELAXED);
}

void stats_add(enum stat_id id, int64_t n)
{
	bump((uint64_t *)&page->values[id], (uint64_t)n);
}

void stats_set(enum stat_id id, int64_t v)
{
	__atomic_store_n(&page->values[id], v, __ATOMIC_RELAXED);
}

int64_t stats_get(enum stat_id id)
{
	return __atomic_load_n(&page->values[id], __ATOMIC_RELAXED);
}

void stats_observe(enum stat_id id, int64_t us)
{
	struct hist *h = &page->hists[hist_of[id]];

	if (rows[id].kind != 'h')
		return;
	bump(&h->bucket[hist_index(us)], 1);
	bump(&h->sum_us, us < 0 ? 0 : (uint64_t)us);
}

void flight_record(enum flight_event ev, const char *id, uint32_t arg)
{
	uint64_t n = page->head.ring_next;
	struct flight_entry *e = &page->ring[n % FLIGHT_RING];

	/* The reader takes an entry only if seq is right before and after. */
	__atomic_store_n(&e->seq, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	e->wall_us = clock_wall_us();
	e->event = (uint32_t)ev;
	e->arg = arg;
	flight_pack(id, e->id);
	__atomic_store_n(&e->seq, (uint32_t)n + 1, __ATOMIC_RELEASE);
	__atomic_store_n(&page->head.ring_next, n + 1, __ATOMIC_RELEASE);
}

int stats_create(void)
{
	int fd = memfd_create("pairwire-stats", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int rc;

	if (fd == -1)
		return -errno;
	/* It may grow for a newer worker with more items. It must not shrink:
	 * the master reads it by mmap. */
	if (ftruncate(fd, sizeof(struct page)) == -1 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == -1) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

static uint32_t add_text(struct page *p, size_t *used, const char *s)
{
	size_t at = *used;

	memcpy(p->text + at, s, strlen(s) + 1);
	*used += strlen(s) + 1;
	return (uint32_t)(offsetof(struct page, text) + at);
}

/* The writer describes its own page: its table may differ from the master's. */
static void describe(struct page *p)
{
	size_t used = 0;

	for (size_t i = 0; i < STAT__COUNT; i++) {
		struct stats_entry *e = &p->items[i];

		e->kind = (uint8_t)rows[i].kind;
		e->name_off = add_text(p, &used, rows[i].name);
		e->help_off = add_text(p, &used, rows[i].help);
		e->data_off = (uint32_t)(rows[i].kind == 'h' ?
			offsetof(struct page, hists) +
				hist_of[i] * sizeof(struct hist) :
			offsetof(struct page, values) + i * sizeof(int64_t));
	}
	p->head = (struct stats_head){
		.version = STATS_VERSION,
		.size = sizeof(*p),
		.nitems = STAT__COUNT,
		.items_off = offsetof(struct page, items),
		.ring_off = offsetof(struct page, ring),
		.ring_n = FLIGHT_RING,
		.ring_entry = sizeof(struct flight_entry),
		.hist_sub_bits = HIST_SUB_BITS,
		.hist_buckets = HIST_BUCKETS,
	};
	__atomic_store_n(&p->head.magic, STATS_MAGIC, __ATOMIC_RELEASE);
}

int stats_attach(int fd)
{
	struct page *p;
	struct stat st;

	if (fstat(fd, &st) == -1)
		return -errno;
	if ((size_t)st.st_size < sizeof(*p) &&
	    ftruncate(fd, sizeof(*p)) == -1)
		return -errno;
	p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	describe(p);
	page = p;
	return 0;
}
