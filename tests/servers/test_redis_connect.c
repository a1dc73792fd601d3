/* The Redis client: what it says when it connects, to a server that refuses, is
 * not there, or has a name. */
#include "tests/servers/redis_world.h"
#include "tests/servers/free_port.h"

Test(redis, database_and_name_are_set)
{
	struct redis_conf conf = conf_shared();
	struct seen s = { 0 };
	struct redis *r, *r3;

	r = redis_new(l, &conf, NULL, NULL);
	conf.db = 3;
	conf.name = "worker[3]";
	r3 = redis_new(l, &conf, NULL, NULL);
	WAIT_FOR(l, redis_up(r) && redis_up(r3));
	cmd(r3, &s, "SET", "pw:test:db", "x");
	WAIT_FOR(l, s.calls == 1);
	cmd(r, &s, "EXISTS", "pw:test:db", NULL);
	WAIT_FOR(l, s.calls == 2);
	cmd(r3, &s, "DEL", "pw:test:db", NULL);
	cmd(r3, &s, "CLIENT", "GETNAME", NULL);
	WAIT_FOR(l, s.calls == 4);
	cr_assert_str_eq(s.text[1], "0");
	cr_assert_str_eq(s.text[2], "1");
	cr_assert_str_eq(s.text[3], "worker[3]");
	redis_free(&r);
	redis_free(&r3);
}

Test(redis, refused_password_is_retried)
{
	struct server own = { 0 };
	struct redis_conf conf = conf_own(&own);
	struct states wrong_st = { 0 }, none_st = { 0 };
	struct redis *wrong, *none, *right;
	redisContext *admin;
	struct seen s = { 0 };

	server_start(&own, "secret");
	none = redis_new(l, &conf, on_state, &none_st);
	conf.password = "wrong";
	wrong = redis_new(l, &conf, on_state, &wrong_st);
	conf.password = "secret";
	right = redis_new(l, &conf, NULL, NULL);
	WAIT_FOR(l, redis_up(right));
	loop_turn(l, 200);
	cr_assert(!redis_up(wrong));
	cr_assert(!redis_up(none));
	cmd(wrong, &s, "PING", NULL, NULL);
	WAIT_FOR(l, s.calls == 1);
	cr_assert_eq(s.err[0], -ENOTCONN);
	admin = admin_unix(&own);
	freeReplyObject(redisCommand(admin, "AUTH secret"));
	freeReplyObject(redisCommand(admin, "CONFIG SET requirepass wrong"));
	WAIT_FOR(l, redis_up(wrong));
	freeReplyObject(redisCommand(admin, "CONFIG SET requirepass %s", ""));
	WAIT_FOR(l, redis_up(none));
	cr_assert_eq(wrong_st.up + none_st.up, 2);
	cr_assert_eq(wrong_st.down + none_st.down, 0);
	redisFree(admin);
	redis_free(&none);
	redis_free(&wrong);
	redis_free(&right);
	server_end(&own);
}

Test(redis, nothing_listening)
{
	/* the last: bound and listening, but nobody answers */
	static const char *const hosts[] = { "127.0.0.1", "localhost",
					     "no-such-name.invalid",
					     "/nowhere/redis.sock",
					     "127.0.0.1" };
	struct states st = { 0 };
	struct redis *r[5];
	struct seen s = { 0 };
	int fd, mute;
	unsigned port = free_port(&fd);
	unsigned mute_port = free_port(&mute);

	listen(mute, 8);
	for (int i = 0; i < 5; i++) {
		struct redis_conf conf = { .name = "test", .host = hosts[i],
					   .port = i < 4 ? port : mute_port,
					   .timeout_ms = 100 };

		r[i] = redis_new(l, &conf, on_state, &st);
		cmd(r[i], &s, "PING", NULL, NULL);
	}
	cr_assert_eq(s.calls, 0);
	loop_turn(l, 600);
	WAIT_FOR(l, s.calls == 5);
	for (int i = 0; i < 5; i++) {
		cr_assert_eq(s.err[i], -ENOTCONN);
		redis_free(&r[i]);
	}
	cr_assert_eq(st.up + st.down, 0);
	close(fd);
	close(mute);
}

Test(redis, name_is_resolved)
{
	struct redis_conf conf = conf_shared();
	struct redis *r;

	conf.host = "localhost";
	r = redis_new(l, &conf, NULL, NULL);
	redis_free(&r);		/* in the middle of the look-up, or before */
	r = redis_new(l, &conf, NULL, NULL);
	loop_turn(l, 0);
	redis_free(&r);
	r = redis_new(l, &conf, NULL, NULL);
	WAIT_FOR(l, redis_up(r));
	redis_free(&r);
}
