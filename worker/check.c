#include "worker/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/backend/redis.h"
#include "common/backend/redis_check.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "common/queue/push_queue.h"
#include "common/store/message_store.h"
#include "worker/chat/chat.h"
#include "worker/directory.h"

/* Before the master stops waiting; a backend's own deadline may be later. */
#define DEADLINE_MS 7000

enum part { REDIS, DATABASE, NOTIFICATIONS, STORE, PUSH, PARTS };

static const struct {
	const char *name;
	const char *keys;	/* of the configuration, where it is named */
} names[PARTS] = {
	[REDIS] = { "redis", "redis_host, redis_port, redis_password" },
	[DATABASE] = { "directory database", "database_url" },
	[NOTIFICATIONS] = { "notifications", "database_url" },
	[STORE] = { "message store", "store_url" },
	[PUSH] = { "push queue", "push_queue_url" },
};

/* Outlives its deadline: freed with the last answer, of which each backend gives
 * one. */
struct check {
	json_t *rows[PARTS];	/* NULL: not known yet */
	unsigned waiting;	/* for so many answers */
	bool told;
	struct timer deadline;
	worker_check_done *done;
	void *arg;
};

struct answer {
	struct check *check;
	enum part part;
};

static void row(struct check *k, enum part p, bool ok, const char *text,
		const char *todo)
{
	if (k->rows[p] == NULL)
		k->rows[p] = json_pack("{s:s, s:b, s:s, s:s}", "name",
				       names[p].name, "ok", (int)ok, "text",
				       text, "todo", todo);
}

static void bad(struct check *k, enum part p, const char *text)
{
	char todo[128];

	snprintf(todo, sizeof(todo), "see that it runs, and %s in the "
		 "configuration", names[p].keys);
	row(k, p, false, text, todo);
}

static void tell(struct check *k)
{
	json_t *all = json_array();
	char text[64];

	snprintf(text, sizeof(text), "no answer within %d seconds",
		 DEADLINE_MS / 1000);
	k->told = true;
	timer_disarm(&k->deadline);
	for (int p = 0; p < PARTS; p++) {
		bad(k, p, text);
		json_array_append(all, k->rows[p]);
	}
	k->done(k->arg, all);
}

static void on_deadline(void *arg)
{
	tell(arg);
}

static void release(struct check *k)
{
	if (--k->waiting > 0)
		return;
	if (!k->told)
		tell(k);
	for (int p = 0; p < PARTS; p++)
		json_decref(k->rows[p]);
	timer_free(&k->deadline);
	free(k);
}

static struct answer *expect(struct check *k, enum part p)
{
	struct answer *a = mem_alloc(sizeof(*a));

	*a = (struct answer){ k, p };
	k->waiting++;
	return a;
}

static void on_looked(void *arg, int err, const char *text, const char *todo)
{
	struct answer *a = arg;
	char why[640];

	snprintf(why, sizeof(why), "not reachable%s%s", text[0] != '\0' ? ": " : "",
		 text);
	if (err == -ENOTCONN)
		bad(a->check, a->part, why);
	else if (err == -ETIMEDOUT)
		bad(a->check, a->part, "does not answer");
	else if (err != 0)
		bad(a->check, a->part, strerror(-err));
	else
		row(a->check, a->part, todo[0] == '\0', text, todo);
	release(a->check);
	free(a);
}

static void on_redis(void *arg, int err, const struct redis_verdict *v)
{
	on_looked(arg, err, v != NULL ? v->text : "",
		  v != NULL ? v->todo : "");
}

void worker_check(struct chat *c, worker_check_done *done, void *arg)
{
	struct check *k = mem_zalloc(sizeof(*k));

	k->done = done;
	k->arg = arg;
	timer_init(&k->deadline, c->loop, on_deadline, k);
	timer_arm(&k->deadline, DEADLINE_MS);
	redis_check(c->redis, on_redis, expect(k, REDIS));
	directory_look(c->directory, on_looked, expect(k, DATABASE));
	message_store_look(c->store, on_looked, expect(k, STORE));
	push_queue_look(c->push, on_looked, expect(k, PUSH));
	if (directory_listening(c->directory))
		row(k, NOTIFICATIONS, true, "LISTEN hears its own echo", "");
	else
		row(k, NOTIFICATIONS, false, "LISTEN does not hear its own echo: "
		    "changes of the app's data come late",
		    "a pooler in between? name the server itself in "
		    "database_url");
}
