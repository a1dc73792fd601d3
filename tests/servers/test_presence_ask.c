/* What presence is asked, over a real Redis. */
#include <errno.h>
#include <signal.h>

#include "common/base/log.h"
#include "tests/servers/loop_wait.h"
#include "tests/servers/redis_admin.h"
#include "worker/presence.h"

static struct loop *l;

static void on_changed(void *arg, const char *user_id, bool online)
{
	(void)arg;
	(void)user_id;
	(void)online;
}

static void on_reregister(void *arg, enum presence_why why)
{
	(void)arg;
	(void)why;
}

static struct redis *connect_as(const char *name, unsigned db, unsigned port)
{
	struct redis_conf conf = redis_test_conf(name, db);

	if (port != 0)
		conf.port = port;
	return redis_new(l, &conf, NULL, NULL);
}

static struct presence *presence_of(struct redis *r, const char *instance)
{
	struct presence_conf conf = { instance, 60000, 1000 };
	struct presence_ops ops = { .changed = on_changed,
				    .reregister = on_reregister };

	return presence_new(l, r, &conf, &ops);
}

static struct redis *redis;
static struct presence *a, *b;

static void start(unsigned db)
{
	signal(SIGPIPE, SIG_IGN);
	log_init("test", LOG_LVL_INFO);
	l = loop_new();
	admin_open(db);
	redis = connect_as("ask", db, 0);
	a = presence_of(redis, "host:1:a");
	b = presence_of(redis, "host:1:b");
	WAIT_FOR(l, redis_up(redis));
}

static void stop(void)
{
	presence_free(&a);
	presence_free(&b);
	redis_free(&redis);
	admin_close();
	loop_free(&l);
}

struct answer {
	unsigned calls;
	int err;
	size_t n;
	bool online[600];
};

static void on_answer(void *arg, int err, const bool *online, size_t n)
{
	struct answer *q = arg;

	q->calls++;
	q->err = err;
	q->n = n;
	if (n > 0)
		memcpy(q->online, online, n * sizeof(*online));
}

TestSuite(presence_ask, .timeout = 240);

Test(presence_ask, who_of_many_is_online)
{
	static struct answer q, none;
	static char names[600][8];
	const char *users[600];

	start(1);
	for (int i = 0; i < 600; i++) {
		snprintf(names[i], sizeof(names[i]), "u%d", i);
		users[i] = names[i];
		if (i % 3 == 0)
			presence_enter(a, users[i], "sid", NULL, NULL);
	}
	WAIT_FOR(l, admin_int("SCARD online:users") == 200);
	presence_online(b, users, 600, on_answer, &q);
	presence_online(b, users, 0, on_answer, &none);
	memset(names, 'x', sizeof(names));	/* copied */
	cr_expect_eq(q.calls, 0, "called back before the return");
	WAIT_FOR(l, q.calls == 1 && none.calls == 1);
	cr_assert_eq(q.err, 0);
	cr_assert_eq(q.n, 600);
	for (int i = 0; i < 600; i++)
		cr_assert_eq(q.online[i], i % 3 == 0, "%d", i);
	cr_expect_eq(none.err, 0);
	cr_expect_eq(none.n, 0);
	stop();
}

struct verdict {
	unsigned calls;
	int err;
	bool yes;
};

static void on_verdict(void *arg, int err, bool yes)
{
	struct verdict *v = arg;

	v->calls++;
	v->err = err;
	v->yes = yes;
}

static bool leads(struct presence *p, const char *job, unsigned hold_ms)
{
	struct verdict v = { 0 };

	presence_lead(p, job, hold_ms, on_verdict, &v);
	cr_assert_eq(v.calls, 0, "called back before the return");
	WAIT_FOR(l, v.calls == 1);
	cr_assert_eq(v.err, 0);
	return v.yes;
}

Test(presence_ask, one_leads)
{
	start(2);
	cr_expect(leads(a, "sweep", 60000));
	cr_expect(!leads(b, "sweep", 60000));
	cr_expect(leads(a, "sweep", 3000), "still");
	cr_expect(leads(b, "other", 60000), "another job");
	cr_expect(!leads(b, "sweep", 60000));
	WAIT_FOR(l, admin_int("EXISTS pw:lead:sweep") == 0);
	cr_expect(leads(b, "sweep", 60000), "when its time is over");
	cr_expect(!leads(a, "sweep", 60000));
	stop();
}

Test(presence_ask, tells_when_redis_cannot_say)
{
	const char *users[] = { "ann" };
	struct answer q = { 0 }, ended = { 0 };
	struct verdict v = { 0 };
	struct presence *p;
	struct redis *down;

	start(3);
	down = connect_as("down", 3, 1);
	p = presence_of(down, "host:1:down");
	presence_online(p, users, 1, on_answer, &q);
	presence_lead(p, "sweep", 1000, on_verdict, &v);
	WAIT_FOR(l, q.calls == 1 && v.calls == 1);
	cr_expect_eq(q.err, -ENOTCONN);
	cr_expect_eq(q.n, 0);
	cr_expect_eq(v.err, -ENOTCONN);
	cr_expect(!v.yes);

	presence_online(p, users, 1, on_answer, &ended);
	presence_free(&p);
	cr_expect_eq(ended.calls, 1);
	cr_expect_eq(ended.err, -ECANCELED);
	redis_free(&down);
	stop();
}
