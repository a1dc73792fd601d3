#include "worker/emitter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/backend/redis.h"
#include "common/base/log.h"
#include "common/base/mem.h"

struct emitter {
	struct redis_sub *sub;
	char *key;
	struct buf requests;	/* the channel of requests */
	struct buf scratch;	/* a channel's name, or a frame */
	struct emitter_ops ops;
	unsigned told;		/* bits: why something was not relayed, logged */
};

/* Who publishes it will go on: once of a kind. */
static void not_relayed(struct emitter *e, unsigned kind, const char *why,
			size_t bytes)
{
	if (e->told & (1u << kind))
		return;
	e->told |= 1u << kind;
	log_warn("not relayed from another service, the first of its kind: %s bytes=%zu",
		 why, bytes);
}

static void on_request(struct emitter *e, struct slice msg)
{
	struct emission_to to;
	int err = emission_request(msg, &to);

	if (err == 0) {
		e->ops.disconnect(e->ops.arg, &to);
		emission_to_free(&to);
	} else if (err == -ENOTSUP) {
		not_relayed(e, 0, "a request other than disconnectSockets",
			    msg.n);
	} else {
		not_relayed(e, 1, "a request that is malformed", msg.n);
	}
}

static void on_emission(struct emitter *e, struct slice msg)
{
	struct emission_to to;
	int err;

	buf_clear(&e->scratch);
	err = emission_decode(msg, &to, &e->scratch);
	if (err == 0) {
		e->ops.emit(e->ops.arg, &to, buf_slice(&e->scratch));
		emission_to_free(&to);
	} else if (err == -ENOTSUP) {
		not_relayed(e, 2, "an event with binary data, or a name that "
			    "Socket.IO reserves, or no event", msg.n);
	} else if (err == -EMSGSIZE) {
		not_relayed(e, 3, "an event that is too large", msg.n);
	} else {
		not_relayed(e, 4, "an event that is malformed", msg.n);
	}
}

static void on_message(void *arg, struct slice channel, struct slice msg)
{
	struct emitter *e = arg;

	if (channel.n == e->requests.len &&
	    memcmp(channel.p, e->requests.p, channel.n) == 0)
		on_request(e, msg);
	else
		on_emission(e, msg);
}

void emitter_user(struct emitter *e, const char *user_id, bool here)
{
	if (e == NULL)
		return;
	buf_clear(&e->scratch);
	buf_printf(&e->scratch, "%s#/#user:%s#", e->key, user_id);
	if (here)
		redis_sub_add(e->sub, buf_slice(&e->scratch));
	else
		redis_sub_remove(e->sub, buf_slice(&e->scratch));
}

struct emitter *emitter_new(struct loop *l, const struct redis_conf *redis,
			    const char *key, const struct emitter_ops *ops)
{
	struct emitter *e = mem_zalloc(sizeof(*e));

	e->key = mem_strdup(key);
	e->ops = *ops;
	buf_printf(&e->requests, "%s-request#/#", key);
	e->sub = redis_sub_new(l, redis, buf_str(&e->requests), on_message,
			       NULL, e);
	buf_printf(&e->scratch, "%s#/#", key);
	redis_sub_add(e->sub, buf_slice(&e->scratch));
	return e;
}

void emitter_free(struct emitter **ep)
{
	struct emitter *e = *ep;

	if (e == NULL)
		return;
	redis_sub_free(&e->sub);
	free(e->key);
	buf_free(&e->requests);
	buf_free(&e->scratch);
	free(e);
	*ep = NULL;
}
