#include "common/backend/redis_check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "common/backend/redis.h"
#include "common/base/clock.h"
#include "common/base/mem.h"

/* A worker that reads slowly is cut off beyond this, and what was published to it
 * meanwhile is looked up in the store by all its clients: Redis' own default. */
#define PUBSUB_MIN (32ll * 1024 * 1024)

/* "name:value\r\n" in INFO; false: it is not there. */
static bool field(const char *info, const char *name, char *out, size_t n)
{
	size_t len = strlen(name);

	for (const char *at = info; (at = strstr(at, name)) != NULL; at += len) {
		if ((at != info && at[-1] != '\n') || at[len] != ':')
			continue;
		at += len + 1;
		snprintf(out, n, "%.*s", (int)strcspn(at, "\r\n"), at);
		return true;
	}
	return false;
}

/* "normal 0 0 0 slave … pubsub 33554432 8388608 60": the hard limit. -1: not
 * there. */
static long long pubsub_limit(const char *limits)
{
	const char *at = strstr(limits, "pubsub ");

	return at != NULL ? atoll(at + sizeof("pubsub ") - 1) : -1;
}

static PRINTF(3, 4) void complain(struct redis_verdict *v, const char *todo,
				  const char *fmt, ...)
{
	size_t n = strlen(v->text);
	va_list ap;

	if (v->todo[0] != '\0')
		return;		/* one at a time, the worst first */
	snprintf(v->todo, sizeof(v->todo), "%s", todo);
	n += (size_t)snprintf(v->text + n, sizeof(v->text) - n, "; ");
	if (n < sizeof(v->text)) {
		va_start(ap, fmt);
		vsnprintf(v->text + n, sizeof(v->text) - n, fmt, ap);
		va_end(ap);
	}
}

void redis_judge(const char *info, const char *limits, int64_t ping_us,
		 struct redis_verdict *out)
{
	char value[64] = "", policy[64] = "";
	long long limit;

	*out = (struct redis_verdict){ 0 };
	if (info == NULL) {
		snprintf(out->text, sizeof(out->text), "%.1f ms; it lets nobody "
			 "look at its settings", (double)ping_us / 1000);
		return;
	}
	if (!field(info, "redis_version", value, sizeof(value)))
		snprintf(value, sizeof(value), "unknown version");
	snprintf(out->text, sizeof(out->text), "%s, %.1f ms", value,
		 (double)ping_us / 1000);
	if (field(info, "role", value, sizeof(value)) &&
	    strcmp(value, "slave") == 0)
		complain(out, "name the primary in the configuration",
			 "it is a replica and takes no writes");
	if (field(info, "maxmemory", value, sizeof(value)) &&
	    strcmp(value, "0") != 0 &&
	    field(info, "maxmemory_policy", policy, sizeof(policy)) &&
	    strcmp(policy, "noeviction") != 0)
		complain(out, "CONFIG SET maxmemory-policy noeviction, and in "
			 "redis.conf", "maxmemory-policy %s throws away routes "
			 "and queued pushes when memory is short", policy);
	limit = limits != NULL ? pubsub_limit(limits) : -1;
	if (limit > 0 && limit < PUBSUB_MIN)
		complain(out, "CONFIG SET client-output-buffer-limit \"pubsub "
			 "32mb 8mb 60\", and in redis.conf",
			 "client-output-buffer-limit pubsub of %lld bytes cuts "
			 "workers off under load", limit);
	if (limits == NULL && out->todo[0] == '\0')
		strcat(out->text, "; client-output-buffer-limit cannot be "
				  "looked at");
}

struct check {
	redis_check_cb *cb;
	void *arg;
	int64_t sent_us;
	int64_t ping_us;
	char *refusal;		/* of PING: it does not serve anybody now */
	char *info;
	char *limits;
	int err;
};

static int unless_refused(int err)
{
	return err == -EREMOTEIO ? 0 : err;
}

static void on_ping(void *arg, int err, const redisReply *r)
{
	struct check *c = arg;

	if (err == -EREMOTEIO)
		c->refusal = mem_strdup(r->str);
	c->err = unless_refused(err);
	c->ping_us = clock_mono_us() - c->sent_us;
}

static void on_info(void *arg, int err, const redisReply *r)
{
	struct check *c = arg;

	if (err == 0 && r->type == REDIS_REPLY_STRING)
		c->info = mem_strdup(r->str);
	if (c->err == 0)
		c->err = unless_refused(err);
}

/* The last one: answers come in order. */
static void on_config(void *arg, int err, const redisReply *r)
{
	struct check *c = arg;
	struct redis_verdict v;

	if (err == 0 && r->type == REDIS_REPLY_ARRAY && r->elements == 2 &&
	    r->element[1]->type == REDIS_REPLY_STRING)
		c->limits = mem_strdup(r->element[1]->str);
	if (c->err == 0)
		c->err = unless_refused(err);
	if (c->err == 0)
		redis_judge(c->info, c->limits, c->ping_us, &v);
	if (c->err == 0 && c->refusal != NULL) {
		snprintf(v.text, sizeof(v.text), "it serves nobody: %s",
			 c->refusal);
		snprintf(v.todo, sizeof(v.todo), "do as it says");
	}
	c->cb(c->arg, c->err, c->err == 0 ? &v : NULL);
	free(c->refusal);
	free(c->info);
	free(c->limits);
	free(c);
}

void redis_check(struct redis *r, redis_check_cb *cb, void *arg)
{
	static const struct slice ping[] = { { "PING", 4 } };
	static const struct slice info[] = { { "INFO", 4 } };
	const struct slice config[] = { SLICE("CONFIG"), SLICE("GET"),
					SLICE("client-output-buffer-limit") };
	struct check *c = mem_zalloc(sizeof(*c));

	c->cb = cb;
	c->arg = arg;
	c->sent_us = clock_mono_us();
	redis_command(r, 1, ping, on_ping, c);
	redis_command(r, 1, info, on_info, c);
	redis_command(r, (int)ARRAY_SIZE(config), config, on_config, c);
}
