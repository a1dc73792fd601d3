/* A subscription: one channel for as long as it lives, and others that come and
 * go. */
#include <stdlib.h>
#include <string.h>

#include "common/backend/redis_conn.h"
#include "common/base/list.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/base/siphash.h"

/* Channels of one SUBSCRIBE or UNSUBSCRIBE. */
#define CHUNK 512

/* A channel besides the first. */
struct sub_channel {
	struct map_node node;
	struct list waiting;	/* in redis_sub.waiting while wanted != told */
	bool wanted;
	bool told;		/* what the server was told last */
	size_t n;
	char name[];
};

struct redis_sub {
	struct redis_conn conn;
	char *channel;
	redis_message_cb *msg;
	redis_state_cb *state;
	void *arg;

	struct map channels;
	struct list waiting;
	struct task tell;
	unsigned unanswered;	/* channels of the commands under way */
};

static struct slice str_of(const redisReply *r)
{
	return (struct slice){ r->str, (size_t)r->len };
}

/* --- further channels --- */

static bool is_named(const struct map_node *node, const void *key)
{
	const struct sub_channel *c =
		CONTAINER_OF(node, const struct sub_channel, node);
	const struct slice *name = key;

	return c->n == name->n && memcmp(c->name, name->p, name->n) == 0;
}

static void channel_free(struct redis_sub *s, struct sub_channel *c)
{
	map_remove(&s->channels, &c->node);
	list_remove(&c->waiting);
	free(c);
}

/* Either way, the difference to what the server knows is told at the end of
 * the turn: whoever comes and goes within one costs nothing. */
static void channel_want(struct redis_sub *s, struct sub_channel *c, bool wanted)
{
	c->wanted = wanted;
	list_remove(&c->waiting);
	if (c->wanted != c->told) {
		list_append(&s->waiting, &c->waiting);
		loop_defer(s->conn.loop, &s->tell);
	} else if (!wanted) {
		channel_free(s, c);
	}
}

void redis_sub_add(struct redis_sub *s, struct slice channel)
{
	uint64_t hash = hash_bytes(channel.p, channel.n);
	struct map_node *node = map_find(&s->channels, hash, &channel);
	struct sub_channel *c;

	if (node != NULL) {
		c = CONTAINER_OF(node, struct sub_channel, node);
	} else {
		c = mem_zalloc(sizeof(*c) + channel.n);
		c->n = channel.n;
		memcpy(c->name, channel.p, channel.n);
		list_init(&c->waiting);
		map_insert(&s->channels, &c->node, hash);
	}
	channel_want(s, c, true);
}

void redis_sub_remove(struct redis_sub *s, struct slice channel)
{
	struct map_node *node = map_find(&s->channels,
					 hash_bytes(channel.p, channel.n),
					 &channel);

	if (node != NULL)
		channel_want(s, CONTAINER_OF(node, struct sub_channel, node),
			     false);
}

static void on_event(redisAsyncContext *ac, void *reply_arg, void *arg);

/* One command: the first CHUNK of those that wait to be (un)subscribed. */
static void tell_some(struct redis_sub *s, bool wanted)
{
	struct sub_channel *chosen[CHUNK];
	struct slice argv[1 + CHUNK];
	struct list *pos, *tmp;
	unsigned n = 0;

	argv[0] = wanted ? SLICE("SUBSCRIBE") : SLICE("UNSUBSCRIBE");
	LIST_FOREACH_SAFE(pos, tmp, &s->waiting) {
		struct sub_channel *c = LIST_ENTRY(pos, struct sub_channel,
						   waiting);

		if (c->wanted == wanted && n < CHUNK) {
			chosen[n++] = c;
			argv[n] = (struct slice){ c->name, c->n };
		}
	}
	/* -ENOTCONN: it goes down, and all is told the next one. */
	if (n == 0 || redis_conn_send(&s->conn, (int)n + 1, argv, on_event,
				      s) != 0)
		return;
	s->unanswered += n;
	for (unsigned i = 0; i < n; i++) {
		chosen[i]->told = wanted;
		list_remove(&chosen[i]->waiting);
		if (!wanted)
			channel_free(s, chosen[i]);
	}
}

