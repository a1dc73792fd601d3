#include "worker/presence.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/siphash.h"
#include "worker/presence_impl.h"

#define BATCH_CHANGES 200	/* of one script call */
/* Beyond, a Redis that kept its data still has the user to be buried; of one that
 * lost it nobody is told that he left. */
#define LEAVES_MAX 100000

/* A user who enters or leaves, on his way to Redis. */
struct change {
	struct list node;
	uint64_t number;
	char *user;
	char *sid;		/* NULL: leaves */
	void (*entered)(void *arg, int err);
	void *arg;
};

/* A user who left, until his grace is over: after an outage his route must still
 * go, and a Redis that lost everything does not know who was about to be
 * announced as gone. Nobody else here remembers him. */
struct leave {
	struct map_node node;
	uint64_t change;	/* that carries it; 0: to be repeated */
	int64_t until_ms;	/* monotonic; 0: Redis has not confirmed it */
	char user[];
};

struct call {
	struct list node;
	struct presence *p;	/* NULL: freed */
	presence_reply *fn;
	void *arg;
};

static void on_reply(void *arg, int err, const struct redisReply *reply)
{
	struct call *c = arg;

	if (c->p != NULL) {
		list_remove(&c->node);
		c->fn(c->p, err, reply, c->arg);
	}
	free(c);
}

static struct call *call_new(struct presence *p, presence_reply *fn, void *arg)
{
	struct call *c = mem_alloc(sizeof(*c));

	*c = (struct call){ .p = p, .fn = fn, .arg = arg };
	list_append(&p->calls, &c->node);
	return c;
}

void presence_eval(struct presence *p, struct redis_script *s, int argc,
		   const struct slice *argv, presence_reply *fn, void *arg)
{
	redis_eval(p->redis, s, 0, argc, argv, on_reply, call_new(p, fn, arg));
}

void presence_command(struct presence *p, int argc, const struct slice *argv,
		      presence_reply *fn, void *arg)
{
	redis_command(p->redis, argc, argv, on_reply, call_new(p, fn, arg));
}

static bool leave_is(const struct map_node *n, const void *user)
{
	return strcmp(CONTAINER_OF(n, struct leave, node)->user, user) == 0;
}

static struct leave *leave_find(struct presence *p, const char *user)
{
	struct map_node *n = map_find(&p->leaves, hash_str(user), user);

	return n != NULL ? CONTAINER_OF(n, struct leave, node) : NULL;
}

static void leave_forget(struct presence *p, struct leave *l)
{
	map_remove(&p->leaves, &l->node);
	free(l);
}

static void leave_note(struct presence *p, const char *user, uint64_t change)
{
	struct leave *l = leave_find(p, user);

	if (l == NULL) {
		size_t n = strlen(user) + 1;

		if (p->leaves.count >= LEAVES_MAX)
			return;
		l = mem_alloc(sizeof(*l) + n);
		memcpy(l->user, user, n);
		map_insert(&p->leaves, &l->node, hash_str(user));
	}
	l->change = change;
	l->until_ms = 0;
}

static void change_free(struct change *c)
{
	free(c->user);
	free(c->sid);
	free(c);
}

static void leave_done(struct presence *p, const struct change *c, int err)
{
	struct leave *l = leave_find(p, c->user);

	if (l == NULL || l->change != c->number)
		return;		/* came back, or left once more, meanwhile */
	if (err == 0)
		l->until_ms = clock_mono_ms() + p->remember_ms;
	else
		l->change = 0;
}

static void change_done(struct presence *p, struct change *c, int err,
			long long said)
{
	if (c->sid == NULL) {
		leave_done(p, c, err);
		return;
	}
	if (err != 0)
		p->stale = true;
	if (said & PRESENCE_NEW)
		p->ops.changed(p->ops.arg, c->user, true);
	if ((said & PRESENCE_UNREAD_LOST) && p->ops.unread_lost != NULL)
		p->ops.unread_lost(p->ops.arg, c->user);
	if (c->entered != NULL)
		c->entered(c->arg, err);
}

static void on_applied(struct presence *p, int err,
		       const struct redisReply *reply, void *arg)
{
	struct list *changes = arg;
	struct list *n;
	size_t i = 0;

	if (err == 0 && reply->type != REDIS_REPLY_ARRAY)
		err = -EREMOTEIO;
	for (; (n = list_shift(changes)) != NULL; i++) {
		struct change *c = LIST_ENTRY(n, struct change, node);
		long long said = err == 0 && i < reply->elements ?
					 reply->element[i]->integer : 0;

		change_done(p, c, err, said);
		change_free(c);
	}
	free(changes);
}

