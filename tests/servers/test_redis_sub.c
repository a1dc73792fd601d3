/* A subscription's further channels, against a real server (PW_TEST_REDIS_HOST
 * and _PORT). */
#include <signal.h>
#include <stdio.h>

#include "common/base/log.h"
#include "tests/servers/loop_wait.h"
#include "tests/servers/redis_admin.h"

#define TEST_DB 11
#define MANY 1300	/* more than two commands' worth */

static struct loop *l;
static struct redis_sub *sub;
static unsigned messages, ups;
static char last[64];

static void on_message(void *arg, struct slice channel, struct slice msg)
{
	(void)arg;
	messages++;
	snprintf(last, sizeof(last), "%.*s=%.*s", (int)channel.n, channel.p,
		 (int)msg.n, msg.p);
}

static void on_state(void *arg, bool up)
{
	(void)arg;
	ups += up;
}

static void setup(void)
{
	struct redis_conf conf = redis_test_conf("test_sub", TEST_DB);

	signal(SIGPIPE, SIG_IGN);
	log_init("test", LOG_LVL_DEBUG);
	admin_open(TEST_DB);
	l = loop_new();
	sub = redis_sub_new(l, &conf, "pw:test:first", on_message, on_state, NULL);
}

static void teardown(void)
{
	redis_sub_free(&sub);
	loop_free(&l);
	admin_close();
}

TestSuite(redis_sub, .init = setup, .fini = teardown, .timeout = 240);

static void add(const char *name)
{
	redis_sub_add(sub, (struct slice){ name, strlen(name) });
}

static void take_away(const char *name)
{
	redis_sub_remove(sub, (struct slice){ name, strlen(name) });
}

/* Subscriptions of our connection, as the server counts them; 0: none is up. */
static int subscribed(void)
{
	redisReply *r = admin_do("CLIENT LIST TYPE pubsub");
	const char *line = strstr(r->str, " name=test_sub ");
	int n = line != NULL ? atoi(strstr(line, " sub=") + 5) : 0;

	freeReplyObject(r);
	return n;
}

static int calls(const char *command)
{
	redisReply *r = admin_do("INFO commandstats");
	char want[64];
	const char *at;
	int n;

	snprintf(want, sizeof(want), "cmdstat_%s:calls=", command);
	at = strstr(r->str, want);
	n = at != NULL ? atoi(at + strlen(want)) : 0;
	freeReplyObject(r);
	return n;
}

static void each_of_many(void (*fn)(const char *name))
{
	char name[32];

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "pw:test:%d", i);
		fn(name);
	}
}

static void publish(const char *channel)
{
	cr_expect_eq(admin_int("PUBLISH %s hello", channel), 1);
	WAIT_FOR(l, strstr(last, channel) != NULL);
}

Test(redis_sub, comes_and_goes)
{
	/* before it is connected */
	add("pw:test:a");
	add("pw:test:a");
	add("pw:test:gone");
	take_away("pw:test:gone");
	take_away("pw:test:never");
	WAIT_FOR(l, subscribed() == 2);
	cr_expect_eq(ups, 1);
	publish("pw:test:a");
	publish("pw:test:first");

	/* and after; names are bytes, not patterns */
	redis_sub_add(sub, (struct slice){ "pw:test:\0*", 10 });
	take_away("pw:test:a");
	WAIT_FOR(l, subscribed() == 2 &&
		    admin_int("PUBLISH pw:test:a hello") == 0);
	cr_expect_eq(admin_int("PUBLISH %b hello", "pw:test:\0*", (size_t)10), 1);
	cr_expect_eq(admin_int("PUBLISH %b hello", "pw:test:\0x", (size_t)10), 0);
	WAIT_FOR(l, messages == 3);

	/* many changes of one channel, while others are under way */
	for (int i = 0; i < 5; i++) {
		add("pw:test:a");
		loop_turn(l, i % 2);
		take_away("pw:test:a");
		add("pw:test:b");
		loop_turn(l, i % 2);
		add("pw:test:a");
		take_away("pw:test:b");
	}
	WAIT_FOR(l, subscribed() == 3 &&
		    admin_int("PUBLISH pw:test:b hello") == 0);
	publish("pw:test:a");
}

/* However long that takes. */
Test(redis_sub, comes_back_before_its_going_was_answered)
{
	add("pw:test:a");
	WAIT_FOR(l, subscribed() == 2);
	admin_run("CLIENT PAUSE 200 ALL");
	take_away("pw:test:a");
	loop_turn(l, 20);
	add("pw:test:a");
	loop_turn(l, 20);
	WAIT_FOR(l, calls("unsubscribe") > 0 && subscribed() == 2);
	publish("pw:test:a");
}

Test(redis_sub, many_in_few_commands_and_again_after_a_reconnect)
{
	int before;

	WAIT_FOR(l, redis_sub_up(sub));
	before = calls("subscribe");
	each_of_many(add);
	WAIT_FOR(l, subscribed() == MANY + 1);
	cr_expect_eq(calls("subscribe"), before + 3);
	publish("pw:test:0");
	publish("pw:test:1299");

	/* what comes and goes within a turn is not told */
	before = calls("unsubscribe");
	each_of_many(take_away);
	each_of_many(add);
	loop_turn(l, 1);
	cr_expect_eq(calls("unsubscribe"), before);

	redis_sub_drop(sub);
	take_away("pw:test:7");
	add("pw:test:while-down");
	WAIT_FOR(l, ups == 2 && subscribed() == MANY + 1);
	publish("pw:test:1299");
	publish("pw:test:while-down");
	cr_expect_eq(admin_int("PUBLISH pw:test:7 hello"), 0);

	cr_expect_eq(admin_kill("test_sub"), 1);
	WAIT_FOR(l, ups == 3 && subscribed() == MANY + 1);

	before = calls("unsubscribe");
	each_of_many(take_away);
	take_away("pw:test:while-down");
	WAIT_FOR(l, subscribed() == 1);
	cr_expect_eq(calls("unsubscribe"), before + 3);
	publish("pw:test:first");
}
