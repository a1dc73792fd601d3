/* Presence over a real Redis: two instances, and what becomes of their users. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/ipc/stats.h"
#include "tests/servers/loop_wait.h"
#include "tests/servers/redis_admin.h"
#include "worker/presence.h"

/* Renewed every five seconds, so that none expires because the machine stands
 * still for less than ten. */
#define LEASE_MS 15000
#define GRACE_MS 2500
/* What shows something only within the grace is tried so often. */
#define TRIES 20

static struct loop *l;
static unsigned grace_ms = GRACE_MS;

/* What was announced, by whichever instance, about users "u0" … "u1299". */
#define USERS 1300
static struct {
	unsigned came;
	unsigned went;
} told[USERS];

struct node {
	char instance[64];
	struct redis *redis;
	struct presence *presence;
	unsigned reregistered;
	enum presence_why why;	/* of the last of them */
	const char *local[4];	/* users to be registered again */
	void (*went_down)(struct node *n);	/* once; may be NULL */
};

static void on_changed(void *arg, const char *user_id, bool online)
{
	int i = atoi(user_id + 1);

	(void)arg;
	if (online)
		told[i].came++;
	else
		told[i].went++;
}

static void on_reregister(void *arg, enum presence_why why)
{
	struct node *n = arg;

	n->reregistered++;
	n->why = why;
	for (size_t i = 0; i < ARRAY_SIZE(n->local); i++) {
		if (n->local[i] != NULL)
			presence_enter(n->presence, n->local[i], "again", NULL,
				       NULL);
	}
}

static void on_state(void *arg, bool up)
{
	struct node *n = arg;
	void (*went_down)(struct node *) = n->went_down;

	if (up && n->presence != NULL)
		presence_redis_up(n->presence);
	if (!up && went_down != NULL) {
		n->went_down = NULL;
		went_down(n);
	}
}

static void node_start(struct node *n, const char *name, unsigned db,
		       unsigned lease_ms)
{
	struct redis_conf redis;
	struct presence_conf conf = { n->instance, lease_ms, grace_ms };
	struct presence_ops ops = { .changed = on_changed,
				    .reregister = on_reregister, .arg = n };

	*n = (struct node){ 0 };
	snprintf(n->instance, sizeof(n->instance), "host:%d:%s", (int)getpid(),
		 name);
	redis = redis_test_conf(n->instance, db);
	n->redis = redis_new(l, &redis, on_state, n);
	n->presence = presence_new(l, n->redis, &conf, &ops);
	WAIT_FOR(l, redis_up(n->redis) &&
		    admin_int("ZSCORE pw:instances %s", n->instance) > 0);
}

/* As SIGKILL does: nothing is said. */
static void node_die(struct node *n)
{
	presence_free(&n->presence);
	redis_free(&n->redis);
}

static struct node a, b;

static void pair_start(unsigned db, unsigned lease_of_a)
{
	signal(SIGPIPE, SIG_IGN);
	log_init("test", LOG_LVL_INFO);
	l = loop_new();
	admin_open(db);
	node_start(&a, "a", db, lease_of_a);
	node_start(&b, "b", db, LEASE_MS);
}

static void pair_stop(void)
{
	node_die(&a);
	node_die(&b);
	admin_close();
	loop_free(&l);
}

static void on_entered(void *arg, int err)
{
	*(int *)arg = err;
}

static int enter(struct node *n, const char *user, const char *sid)
{
	int err = 1;

	presence_enter(n->presence, user, sid, on_entered, &err);
	cr_assert_eq(err, 1, "called back before the return");
	WAIT_FOR(l, err <= 0);
	return err;
}

/* Waits until the changes of this turn have reached Redis. */
static void settle(struct node *n)
{
	cr_assert_eq(enter(n, "u1299", "probe"), 0);
}

/* Whether a grace that began after that is not over yet. */
static bool in_grace(int64_t since_ms)
{
	return clock_mono_ms() - since_ms < GRACE_MS;
}

/* Whoever was to be announced as gone has been: u1298 is, who leaves last, and
 * both have the answers to what they asked before. */
static void all_gone_are_told(void)
{
	unsigned went = told[1298].went;

	cr_assert_eq(enter(&b, "u1298", "marker"), 0);
	presence_leave(b.presence, "u1298");
	WAIT_FOR(l, told[1298].went > went);
	settle(&b);
	if (a.presence != NULL)
		settle(&a);
}

static bool online(const char *user)
{
	return admin_int("SISMEMBER online:users %s", user) == 1;
}

static bool held(const char *user, const struct node *n)
{
	bool route = admin_int("HEXISTS pw:u:%s %s", user, n->instance) == 1;

	cr_expect_eq(admin_int("SISMEMBER pw:w:%s %s", n->instance, user), route);
	return route;
}