/* Takes up to BATCH_CHANGES of this turn's changes. */
static void send_batch(struct presence *p)
{
	struct slice argv[3 + 3 * BATCH_CHANGES];
	struct list *sent = mem_alloc(sizeof(*sent));
	char epoch[24];
	int argc = 0;
	struct list *n;

	snprintf(epoch, sizeof(epoch), "%llu", (unsigned long long)p->epoch);
	list_init(sent);
	argv[argc++] = slice_of(p->instance);
	argv[argc++] = slice_of(epoch);
	argv[argc++] = slice_of(p->grace_ms);
	while (argc < (int)ARRAY_SIZE(argv) &&
	       (n = list_shift(&p->changes)) != NULL) {
		struct change *c = LIST_ENTRY(n, struct change, node);

		argv[argc++] = c->sid != NULL ? SLICE("e") : SLICE("l");
		argv[argc++] = slice_of(c->user);
		argv[argc++] = c->sid != NULL ? slice_of(c->sid) : SLICE("");
		list_append(sent, n);
	}
	presence_eval(p, &presence_apply_script, argc, argv, on_applied, sent);
}

void presence_flush(struct presence *p)
{
	while (!list_empty(&p->changes))
		send_batch(p);
}

static void on_flush(void *arg)
{
	struct presence *p = arg;
	struct list *n;

	if (!p->retired) {
		presence_flush(p);
		return;
	}
	while ((n = list_shift(&p->changes)) != NULL) {
		struct change *c = LIST_ENTRY(n, struct change, node);

		change_done(p, c, -ECANCELED, 0);
		change_free(c);
	}
}

static struct change *add_change(struct presence *p, const char *user,
				 const char *sid)
{
	struct change *c = mem_zalloc(sizeof(*c));

	c->user = mem_strdup(user);
	c->sid = sid != NULL ? mem_strdup(sid) : NULL;
	c->number = ++p->last_change;
	list_append(&p->changes, &c->node);
	loop_defer(p->loop, &p->flush);
	return c;
}

void presence_enter(struct presence *p, const char *user_id,
		    const char *socket_id, void (*entered)(void *arg, int err),
		    void *arg)
{
	struct leave *l = leave_find(p, user_id);
	struct change *c = add_change(p, user_id, socket_id);

	c->entered = entered;
	c->arg = arg;
	if (l != NULL)
		leave_forget(p, l);
}

void presence_leave(struct presence *p, const char *user_id)
{
	leave_note(p, user_id, add_change(p, user_id, NULL)->number);
}

static void repeat_leave(struct map_node *node, void *arg)
{
	struct presence *p = arg;
	struct leave *l = CONTAINER_OF(node, struct leave, node);

	if (l->change == 0)
		l->change = add_change(p, l->user, NULL)->number;
	else if (l->until_ms != 0 && l->until_ms < clock_mono_ms())
		leave_forget(p, l);
}

void presence_repeat_leaves(struct presence *p)
{
	map_each(&p->leaves, repeat_leave, p);
}

static void doubt_leave(struct map_node *node, void *arg)
{
	struct leave *l = CONTAINER_OF(node, struct leave, node);

	(void)arg;
	if (l->until_ms != 0)
		l->change = 0;
	l->until_ms = 0;
}

void presence_doubt_leaves(struct presence *p)
{
	map_each(&p->leaves, doubt_leave, NULL);
}

void presence_set_grace(struct presence *p, unsigned grace_ms)
{
	snprintf(p->grace_ms, sizeof(p->grace_ms), "%u", grace_ms);
	p->remember_ms = (int64_t)grace_ms + p->lease;
	presence_set_sweep(p, grace_ms);
}

struct presence *presence_new(struct loop *l, struct redis *r,
			      const struct presence_conf *c,
			      const struct presence_ops *ops)
{
	struct presence *p = mem_zalloc(sizeof(*p));

	p->loop = l;
	p->redis = r;
	p->instance = mem_strdup(c->instance);
	snprintf(p->lease_ms, sizeof(p->lease_ms), "%u", c->lease_ms);
	p->lease = c->lease_ms;
	p->renew_ms = c->lease_ms / 3;
	presence_set_grace(p, c->grace_ms);
	p->ops = *ops;
	list_init(&p->calls);
	list_init(&p->changes);
	map_init(&p->leaves, leave_is);
	task_init(&p->flush, LOOP_ROUTE, on_flush, p);
	redis_script_add(r, &presence_apply_script);
	presence_ask_init(p);
	presence_lease_init(p);
	return p;
}

static void free_leave(struct map_node *node, void *arg)
{
	leave_forget(arg, CONTAINER_OF(node, struct leave, node));
}

void presence_free(struct presence **pp)
{
	struct presence *p = *pp;
	struct list *n;

	if (p == NULL)
		return;
	*pp = NULL;
	task_cancel(&p->flush);
	presence_lease_free(p);
	while ((n = list_shift(&p->calls)) != NULL) {
		struct call *c = LIST_ENTRY(n, struct call, node);

		c->p = NULL;
		c->fn(p, -ECANCELED, NULL, c->arg);
	}
	while ((n = list_shift(&p->changes)) != NULL) {
		struct change *c = LIST_ENTRY(n, struct change, node);

		change_done(p, c, -ECANCELED, 0);
		change_free(c);
	}
	map_each(&p->leaves, free_leave, p);
	map_free(&p->leaves);
	free(p->instance);
	free(p);
}
