#include "common/queue/queue_redis_flight.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "common/backend/redis.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/base/siphash.h"
#include "common/loop/loop.h"
#include "common/queue/queue_redis_dead.h"
#include "common/queue/queue_redis_lag.h"

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
	struct dead_letter *dead;	/* rejected: where it goes, then NULL */
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
	struct lag *lag;
	char *group;
	char *consumer;
	int64_t touch_ms;
	size_t owed;		/* acknowledged, not yet confirmed */
	bool draining;		/* the loop turns for these only */
	bool refused[2];	/* the last acknowledgement, rejection: said once */
	struct flight_ops ops;
	void *arg;
};

/* One call: it acknowledges entries, or rejects a single one. */
struct acking {
	struct flight *flight;
	struct list acks;
	bool rejects;
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

static void entry_free(struct flight *f, struct entry *e)
{
	map_remove(&f->entries, &e->node);
	free(e->dead);
	free(e);
}

static void confirmed(struct flight *f, struct list *acks)
{
	struct list *n;

	while ((n = list_shift(acks)) != NULL) {
		entry_free(f, LIST_ENTRY(n, struct entry, acks));
		f->owed--;
	}
	if (!f->draining)
		f->ops.room(f->arg);
	else if (f->owed == 0)
		loop_stop(f->loop);
}

static void on_acked(void *arg, int err, const struct redisReply *reply)
{
	struct acking *a = arg;
	struct flight *f = a->flight;

	if (err == 0) {
		f->refused[a->rejects] = false;
		confirmed(f, &a->acks);
	} else {
		list_splice(&f->acks, &a->acks);
		if (err != -ECANCELED)
			timer_arm(&f->retry, RETRY_MS);
		if (err == -EREMOTEIO && !f->refused[a->rejects]) {
			f->refused[a->rejects] = true;
			log_err("push queue: Redis refuses %s error=\"%s\"",
				a->rejects ? "dead letters" : "acknowledgements",
				reply->str);
		}
	}
	free(a);
}

static struct acking *acking_new(struct flight *f, bool rejects)
{
	struct acking *a = mem_alloc(sizeof(*a));

	a->flight = f;
	a->rejects = rejects;
	list_init(&a->acks);
	return a;
}

static void send_acks(struct flight *f)
{
	struct slice argv[1 + CALL_ENTRIES];
	struct acking *a = acking_new(f, false);
	struct list *n;
	int argc = 0;

	argv[argc++] = slice_of(f->group);
	while (argc < (int)ARRAY_SIZE(argv) && (n = list_first(&f->acks)) != NULL) {
		struct entry *e = LIST_ENTRY(n, struct entry, acks);

		if (e->dead != NULL)
			break;
		argv[argc++] = slice_of(e->id);
		list_remove(n);
		list_append(&a->acks, n);
	}
	redis_eval(f->redis, &ack_script, 0, argc, argv, on_acked, a);
}

static void send_dead(struct flight *f, struct entry *e)
{
	struct acking *a = acking_new(f, true);

	list_remove(&e->acks);
	list_append(&a->acks, &e->acks);
	dead_letter_send(f->redis, f->group, e->dead, on_acked, a);
}

static void on_flush(void *arg)
{
	struct flight *f = arg;

	while (redis_up(f->redis) && !list_empty(&f->acks)) {
		struct entry *e = LIST_ENTRY(list_first(&f->acks), struct entry, acks);

		if (e->dead != NULL)
			send_dead(f, e);
		else
			send_acks(f);
	}
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
	if (!f->draining)
		f->ops.state(f->arg);
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

static void settle(struct flight *f, struct entry *e)
{
	e->acked = true;
	f->owed++;
	list_append(&f->acks, &e->acks);
	loop_defer(f->loop, &f->flush);
}

void flight_ack(struct flight *f, const char *id)
{
	struct entry *e = find(f, id);

	if (e != NULL && !e->acked)
		settle(f, e);
}

void flight_reject(struct flight *f, const struct push_reject *r)
{
	struct entry *e = find(f, r->entry);

	if (e == NULL || e->acked)
		return;
	e->dead = dead_letter_new(r);
	settle(f, e);
}

static void on_drained(void *arg)
{
	loop_stop(arg);
}

void flight_drain(struct flight *f, unsigned ms)
{
	struct timer end;

	f->draining = true;
	if (f->owed == 0)
		return;
	timer_init(&end, f->loop, on_drained, f->loop);
	timer_arm(&end, ms);
	loop_run(f->loop);
	timer_free(&end);
}

size_t flight_count(const struct flight *f)
{
	return f->entries.count;
}

struct flight *flight_new(struct loop *l, const struct redis_conf *redis,
			  const struct push_consumer_conf *conf,
			  const struct flight_ops *ops, void *arg)
{
	struct flight *f = mem_zalloc(sizeof(*f));

	f->loop = l;
	f->group = mem_strdup(conf->group);
	f->consumer = mem_strdup(conf->consumer);
	f->touch_ms = conf->claim_idle_ms / 3 + 1;
	f->ops = *ops;
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
	dead_letters_begin(f->redis);
	f->lag = lag_new(l, f->redis, conf->group);
	return f;
}

struct redis *flight_redis(const struct flight *f)
{
	return f->redis;
}

int64_t flight_lag(const struct flight *f)
{
	return lag_known(f->lag);
}

static void free_entry(struct map_node *node, void *arg)
{
	entry_free(arg, CONTAINER_OF(node, struct entry, node));
}

void flight_free(struct flight **fp)
{
	struct flight *f = *fp;

	if (f == NULL)
		return;
	*fp = NULL;
	redis_free(&f->redis);
	lag_free(&f->lag);
	task_cancel(&f->flush);
	timer_free(&f->retry);
	timer_free(&f->touch);
	map_each(&f->entries, free_entry, f);
	map_free(&f->entries);
	free(f->group);
	free(f->consumer);
	free(f);
}