/* The next ones when the last are answered: thousands after a reconnect do not
 * fill the socket at once, and what changes back meanwhile is never told. */
static void on_tell(void *arg)
{
	struct redis_sub *s = arg;

	if (!redis_sub_up(s) || s->unanswered > 0)
		return;
	tell_some(s, false);
	tell_some(s, true);
}

static void forget_told(struct map_node *node, void *arg)
{
	struct sub_channel *c = CONTAINER_OF(node, struct sub_channel, node);
	struct redis_sub *s = arg;

	c->told = false;
	channel_want(s, c, c->wanted);
}

/* --- the connection --- */

/* ["subscribe" or "unsubscribe", channel, count] once, ["message", channel, payload] for
 * each; NULL when the connection ends, which on_state() hears of separately. */
static void on_event(redisAsyncContext *ac, void *reply_arg, void *arg)
{
	const redisReply *reply = reply_arg;
	struct redis_sub *s = arg;
	const redisReply *payload;

	(void)ac;
	if (reply == NULL || reply->type != REDIS_REPLY_ARRAY ||
	    reply->elements != 3)
		return;
	payload = reply->element[2];
	if (payload->type == REDIS_REPLY_STRING) {
		if (redis_sub_up(s))
			s->msg(s->arg, str_of(reply->element[1]),
			       str_of(payload));
	} else if (!redis_sub_up(s)) {
		redis_conn_set_up(&s->conn);
	} else if (s->unanswered > 0 && --s->unanswered == 0) {
		loop_defer(s->conn.loop, &s->tell);
	}
}

/* SUBSCRIBE only now: on a subscribed connection hiredis takes an error
 * reply, such as that to a refused AUTH, for the end of the world. Nothing but
 * (UN)SUBSCRIBE may follow (a PING's answer is never reported), so that
 * liveness is proven from outside: redis_sub_drop(). The first channel stays:
 * hiredis would take a connection without any for an ordinary one. */
static void on_greeted(void *arg)
{
	struct redis_sub *s = arg;
	struct slice argv[] = { SLICE("SUBSCRIBE"),
				{ s->channel, strlen(s->channel) } };

	if (redis_conn_send(&s->conn, 2, argv, on_event, s) != 0)
		redis_conn_break(&s->conn, "SUBSCRIBE could not be sent");
}

static void on_state(void *arg, bool up)
{
	struct redis_sub *s = arg;

	s->unanswered = 0;
	if (up)
		loop_defer(s->conn.loop, &s->tell);
	else
		map_each(&s->channels, forget_told, s);
	if (s->state != NULL)
		s->state(s->arg, up);
}

static const struct redis_conn_ops ops = { NULL, on_greeted, on_state };

struct redis_sub *redis_sub_new(struct loop *l, const struct redis_conf *conf,
				const char *channel, redis_message_cb *msg,
				redis_state_cb *state, void *arg)
{
	struct redis_sub *s = mem_zalloc(sizeof(*s));

	s->channel = mem_strdup(channel);
	s->msg = msg;
	s->state = state;
	s->arg = arg;
	map_init(&s->channels, is_named);
	list_init(&s->waiting);
	task_init(&s->tell, LOOP_ROUTE, on_tell, s);
	redis_conn_init(&s->conn, l, conf, &ops, s);
	return s;
}

static void free_channel(struct map_node *node, void *arg)
{
	channel_free(arg, CONTAINER_OF(node, struct sub_channel, node));
}

void redis_sub_free(struct redis_sub **sp)
{
	struct redis_sub *s = *sp;

	if (s == NULL)
		return;
	redis_conn_free(&s->conn);
	task_cancel(&s->tell);
	map_each(&s->channels, free_channel, s);
	map_free(&s->channels);
	free(s->channel);
	free(s);
	*sp = NULL;
}

bool redis_sub_up(const struct redis_sub *s)
{
	return s->conn.state == REDIS_CONN_UP;
}

void redis_sub_drop(struct redis_sub *s)
{
	redis_conn_break(&s->conn, "dropped: its messages stopped coming");
}
