#include "worker/transport/farewell.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/base/siphash.h"
#include "common/loop/deadlines.h"
#include "common/protocol/ids.h"

#define KEEP_MS 30000
#define FAREWELLS_MAX 10000
#define BYTES_MAX (16u << 20)

struct farewell {
	struct map_node node;
	struct deadline deadline;
	struct farewells *fs;
	struct buf rest;
	char sid[SESSION_ID_LEN];
};

struct farewells {
	struct map by_sid;
	struct deadlines ages;	/* oldest first */
	size_t bytes;
};

static bool sid_equal(const struct map_node *node, const void *key)
{
	const struct farewell *f = CONTAINER_OF(node, struct farewell, node);

	return memcmp(f->sid, key, SESSION_ID_LEN) == 0;
}

static void drop(struct farewell *f)
{
	map_remove(&f->fs->by_sid, &f->node);
	deadline_drop(&f->deadline);
	f->fs->bytes -= f->rest.len;
	buf_free(&f->rest);
	free(f);
}

static void on_too_late(struct deadline *d, void *arg)
{
	(void)arg;
	drop(CONTAINER_OF(d, struct farewell, deadline));
}

static struct farewell *oldest(const struct farewells *fs)
{
	struct list *n = list_first(&fs->ages.queue);

	if (n == NULL)
		return NULL;
	return CONTAINER_OF(LIST_ENTRY(n, struct deadline, node),
			    struct farewell, deadline);
}

static struct farewell *find(const struct farewells *fs, struct slice sid)
{
	struct map_node *n;

	if (sid.n != SESSION_ID_LEN || fs->by_sid.count == 0)
		return NULL;
	n = map_find(&fs->by_sid, hash_bytes(sid.p, sid.n), sid.p);
	return n != NULL ? CONTAINER_OF(n, struct farewell, node) : NULL;
}

struct farewells *farewells_new(struct loop *l)
{
	struct farewells *fs = mem_zalloc(sizeof(*fs));

	map_init(&fs->by_sid, sid_equal);
	deadlines_init(&fs->ages, l, KEEP_MS, on_too_late, NULL);
	return fs;
}

void farewells_free(struct farewells **fsp)
{
	struct farewells *fs = *fsp;
	struct farewell *f;

	if (fs == NULL)
		return;
	while ((f = oldest(fs)) != NULL)
		drop(f);
	deadlines_free(&fs->ages);
	map_free(&fs->by_sid);
	free(fs);
	*fsp = NULL;
}

void farewell_keep(struct farewells *fs, const char *sid, struct slice rest)
{
	struct farewell *f;

	if (rest.n > BYTES_MAX)
		return;
	while (fs->by_sid.count >= FAREWELLS_MAX ||
	       fs->bytes + rest.n > BYTES_MAX)
		drop(oldest(fs));
	f = mem_zalloc(sizeof(*f));
	f->fs = fs;
	memcpy(f->sid, sid, SESSION_ID_LEN);
	buf_add(&f->rest, rest.p, rest.n);
	fs->bytes += rest.n;
	deadline_init(&f->deadline);
	deadline_arm(&fs->ages, &f->deadline);
	map_insert(&fs->by_sid, &f->node, hash_bytes(sid, SESSION_ID_LEN));
}

size_t farewells_count(const struct farewells *fs)
{
	return fs->by_sid.count;
}

bool farewell_known(const struct farewells *fs, struct slice sid)
{
	return find(fs, sid) != NULL;
}

bool farewell_take(struct farewells *fs, struct slice sid, struct buf *out)
{
	struct farewell *f = find(fs, sid);

	if (f == NULL)
		return false;
	if (f->rest.len == 0) {
		buf_adds(out, "6\x1e" "1");
		drop(f);
		return true;
	}
	fs->bytes -= f->rest.len;
	*out = f->rest;
	f->rest = (struct buf){ 0 };
	return true;
}
