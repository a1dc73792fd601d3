#include <stdlib.h>
#include <string.h>

#include "common/backend/redis_conn.h"
#include "common/base/mem.h"

struct redis_sub {
	struct redis_conn conn;
	char *channel;
	redis_message_cb *msg;
	redis_state_cb *state;
	void *arg;
};

static struct slice str_of(const redisReply *r)
{
	return (struct slice){ r->str, (size_t)r->len };
}

/* ["subscribe", channel, count] once, ["message", channel, payload] for each;
 * NULL when the connection ends, which on_state() hears of separately. */
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
	if (strcmp(reply->element[0]->str, "subscribe") == 0)
		redis_conn_set_up(&s->conn);
	else if (payload->type == REDIS_REPLY_STRING && redis_sub_up(s))
		s->msg(s->arg, str_of(reply->element[1]), str_of(payload));
}

/* SUBSCRIBE only now: on a subscribed connection hiredis takes an error
 * reply, such as that to a refused AUTH, for the end of the world. It must be
 * the last command of the connection too (a PING's answer is never reported),
 * so that liveness is proven from outside: redis_sub_drop(). */
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
	redis_conn_init(&s->conn, l, conf, &ops, s);
	return s;
}

void redis_sub_free(struct redis_sub **sp)
{
	struct redis_sub *s = *sp;

	if (s == NULL)
		return;
	redis_conn_free(&s->conn);
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