TestSuite(presence, .timeout = 240);

Test(presence, registers_and_announces_once)
{
	int64_t since;
	bool there;

	pair_start(1, LEASE_MS);
	cr_expect_eq(enter(&a, "u0", "sid-a"), 0);
	cr_expect(online("u0"));
	cr_expect(held("u0", &a));
	cr_expect_str_eq(admin_str("GET socket:u0"), "sid-a");
	cr_expect_eq(admin_int("TTL socket:u0"), -1);
	cr_expect_eq(enter(&b, "u0", "sid-b"), 0);
	cr_expect_eq(enter(&b, "u0", "sid-b"), 0, "again is harmless");
	cr_expect_str_eq(admin_str("GET socket:u0"), "sid-b");
	cr_expect_eq(told[0].came, 1);

	/* another instance has him: online, and the key names its socket */
	presence_leave(b.presence, "u0");
	all_gone_are_told();
	cr_expect(online("u0"));
	cr_expect(!held("u0", &b));
	cr_expect_str_eq(admin_str("GET socket:u0"), "sid-a");
	cr_expect_eq(told[0].went, 0);

	since = clock_mono_ms();
	presence_leave(a.presence, "u0");
	presence_leave(a.presence, "u0");
	settle(&a);
	there = online("u0") && admin_int("ZSCORE pw:leaving u0") > 0;
	cr_expect(there || !in_grace(since), "within his grace");
	WAIT_FOR(l, told[0].went > 0);
	cr_expect(!online("u0"));
	cr_expect_eq(admin_int("EXISTS socket:u0 pw:u:u0 pw:leaving"), 0);
	all_gone_are_told();
	cr_expect_eq(told[0].went, 1, "by one instance only");
	pair_stop();
}

/* False: it took longer than the grace, and says nothing. */
static bool returns(const char *user)
{
	int64_t since;

	cr_expect_eq(enter(&a, user, "1"), 0);
	since = clock_mono_ms();
	presence_leave(a.presence, user);
	settle(&a);
	cr_expect_eq(enter(&b, user, "2"), 0);
	cr_expect_eq(admin_int("ZSCORE pw:leaving %s", user), -1);
	return in_grace(since);
}

Test(presence, says_nothing_of_a_return_within_the_grace)
{
	char user[16];
	int i = 0;

	pair_start(2, LEASE_MS);
	for (;; i++) {
		cr_assert_lt(i, TRIES, "never within the grace");
		snprintf(user, sizeof(user), "u%d", i);
		if (returns(user))
			break;
	}
	all_gone_are_told();
	cr_expect_eq(told[i].came, 1);
	cr_expect_eq(told[i].went, 0);
	cr_expect_str_eq(admin_str("GET socket:%s", user), "2");

	/* in one turn: the last word counts */
	presence_leave(b.presence, user);
	presence_enter(b.presence, user, "3", NULL, NULL);
	settle(&b);
	cr_expect(held(user, &b));
	presence_enter(b.presence, user, "4", NULL, NULL);
	presence_leave(b.presence, user);
	settle(&b);
	cr_expect(!held(user, &b));
	pair_stop();
}

Test(presence, takes_many_in_a_turn)
{
	char user[16];

	pair_start(3, LEASE_MS);
	for (int i = 0; i < 1200; i++) {
		snprintf(user, sizeof(user), "u%d", i);
		presence_enter(a.presence, user, "s", NULL, NULL);
	}
	settle(&a);
	for (int i = 0; i < 1200; i++)
		cr_assert_eq(told[i].came, 1);
	cr_expect_eq(admin_int("SCARD pw:w:%s", a.instance), 1201);
	pair_stop();
}

/* a dies with 1,200 users, of whom b has u0 too; b is told. */
Test(presence, reaps_a_dead_instance)
{
	char user[16];

	pair_start(4, 60000);
	cr_expect_eq(enter(&b, "u0", "sid-b"), 0);
	for (int i = 0; i < 1200; i++) {
		snprintf(user, sizeof(user), "u%d", i);
		presence_enter(a.presence, user, "sid-a", NULL, NULL);
	}
	settle(&a);
	node_die(&a);
	presence_reap(b.presence, a.instance);
	for (int i = 1; i < 1200; i++)
		WAIT_FOR(l, told[i].went == 1);
	cr_expect_eq(admin_int("EXISTS pw:w:%s pw:d:%s pw:n:%s pw:e:%s pw:dead",
			       a.instance, a.instance, a.instance, a.instance), 0);
	cr_expect_eq(admin_int("ZSCORE pw:instances %s", a.instance), -1);
	cr_expect(held("u0", &b));
	cr_expect(online("u0"));
	cr_expect_str_eq(admin_str("GET socket:u0"), "sid-b");
	cr_expect_eq(told[0].went, 0);
	cr_expect_eq(admin_int("SCARD online:users"), 1);
	pair_stop();
}

