/* The Redis client: servers that stall, die or turn into replicas, connections
 * that are cut, and subscriptions that come back. */
#include "tests/servers/redis_world.h"

Test(redis, stalled_server_times_out_and_is_dropped)
{
	struct server own = { 0 };
	struct redis_conf conf = conf_own(&own);
	struct states st = { 0 };
	struct redis *r;
	struct seen first = { 0 }, later = { 0 };
	int64_t began;

	conf.timeout_ms = 6000;
	server_start(&own, "");
	r = redis_new(l, &conf, on_state, &st);
	WAIT_FOR(l, redis_up(r));
	kill(own.pid, SIGSTOP);
	began = clock_mono_ms();
	for (int i = 0; i < 3; i++)
		cmd(r, &first, "PING", NULL, NULL);
	loop_turn(l, 3000);	/* neither deadline is near the other's */
	cmd(r, &later, "PING", NULL, NULL);
	cmd(r, NULL, "PING", NULL, NULL);
	WAIT_FOR(l, first.calls == 3 && later.calls == 1);
	cr_assert_geq(clock_mono_ms() - began, 5999);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(first.err[i], -ETIMEDOUT);
	cr_assert_eq(later.err[0], -ECONNRESET);
	cr_assert(!redis_up(r));
	cr_assert_eq(st.down, 1);
	/* connected by the kernel, never greeted: not up, and no pile */
	cmd(r, &later, "PING", NULL, NULL);
	WAIT_FOR(l, later.calls == 2);
	cr_assert_eq(later.err[1], -ENOTCONN);
	loop_turn(l, 500);
	cr_assert_eq(st.up, 1);
	kill(own.pid, SIGCONT);
	WAIT_FOR(l, redis_up(r));
	cr_assert_eq(st.up, 2);
	cr_assert_eq(first.calls + later.calls, 5);
	redis_free(&r);
	server_end(&own);
}

/* Submits again from within the callback that reports the loss. */
struct again {
	struct redis *r;
	struct seen *seen;
	bool up_inside;
};

static void on_lost_submit_again(void *arg, int err, const redisReply *r)
{
	struct again *a = arg;

	on_reply(a->seen, err, r);
	a->up_inside = redis_up(a->r);
	cmd(a->r, a->seen, "PING", NULL, NULL);
}

Test(redis, killed_server_answers_all_once_and_it_reconnects)
{
	struct server own = { 0 };
	struct redis_conf conf = conf_own(&own);
	struct states st = { 0 };
	struct seen s = { 0 };
	struct again again = { .seen = &s };
	struct slice ping = SLICE("PING");
	struct redis *r;

	server_start(&own, "");
	again.r = r = redis_new(l, &conf, on_state, &st);
	redis_script_add(r, &append);
	WAIT_FOR(l, redis_up(r));
	kill(own.pid, SIGSTOP);
	redis_command(r, 1, &ping, on_lost_submit_again, &again);
	eval(r, &append, &s, "k", "a", "");
	loop_turn(l, 20);
	server_stop(&own);
	WAIT_FOR(l, s.calls == 3);
	cr_assert_eq(s.err[0], -ECONNRESET);
	cr_assert_eq(s.err[1], -ECONNRESET);
	cr_assert_eq(s.err[2], -ENOTCONN);
	cr_assert(!again.up_inside);
	WAIT_FOR(l, st.down == 1);
	loop_turn(l, 200);
	cr_assert_eq(st.down, 1, "failed attempts are no losses");
	server_start(&own, "");
	WAIT_FOR(l, redis_up(r));
	eval(r, &append, &s, "k", "b", "");
	WAIT_FOR(l, s.calls == 4);
	cr_assert_str_eq(s.text[3], "1");
	redis_free(&r);
	server_end(&own);
}

Test(redis, connection_killed_by_the_server)
{
	struct redis_conf conf = conf_shared();
	struct states st = { 0 };
	struct redis *r = redis_new(l, &conf, on_state, &st);
	struct seen s = { 0 };
	struct slice kill_me[] = { SLICE("CLIENT"), SLICE("KILL"), SLICE("ID"),
				   { NULL, 0 }, SLICE("SKIPME"), SLICE("no") };

	WAIT_FOR(l, redis_up(r));
	cmd(r, &s, "CLIENT", "ID", NULL);
	WAIT_FOR(l, s.calls == 1);
	kill_me[3] = (struct slice){ s.text[0], strlen(s.text[0]) };
	redis_command(r, 6, kill_me, on_reply, &s);
	for (int i = 0; i < 10; i++)
		cmd(r, &s, "PING", NULL, NULL);
	WAIT_FOR(l, s.calls == 12 && st.down == 1);
	for (int i = 2; i < 12; i++)
		cr_assert_eq(s.err[i], -ECONNRESET);
	WAIT_FOR(l, st.up == 2);
	redis_free(&r);
	cr_assert_eq(st.down, 1);
}

