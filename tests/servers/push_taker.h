/* For tests of the push queue on Redis Streams: the queue, and a consumer that
 * notes what it was given. */
#ifndef PW_PUSH_TAKER_H
#define PW_PUSH_TAKER_H

#include <signal.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/queue/push_queue.h"
#include "tests/servers/loop_wait.h"
#include "tests/servers/redis_admin.h"

static struct loop *l;
static char url[128];
static unsigned timeout_ms = 20000;	/* beyond what a busy machine takes */

static void begin(unsigned db)
{
	struct redis_conf c = redis_test_conf("push", db);

	signal(SIGPIPE, SIG_IGN);
	log_init("test", LOG_LVL_INFO);
	l = loop_new();
	admin_open(db);
	snprintf(url, sizeof(url), "redis://%s:%u/%u", c.host, c.port, db);
}

static void end(void)
{
	admin_close();
	loop_free(&l);
}

static struct push_queue *queue(uint64_t limit)
{
	struct push_queue_conf conf = { .url = url, .limit = limit,
					.timeout_ms = timeout_ms };
	char err[256];
	struct push_queue *q = push_queue_new(l, &conf, err);

	cr_assert_not_null(q, "%s", err);
	return q;
}

static void on_added(void *arg, int err)
{
	*(int *)arg = err;
}

/* Until the connection is up an add is refused: try on. */
static int add(struct push_queue *q, const char *key, const char *json)
{
	struct slice event = { json, strlen(json) };
	int err;

	do {
		err = 1;
		push_queue_add(q, key, "ann", event, on_added, &err);
		cr_assert_eq(err, 1, "called back before the return");
		WAIT_FOR(l, err <= 0);
	} while (err == -ENOTCONN);
	return err;
}

/* A consumer, and what it was given. */
struct taker {
	struct push_consumer *c;
	size_t n;
	char entries[64][48];
	char events[64][32];
	bool ack;		/* each at once */
	size_t pause_at;	/* from within the callback of this one; 0: never */
	int states;		/* 1 for each up, 100 for each down */
};

static void on_event(void *arg, const char *entry, struct slice json)
{
	struct taker *t = arg;

	cr_assert_lt(t->n, 64);
	snprintf(t->entries[t->n], sizeof(t->entries[0]), "%s", entry);
	snprintf(t->events[t->n], sizeof(t->events[0]), "%.*s", (int)json.n,
		 json.p);
	t->n++;
	if (t->ack)
		push_consumer_ack(t->c, entry);
	if (t->n == t->pause_at)
		push_consumer_pause(t->c, true);
}

static void on_taker_state(void *arg, bool up)
{
	((struct taker *)arg)->states += up ? 1 : 100;
}

static void take(struct taker *t, const char *name, unsigned max,
		 unsigned idle_ms)
{
	struct push_consumer_conf conf = {
		.url = url, .group = "pushd", .consumer = name,
		.max_in_flight = max, .claim_idle_ms = idle_ms,
		.timeout_ms = timeout_ms, .state = on_taker_state,
	};
	char err[256];

	*t = (struct taker){ 0 };
	t->c = push_consumer_new(l, &conf, on_event, t, err);
	cr_assert_not_null(t->c, "%s", err);
}

static long long waiting(void)
{
	return admin_int("XLEN %s", PUSH_STREAM);
}

static void add_numbered(struct push_queue *q, int from, int to)
{
	char text[16];

	for (int i = from; i < to; i++) {
		snprintf(text, sizeof(text), "%d", i);
		cr_assert_eq(add(q, text, text), 0);
	}
}

#endif
