/* Unread counters made anew, on a real Redis (PW_TEST_REDIS_*). */
#include <errno.h>
#include <signal.h>

#include "common/base/log.h"
#include "tests/servers/loop_wait.h"
#include "tests/servers/redis_admin.h"
#include "worker/unread_sets.h"

static struct loop *l;
static struct redis *r;

TestSuite(unread_sets, .timeout = 240);

static void start(unsigned db)
{
	struct redis_conf conf;

	signal(SIGPIPE, SIG_IGN);
	log_init("test", LOG_LVL_INFO);
	l = loop_new();
	admin_open(db);
	conf = redis_test_conf("unread", db);
	r = redis_new(l, &conf, NULL, NULL);
	unread_sets_init(r);
	WAIT_FOR(l, redis_up(r));
}

static void stop(void)
{
	redis_free(&r);
	admin_close();
	loop_free(&l);
}

static struct {
	int calls, err;
	bool done;
	char token[32];		/* "": none */
} saw;

static void on_begun(void *arg, int err, const char *token)
{
	(void)arg;
	saw.calls++;
	saw.err = err;
	snprintf(saw.token, sizeof(saw.token), "%s", token != NULL ? token : "");
}

static void on_replaced(void *arg, int err, bool done)
{
	(void)arg;
	saw.calls++;
	saw.err = err;
	saw.done = done;
}

/* The token that is to be used. */
static const char *begin(const char *token, bool in_doubt)
{
	saw.calls = 0;
	unread_sets_begin(r, "ann", token, in_doubt, on_begun, NULL);
	cr_assert_eq(saw.calls, 0);
	WAIT_FOR(l, saw.calls > 0);
	cr_assert_eq(saw.err, 0);
	return saw.token;
}

static bool replace(const char *token, const struct slice *pairs, size_t n)
{
	saw.calls = 0;
	unread_sets_replace(r, "ann", token, pairs, n, on_replaced, NULL);
	WAIT_FOR(l, saw.calls > 0);
	cr_assert_eq(saw.err, 0);
	return saw.done;
}

#define ID1 "000000000000000000000001"
#define ID2 "000000000000000000000002"
#define ID3 "000000000000000000000003"

static const struct slice three[] = {
	SLICE("m1"), SLICE(ID1), SLICE("m2"), SLICE(ID2), SLICE("m1"), SLICE(ID3),
};

static void match_has(const char *match, long long n)
{
	cr_expect_eq(admin_int("SCARD pw:ur:%s:ann", match), n);
	cr_expect_eq(admin_int("GET unread:%s:ann", match), n);
	cr_expect_eq(admin_int("HGET pw:urb:ann %s", match), n > 0 ? n : -1);
}

static void is_whole(long long matches)
{
	cr_expect_eq(admin_int("HGET pw:urb:ann %s", ""), 0);
	cr_expect_eq(admin_int("HLEN pw:urb:ann"), matches + 1);
	cr_expect_eq(admin_int("EXISTS pw:urt:ann pw:urx:ann"), 0);
}

Test(unread_sets, made_anew)
{
	start(1);
	cr_assert_str_eq(begin("t1", false), "t1");
	cr_assert(replace("t1", three, 3));
	is_whole(2);
	match_has("m1", 2);
	match_has("m2", 1);
	cr_expect_eq(admin_int("SISMEMBER pw:ur:m1:ann " ID3), 1);
	cr_expect_str_eq(begin("t2", false), "", "nothing to do");
	cr_expect(replace("t2", NULL, 0), "somebody else was faster");
	match_has("m1", 2);
	stop();
}

Test(unread_sets, nobody_has_anything_to_read)
{
	start(2);
	cr_assert_str_eq(begin("t1", false), "t1");
	cr_assert(replace("t1", NULL, 0));
	is_whole(0);
	stop();
}

Test(unread_sets, not_from_what_was_read_before_a_change)
{
	start(3);
	cr_assert_str_eq(begin("t1", false), "t1");
	admin_run("DEL pw:urt:ann");	/* as the route script does */
	cr_expect_not(replace("t1", three, 3));
	cr_expect_eq(admin_int("EXISTS pw:urb:ann pw:ur:m1:ann unread:m1:ann"), 0);
	cr_assert_str_eq(begin("t2", false), "t2");
	cr_expect_not(replace("t1", three, 3), "one that began before it");
	cr_expect(replace("t2", three, 1));
	is_whole(1);
	stop();
}

Test(unread_sets, two_at_once_share_a_token)
{
	start(4);
	cr_assert_str_eq(begin("t1", false), "t1");
	cr_assert_str_eq(begin("t2", false), "t1");
	cr_expect(replace("t1", three, 3));
	cr_expect(replace("t1", three, 3));
	is_whole(2);
	stop();
}

Test(unread_sets, in_doubt_though_they_seem_whole)
{
	start(5);
	cr_assert_str_eq(begin("t1", false), "t1");
	cr_assert(replace("t1", three, 3));
	cr_assert_str_eq(begin("t2", false), "");
	cr_assert_str_eq(begin("t2", true), "t2");
	cr_expect_eq(admin_int("EXISTS pw:urb:ann"), 0);
	cr_assert_str_eq(begin("t3", true), "t3", "what was read for t2 is in doubt, too");
	cr_expect_not(replace("t2", three, 3));
	cr_expect(replace("t3", three, 1));	/* m2 is no longer among them */
	is_whole(1);
	match_has("m1", 1);
	match_has("m2", 0);
	stop();
}

Test(unread_sets, a_thousand_of_a_match)
{
	struct slice pairs[2 * 1500];
	char ids[1500][25];

	start(6);
	for (size_t i = 0; i < 1500; i++) {
		snprintf(ids[i], sizeof(ids[i]), "%024zu", i);
		pairs[2 * i] = SLICE("m1");
		pairs[2 * i + 1] = (struct slice){ ids[i], 24 };
	}
	cr_assert_str_eq(begin("t1", false), "t1");
	cr_assert(replace("t1", pairs, 1500));
	is_whole(1);
	match_has("m1", 1000);
	stop();
}

Test(unread_sets, Redis_is_away)
{
	struct redis_conf conf = { .name = "away", .host = "127.0.0.1", .port = 1,
				   .timeout_ms = 1000 };

	signal(SIGPIPE, SIG_IGN);
	l = loop_new();
	r = redis_new(l, &conf, NULL, NULL);
	unread_sets_begin(r, "ann", "t", false, on_begun, NULL);
	unread_sets_replace(r, "ann", "t", three, 3, on_replaced, NULL);
	WAIT_FOR(l, saw.calls == 2);
	cr_expect_eq(saw.err, -ENOTCONN);
	cr_expect_not(saw.done);
	redis_free(&r);
	loop_free(&l);
}