Test(redis, replica_is_left)
{
	struct server own = { 0 };
	struct redis_conf conf = conf_own(&own);
	struct states st = { 0 };
	struct redis *r;
	redisContext *admin;
	struct seen s = { 0 };

	server_start(&own, "");
	r = redis_new(l, &conf, on_state, &st);
	WAIT_FOR(l, redis_up(r));
	admin = admin_unix(&own);
	freeReplyObject(redisCommand(admin, "REPLICAOF 127.0.0.1 1"));
	cmd(r, &s, "SET", "k", "v");
	WAIT_FOR(l, s.calls == 1 && st.down == 1);
	cr_assert_eq(s.err[0], -EREMOTEIO);
	freeReplyObject(redisCommand(admin, "REPLICAOF NO ONE"));
	WAIT_FOR(l, redis_up(r));
	redisFree(admin);
	redis_free(&r);
	server_end(&own);
}

struct heard {
	int n;
	char last[64];
};

static void on_message(void *arg, struct slice channel, struct slice msg)
{
	struct heard *h = ((void **)arg)[0];

	cr_assert_eq(channel.n, strlen("pw:test:chan"));
	h->n++;
	snprintf(h->last, sizeof(h->last), "%.*s", (int)msg.n, msg.p);
}

static void on_sub_state(void *arg, bool up)
{
	on_state(((void **)arg)[1], up);
}

Test(redis, subscription_comes_back)
{
	struct server own = { 0 };
	struct redis_conf conf = conf_own(&own);
	struct heard h = { 0 };
	struct states st = { 0 };
	void *both[] = { &h, &st };
	struct redis *r;
	struct redis_sub *sub;
	struct seen s = { 0 };
	redisContext *admin;

	server_start(&own, "secret");
	conf.password = "secret";
	r = redis_new(l, &conf, NULL, NULL);
	sub = redis_sub_new(l, &conf, "pw:test:chan", on_message, on_sub_state,
			    both);
	WAIT_FOR(l, redis_up(r) && redis_sub_up(sub));
	cr_assert_eq(st.up, 1);
	cmd(r, &s, "PUBLISH", "pw:test:chan", "one");
	WAIT_FOR(l, h.n == 1 && s.calls == 1);
	cr_assert_str_eq(h.last, "one");
	cr_assert_str_eq(s.text[0], "1");

	redis_sub_drop(sub);
	cr_assert(!redis_sub_up(sub));
	WAIT_FOR(l, st.up == 2);
	cr_assert_eq(st.down, 1);
	cmd(r, &s, "PUBLISH", "pw:test:chan", "two");
	WAIT_FOR(l, h.n == 2);

	admin = admin_unix(&own);
	freeReplyObject(redisCommand(admin, "AUTH secret"));
	freeReplyObject(redisCommand(admin, "CLIENT KILL TYPE pubsub"));
	WAIT_FOR(l, st.up == 3);
	cr_assert_eq(st.down, 2);
	cmd(r, &s, "PUBLISH", "pw:test:chan", "three");
	WAIT_FOR(l, h.n == 3);
	cr_assert_str_eq(h.last, "three");
	redisFree(admin);
	redis_sub_free(&sub);
	cr_assert_null(sub);
	redis_free(&r);
	server_end(&own);
}

Test(redis, subscription_refused)
{
	struct server own = { 0 };
	struct redis_conf conf = conf_own(&own);
	struct heard h = { 0 };
	struct states st = { 0 };
	void *both[] = { &h, &st };
	struct redis_sub *sub;
	redisContext *admin;

	server_start(&own, "");
	admin = admin_unix(&own);
	freeReplyObject(redisCommand(admin, "ACL SETUSER default resetchannels"));
	sub = redis_sub_new(l, &conf, "pw:test:chan", on_message, on_sub_state,
			    both);
	loop_turn(l, 200);
	cr_assert(!redis_sub_up(sub));
	freeReplyObject(redisCommand(admin, "ACL SETUSER default allchannels"));
	WAIT_FOR(l, redis_sub_up(sub));
	redisFree(admin);
	redis_sub_free(&sub);
	server_end(&own);
}