Test(presence, clears_up_after_an_expired_instance)
{
	long long lease;

	pair_start(5, LEASE_MS);
	cr_expect_eq(enter(&a, "u0", "1"), 0);
	cr_expect_eq(enter(&a, "u1", "1"), 0);
	lease = admin_int("ZSCORE pw:instances %s", a.instance);
	WAIT_FOR(l, admin_int("ZSCORE pw:instances %s", a.instance) > lease);
	WAIT_FOR(l, stats_get(STAT_cluster_online_users) == 2);
	cr_expect(online("u0"), "the lease is renewed");
	node_die(&a);
	cr_expect_eq(enter(&b, "u1", "2"), 0, "came back elsewhere");
	WAIT_FOR(l, told[0].went == 1);
	cr_expect_eq(admin_int("ZSCORE pw:instances %s", a.instance), -1);
	cr_expect(!held("u1", &a));
	cr_expect(held("u1", &b));
	all_gone_are_told();
	cr_expect_eq(told[1].came, 1);
	cr_expect_eq(told[1].went, 0);
	pair_stop();
}

Test(presence, registers_again_when_it_was_taken_for_dead)
{
	grace_ms = 60000;	/* longer than until a hears of it */
	pair_start(6, LEASE_MS);
	a.local[0] = "u0";
	cr_expect_eq(enter(&a, "u0", "1"), 0);
	cr_expect_eq(a.why, PRESENCE_FIRST);
	a.reregistered = 0;
	presence_reap(b.presence, a.instance);
	WAIT_FOR(l, a.reregistered == 1);
	cr_expect_eq(a.why, PRESENCE_FORGOTTEN);
	settle(&a);
	cr_expect(held("u0", &a));
	cr_expect_eq(admin_int("EXISTS pw:leaving"), 0, "nobody will be gone");
	cr_expect_eq(told[0].came, 1);
	cr_expect_eq(told[0].went, 0);
	cr_expect_eq(a.reregistered, 1);
	pair_stop();
}

/* The other order: it is registered again before its old users are looked at. */
Test(presence, spares_who_registered_again_while_being_reaped)
{
	pair_start(7, 60000);
	cr_expect_eq(enter(&a, "u0", "1"), 0);
	admin_run("SADD pw:d:%s u0 u1", a.instance);
	admin_run("HSET pw:u:u1 %s old", a.instance);
	admin_run("SADD pw:dead %s", a.instance);
	WAIT_FOR(l, admin_int("EXISTS pw:dead") == 0);
	cr_expect(held("u0", &a));
	cr_expect(!held("u1", &a));
	pair_stop();
}

Test(presence, survives_an_emptied_redis)
{
	pair_start(8, LEASE_MS);
	a.local[0] = "u0";
	cr_expect_eq(enter(&a, "u0", "1"), 0);
	a.reregistered = 0;
	admin_run("FLUSHDB");
	WAIT_FOR(l, a.reregistered == 1);
	settle(&a);
	cr_expect(held("u0", &a));
	cr_expect(online("u0"));
	cr_expect_str_eq(admin_str("GET socket:u0"), "again");
	cr_expect(admin_int("ZSCORE pw:instances %s", a.instance) > 0);
	pair_stop();
}

/* From the callback: the connection may be back before a turn of the loop ends. */
static int entered_while_down = 1;

static void while_down(struct node *n)
{
	presence_leave(n->presence, "u2");
	presence_enter(n->presence, "u3", "1", on_entered, &entered_while_down);
}

/* The connection goes, and with it a leave. */
Test(presence, survives_a_lost_connection)
{
	pair_start(9, 60000);
	a.local[0] = "u0";
	cr_expect_eq(enter(&a, "u0", "1"), 0);
	cr_expect_eq(enter(&a, "u1", "1"), 0);
	cr_expect_eq(enter(&a, "u2", "1"), 0);
	a.reregistered = 0;
	a.went_down = while_down;
	cr_assert_eq(admin_kill(a.instance), 1);
	presence_leave(a.presence, "u1");	/* lost on the way */
	WAIT_FOR(l, a.reregistered == 1 && entered_while_down <= 0);
	cr_expect_eq(a.why, PRESENCE_RECONNECTED);
	cr_expect_eq(entered_while_down, -ENOTCONN);
	settle(&a);
	cr_expect(held("u0", &a));
	cr_expect(!held("u1", &a));
	cr_expect(!held("u2", &a));
	WAIT_FOR(l, told[1].went == 1 && told[2].went == 1);
	cr_expect_eq(a.reregistered, 1);
	pair_stop();
}

