#include "common/queue/queue_redis_flight.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "common/backend/redis.h"
#include "common/base/list.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/base/siphash.h"
#include "common/loop/loop.h"

#define CALL_ENTRIES 500	/* of one script call */
#define RETRY_MS 500

/* ARGV: group, then ids. An entry that another consumer has claimed goes too:
 * its outcome is final. */
static struct redis_script ack_script = {
	.name = "push-ack",
	.text =
	"redis.call('XACK', '" PUSH_STREAM "', ARGV[1], unpack(ARGV, 2))\n"
	"return redis.call('XDEL', '" PUSH_STREAM "', unpack(ARGV, 2))\n",
};

/* ARGV: group, consumer, then ids: they are not idle, as far as they are still
 * ours. */
static struct redis_script touch_script = {
	.name = "push-touch",
	.text =
	"local call, stream = redis.call, '" PUSH_STREAM "'\n"
	"for i = 3, #ARGV do\n"
	"  local id = ARGV[i]\n"
	"  if #call('XPENDING', stream, ARGV[1], id, id, 1, ARGV[2]) == 1 then\n"
	"    call('XCLAIM', stream, ARGV[1], ARGV[2], 0, id, 'JUSTID')\n"
	"  end\n"
	"end\n"
	"return #ARGV - 2\n",
};

struct entry {
	struct map_node node;
	struct list acks;	/* in acks, or in a call's list */
	bool acked;
	char id[];
};

struct flight {
	struct loop *loop;
	struct redis *redis;
	struct map entries;
	struct list acks;	/* to be sent */
	struct task flush;
	struct timer retry;
	struct timer touch;
	char *group;
	char *consumer;
	int64_t touch_ms;
	void (*room)(void *arg);
	void *arg;
};

/* One acknowledging call. */
struct acking {
	struct flight *flight;
	struct list acks;
};

static bool entry_is(const struct map_node *n, const void *id)
{
	return strcmp(CONTAINER_OF(n, struct entry, node)->id, id) == 0;
}

static struct entry *find(const struct flight *f, const char *id)
{
	struct map_node *n = map_find(&f->entries, hash_str(id), id);

	return n != NULL ? CONTAINER_OF(n, struct entry, node) : NULL;
}

static void on_acked(void *arg, int err, const struct redisReply *reply)
{
	struct acking *a = arg;
	struct flight *f = a->flight;
	struct list *n;

	(void)reply;
	if (err == 0) {
		while ((n = list_shift(&a->acks)) != NULL) {
			struct entry *e = LIST_ENTRY(n, struct entry, acks);

			map_remove(&f->entries, &e->node);
			free(e);
		}
		f->room(f->arg);
	} else {
		list_splice(&f->acks, &a->acks);
		if (err != -ECANCELED)
			timer_arm(&f->retry, RETRY_MS);
	}
	free(a);
}

static void send_acks(struct flight *f)
{
	struct slice argv[1 + CALL_ENTRIES];
	struct acking *a = mem_alloc(sizeof(*a));
	struct list *n;
	int argc = 0;

	a->flight = f;
	list_init(&a->acks);
	argv[argc++] = slice_of(f->group);
	while (argc < (int)ARRAY_SIZE(argv) && (n = list_shift(&f->acks)) != NULL) {
		argv[argc++] = slice_of(LIST_ENTRY(n, struct entry, acks)->id);
		list_append(&a->acks, n);
	}
	redis_eval(f->redis, &ack_script, 0, argc, argv, on_acked, a);
}

static void on_flush(void *arg)
{
	struct flight *f = arg;

	while (redis_up(f->redis) && !list_empty(&f->acks))
		send_acks(f);
}

static void on_retry(void *arg)
{
	struct flight *f = arg;

	loop_defer(f->loop, &f->flush);
}

static void on_state(void *arg, bool up)
{
	struct flight *f = arg;

	if (up)
		loop_defer(f->loop, &f->flush);
}

struct touching {
	struct flight *flight;
	struct slice argv[2 + CALL_ENTRIES];
	int argc;
};

static void send_touch(struct touching *t)
{
	if (t->argc > 2)
		redis_eval(t->flight->redis, &touch_script, 0, t->argc, t->argv,
			   NULL, NULL);
	t->argc = 2;
}

static void touch_entry(struct map_node *node, void *arg)
{
	struct touching *t = arg;

	t->argv[t->argc++] = slice_of(CONTAINER_OF(node, struct entry, node)->id);
	if (t->argc == (int)ARRAY_SIZE(t->argv))
		send_touch(t);
}

static void on_touch(void *arg)
{
	struct flight *f = arg;
	struct touching t = { .flight = f,
			      .argv = { slice_of(f->group), slice_of(f->consumer) },
			      .argc = 2 };

	timer_arm(&f->touch, f->touch_ms);
	if (!redis_up(f->redis))
		return;
	map_each(&f->entries, touch_entry, &t);
	send_touch(&t);
}

bool flight_add(struct flight *f, const char *id)
{
	size_t n = strlen(id) + 1;
	struct entry *e;

	if (find(f, id) != NULL)
		return false;
	e = mem_zalloc(sizeof(*e) + n);
	memcpy(e->id, id, n);
	list_init(&e->acks);
	map_insert(&f->entries, &e->node, hash_str(id));
	return true;
}

void flight_ack(struct flight *f, const char *id)
{
	struct entry *e = find(f, id);

	if (e == NULL || e->acked)
		return;
	e->acked = true;
	list_append(&f->acks, &e->acks);
	loop_defer(f->loop, &f->flush);
}

size_t flight_count(const struct flight *f)
{
	return f->entries.count;
}

struct flight *flight_new(struct loop *l, const struct redis_conf *redis,
			  const struct push_consumer_conf *conf,
			  void (*room)(void *arg), void *arg)
{
	struct flight *f = mem_zalloc(sizeof(*f));

	f->loop = l;
	f->group = mem_strdup(conf->group);
	f->consumer = mem_strdup(conf->consumer);
	f->touch_ms = conf->claim_idle_ms / 3 + 1;
	f->room = room;
	f->arg = arg;
	map_init(&f->entries, entry_is);
	list_init(&f->acks);
	task_init(&f->flush, LOOP_ROUTE, on_flush, f);
	timer_init(&f->retry, l, on_retry, f);
	timer_init(&f->touch, l, on_touch, f);
	timer_arm(&f->touch, f->touch_ms);
	f->redis = redis_new(l, redis, on_state, f);
	redis_script_add(f->redis, &ack_script);
	redis_script_add(f->redis, &touch_script);
	return f;
}

static void free_entry(struct map_node *node, void *arg)
{
	struct flight *f = arg;

	map_remove(&f->entries, node);
	free(CONTAINER_OF(node, struct entry, node));
}

void flight_free(struct flight **fp)
{
	struct flight *f = *fp;

	if (f == NULL)
		return;
	*fp = NULL;
	redis_free(&f->redis);
	task_cancel(&f->flush);
	timer_free(&f->retry);
	timer_free(&f->touch);
	map_each(&f->entries, free_entry, f);
	map_free(&f->entries);
	free(f->group);
	free(f->consumer);
	free(f);
}
