#include "common/queue/queue_kafka_markers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "common/backend/redis.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"

#define ASK_MAX 100		/* of one command */
#define KEY_MAX 192		/* "pw:push:" and a key, cut: then it is another's */
#define LIFE_S "172800"
#define LEAVE_ALONE 25		/* times as long as was waited for it */

/* Asked for in one command. */
struct look {
	struct list node;
	struct markers *m;	/* NULL: too late, or gone */
	struct list events;
	int64_t asked_ms;
};

struct markers {
	struct redis *redis;
	markers_cb *cb;
	void *arg;
	struct list looks;
	unsigned slow_ms;
	struct timer slow;
	int64_t alone_until_ms;
};

static void deliver(struct markers *m, struct list *events,
		    const redisReply *reply)
{
	struct list *n;

	for (size_t i = 0; (n = list_shift(events)) != NULL; i++)
		m->cb(m->arg, LIST_ENTRY(n, struct marked, node),
		      reply != NULL && i < reply->elements &&
		      reply->element[i]->type == REDIS_REPLY_STRING);
}

static void on_found(void *arg, int err, const struct redisReply *reply)
{
	struct look *l = arg;
	struct markers *m = l->m;

	if (m != NULL) {
		list_remove(&l->node);
		if (list_empty(&m->looks))
			timer_disarm(&m->slow);
		deliver(m, &l->events, err == 0 ? reply : NULL);
	}
	free(l);
}

static void on_slow(void *arg)
{
	struct markers *m = arg;
	int64_t now = clock_mono_ms();
	struct list *n;

	while ((n = list_first(&m->looks)) != NULL) {
		struct look *l = LIST_ENTRY(n, struct look, node);

		if (now - l->asked_ms < m->slow_ms) {
			timer_arm(&m->slow, m->slow_ms - (now - l->asked_ms));
			return;
		}
		m->alone_until_ms = now + LEAVE_ALONE * (int64_t)m->slow_ms;
		list_remove(n);
		l->m = NULL;
		deliver(m, &l->events, NULL);
	}
}

static void ask(struct markers *m, struct list *events)
{
	struct look *l = mem_alloc(sizeof(*l));
	char keys[ASK_MAX][KEY_MAX];
	struct slice argv[1 + ASK_MAX];
	struct list *n;
	int argc = 0;

	*l = (struct look){ .m = m, .asked_ms = clock_mono_ms() };
	list_init(&l->events);
	argv[argc++] = SLICE("MGET");
	while (argc <= ASK_MAX && (n = list_shift(events)) != NULL) {
		char *key = keys[argc - 1];

		snprintf(key, KEY_MAX, "pw:push:%s",
			 LIST_ENTRY(n, struct marked, node)->key);
		argv[argc++] = slice_of(key);
		list_append(&l->events, n);
	}
	if (list_empty(&m->looks))
		timer_arm(&m->slow, m->slow_ms);
	list_append(&m->looks, &l->node);
	redis_command(m->redis, argc, argv, on_found, l);
}

bool markers_look(struct markers *m, struct list *events)
{
	/* what is asked for already must not be overtaken */
	if (list_empty(&m->looks) &&
	    (!redis_up(m->redis) || clock_mono_ms() < m->alone_until_ms))
		return false;
	while (!list_empty(events))
		ask(m, events);
	return true;
}

void markers_set(struct markers *m, const char *key)
{
	char name[KEY_MAX];
	struct slice argv[] = { SLICE("SET"), { name, 0 }, SLICE("1"),
				SLICE("EX"), SLICE(LIFE_S) };

	if (!redis_up(m->redis))
		return;
	snprintf(name, sizeof(name), "pw:push:%s", key);
	argv[1].n = strlen(name);
	redis_command(m->redis, ARRAY_SIZE(argv), argv, NULL, NULL);
}

struct markers *markers_new(struct loop *l, struct redis *r, unsigned slow_ms,
			    markers_cb *cb, void *arg)
{
	struct markers *m = mem_zalloc(sizeof(*m));

	m->redis = r;
	m->slow_ms = slow_ms;
	m->cb = cb;
	m->arg = arg;
	list_init(&m->looks);
	timer_init(&m->slow, l, on_slow, m);
	return m;
}

void markers_free(struct markers **m, struct list *rest)
{
	struct list *n;

	if (*m == NULL)
		return;
	while ((n = list_shift(&(*m)->looks)) != NULL) {
		struct look *l = LIST_ENTRY(n, struct look, node);

		l->m = NULL;	/* freed by its answer */
		list_splice(rest, &l->events);
	}
	timer_free(&(*m)->slow);
	free(*m);
	*m = NULL;
}