/* It comes back empty: u1 had just left, u2 leaves meanwhile. */
Test(presence, survives_a_redis_that_forgot)
{
	pair_start(14, 60000);
	a.local[0] = "u0";
	cr_expect_eq(enter(&a, "u0", "1"), 0);
	cr_expect_eq(enter(&a, "u1", "1"), 0);
	cr_expect_eq(enter(&a, "u2", "1"), 0);
	presence_leave(a.presence, "u1");
	settle(&a);
	a.reregistered = 0;
	cr_assert_eq(admin_kill(a.instance), 1);
	presence_leave(a.presence, "u2");
	admin_run("FLUSHDB");
	WAIT_FOR(l, a.reregistered == 1);
	WAIT_FOR(l, told[1].went == 1 && told[2].went == 1);
	all_gone_are_told();
	cr_expect(held("u0", &a));
	cr_expect_eq(told[0].went, 0);
	cr_expect_eq(told[1].went + told[2].went, 2);
	pair_stop();
}

/* It was restarted from a snapshot: u1 and u2 left since, u2's other instance is
 * right. */
Test(presence, survives_older_data)
{
	pair_start(13, 60000);
	a.local[0] = "u0";
	cr_expect_eq(enter(&a, "u0", "1"), 0);
	cr_expect_eq(enter(&b, "u2", "2"), 0);
	for (int i = 1; i <= 2; i++) {
		admin_run("SADD pw:w:%s u%d", a.instance, i);
		admin_run("HSET pw:u:u%d %s old", i, a.instance);
		admin_run("SADD online:users u%d", i);
	}
	a.reregistered = 0;
	cr_assert_eq(admin_kill(a.instance), 1);
	WAIT_FOR(l, a.reregistered == 1);
	WAIT_FOR(l, told[1].went == 1);
	cr_expect(held("u0", &a));
	cr_expect(!held("u1", &a));
	cr_expect(!held("u2", &a));
	cr_expect(held("u2", &b));
	cr_expect_eq(admin_int("EXISTS pw:d:%s", a.instance), 0);
	all_gone_are_told();
	cr_expect_eq(told[0].came, 1);
	cr_expect_eq(told[0].went + told[2].went, 0);
	cr_expect_eq(a.reregistered, 1);
	pair_stop();
}

/* What an older connection left in the server's hands comes too late. */
Test(presence, ignores_an_older_connection)
{
	pair_start(10, 60000);
	admin_run("SET pw:e:%s 1000", a.instance);
	cr_expect_eq(enter(&a, "u0", "1"), 0);
	cr_expect(!held("u0", &a));
	cr_expect(!online("u0"));
	pair_stop();
}

static void on_retired(void *arg)
{
	*(bool *)arg = true;
}

Test(presence, retires)
{
	bool done = false, leaving, in_time;
	int64_t since;

	pair_start(11, 60000);
	cr_expect_eq(enter(&a, "u0", "1"), 0);
	cr_expect_eq(enter(&a, "u1", "1"), 0);
	presence_enter(a.presence, "u2", "1", NULL, NULL);	/* this turn */
	since = clock_mono_ms();
	presence_retire(a.presence, on_retired, &done);
	cr_expect(!done);
	WAIT_FOR(l, done);
	cr_expect_eq(admin_int("ZSCORE pw:instances %s", a.instance), -1);
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(admin_int("EXISTS pw:u:u%d", i), 0);
		leaving = admin_int("ZSCORE pw:leaving u%d", i) > 0;
		cr_expect(leaving || !in_grace(since));
	}
	cr_expect_eq(enter(&a, "u3", "1"), -ECANCELED);
	cr_expect_eq(enter(&b, "u0", "2"), 0);
	in_time = in_grace(since);
	WAIT_FOR(l, told[1].went == 1 && told[2].went == 1);
	cr_expect(told[0].went == 0 || !in_time);
	cr_expect_eq(told[0].came, 1 + told[0].went);
	pair_stop();
}

Test(presence, lets_nobody_wait_when_it_ends)
{
	int first = 1, second = 1;

	pair_start(12, LEASE_MS);
	presence_enter(a.presence, "u0", "1", on_entered, &first);
	loop_turn(l, 0);
	presence_enter(a.presence, "u1", "1", on_entered, &second);
	presence_leave(a.presence, "u2");
	node_die(&a);
	cr_expect(first == 0 || first == -ECANCELED);
	cr_expect_eq(second, -ECANCELED);
	pair_stop();
}
