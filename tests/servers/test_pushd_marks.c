/* Which devices had a notification, and the badge, on a real Redis
 * (PW_TEST_REDIS_*). */
#include <errno.h>
#include <signal.h>

#include "common/base/log.h"
#include "pushd/marks.h"
#include "tests/servers/loop_wait.h"
#include "tests/servers/redis_admin.h"

static struct loop *l;
static struct redis *r;
static struct marks *m;

TestSuite(pushd_marks, .timeout = 240);

static void start(unsigned db)
{
	struct redis_conf conf;

	signal(SIGPIPE, SIG_IGN);
	log_init("test", LOG_LVL_INFO);
	l = loop_new();
	admin_open(db);
	conf = redis_test_conf("marks", db);
	conf.timeout_ms = 20000;	/* beyond what a busy machine takes */
	r = redis_new(l, &conf, NULL, NULL);
	m = marks_new(r);
	WAIT_FOR(l, redis_up(r));
}

static void stop(void)
{
	redis_free(&r);
	marks_free(&m);
	marks_free(&m);
	admin_close();
	loop_free(&l);
}

static struct {
	int calls, err;
	int64_t badge;
	char had[32][32];
	size_t n;
} saw;

static void on_got(void *arg, const struct marks_answer *a)
{
	cr_assert_eq(arg, &saw);
	saw.calls++;
	saw.err = a->err;
	saw.badge = a->badge;
	saw.n = a->n;
	for (size_t i = 0; i < a->n && i < ARRAY_SIZE(saw.had); i++)
		snprintf(saw.had[i], sizeof(saw.had[i]), "%.*s",
			 (int)a->had[i].n, a->had[i].p);
}

static void on_had(void *arg, int err)
{
	(void)arg;
	saw.calls++;
	saw.err = err;
}

static void get_n(const char *const *keys, size_t n)
{
	memset(&saw, 0, sizeof(saw));
	marks_get(m, "ann", keys, n, on_got, &saw);
	cr_assert_eq(saw.calls, 0);
	WAIT_FOR(l, saw.calls > 0);
	cr_assert_eq(saw.calls, 1);
}

static void get(const char *key)
{
	get_n(&key, 1);
}

static void had(const char *key, const char *const *ids, size_t n)
{
	saw.calls = 0;
	marks_had(m, key, ids, n, on_had, NULL);
	cr_assert_eq(saw.calls, 0);
	WAIT_FOR(l, saw.calls > 0);
	cr_assert_eq(saw.err, 0);
}

static bool device(const char *id)
{
	for (size_t i = 0; i < saw.n; i++)
		if (strcmp(saw.had[i], id) == 0)
			return true;
	return false;
}

Test(pushd_marks, nothing_is_known)
{
	start(1);
	get("k1");
	cr_expect_eq(saw.err, 0);
	cr_expect_eq(saw.badge, -1);
	cr_expect_eq(saw.n, 0);
	stop();
}

Test(pushd_marks, who_had_it)
{
	static const char *const two[] = { "d 1", "d\"2" };
	static const char *const keys[] = { "k1", "k2", "none" };
	static const char *const third[] = { "d3" };

	start(2);
	had("k1", two, 2);
	cr_expect_leq(admin_int("TTL pw:pd:k1"), MARKS_TTL_S);
	cr_expect_gt(admin_int("TTL pw:pd:k1"), MARKS_TTL_S - 60);
	had("k1", two, 1);
	had("k2", third, 1);
	get("k1");
	cr_expect_eq(saw.n, 2);
	cr_expect(device("d 1") && device("d\"2"));
	get("k2");
	cr_expect_eq(saw.n, 1);
	cr_expect(device("d3"));
	get_n(keys, 3);
	cr_expect_eq(saw.n, 3);
	stop();
}

Test(pushd_marks, many)
{
	static char names[500][16];
	static const char *keys[500];

	start(3);
	for (size_t i = 0; i < 500; i++) {
		snprintf(names[i], sizeof(names[i]), "n%zu", i);
		keys[i] = names[i];
	}
	had("n499", keys, 100);
	had("n7", keys + 50, 100);
	get_n(keys, 500);
	cr_expect_eq(saw.n, 150);
	stop();
}

Test(pushd_marks, the_badge_is_the_sum_of_whole_counts)
{
	start(4);
	admin_run("HSET pw:urb:ann m1 3 m2 1000");
	get("k");
	cr_expect_eq(saw.badge, -1, "not whole");
	admin_run("HSET pw:urb:ann %s 0", "");
	get("k");
	cr_expect_eq(saw.badge, 1003);
	admin_run("HDEL pw:urb:ann m1 m2");
	get("k");
	cr_expect_eq(saw.badge, 0);
	stop();
}

Test(pushd_marks, redis_away)
{
	start(5);
	/* Nobody comes back before he was seen to be gone. */
	admin_run("CONFIG SET maxclients 1");
	cr_assert_eq(admin_kill("marks"), 1);
	WAIT_FOR(l, !redis_up(r));
	get("k");
	admin_run("CONFIG SET maxclients 10000");
	cr_expect_eq(saw.err, -ENOTCONN);
	cr_expect_eq(saw.badge, -1);
	cr_expect_eq(saw.n, 0);
	WAIT_FOR(l, redis_up(r));
	get("k");
	cr_expect_eq(saw.err, 0);
	memset(&saw, 0, sizeof(saw));
	marks_get(m, "ann", (const char *const[]){ "k" }, 1, on_got, &saw);
	stop();
	cr_expect_eq(saw.calls, 1);
	cr_expect_eq(saw.err, -ECANCELED);
}
