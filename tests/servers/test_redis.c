/* The Redis client: commands and scripts, their order and their replies. */
#include "tests/servers/redis_world.h"

Test(redis, answers_come_in_order)
{
	struct redis_conf conf = conf_shared();
	struct redis *r = redis_new(l, &conf, NULL, NULL);
	struct seen s = { 0 };

	WAIT_FOR(l, redis_up(r));
	for (int i = 0; i < 300; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%d", i);
		cmd(r, &s, "ECHO", text, NULL);
	}
	cr_assert_eq(s.calls, 0, "a callback ran before redis_command returned");
	WAIT_FOR(l, s.calls == 300);
	for (int i = 0; i < 300; i++)
		cr_assert_eq(atoi(s.text[i]), i);
	redis_free(&r);
	cr_assert_null(r);
}

Test(redis, binary_arguments_and_large_ones_arrive)
{
	struct redis_conf conf = conf_shared();
	struct redis *r = redis_new(l, &conf, NULL, NULL);
	size_t n = 3 << 20;
	char *big = calloc(1, n);
	struct slice argv[] = { SLICE("SETEX"), SLICE("pw:test:big"),
				SLICE("60"), { big, n } };
	struct seen s = { 0 };

	big[n - 1] = '\n';
	WAIT_FOR(l, redis_up(r));
	redis_command(r, 4, argv, on_reply, &s);
	free(big);
	cmd(r, &s, "STRLEN", "pw:test:big", NULL);
	cmd(r, &s, "ECHO", "", NULL);
	cmd(r, &s, "DEL", "pw:test:big", NULL);
	WAIT_FOR(l, s.calls == 4);
	cr_assert_str_eq(s.text[0], "OK");
	cr_assert_eq(strtoul(s.text[1], NULL, 10), n);
	cr_assert_str_eq(s.text[2], "");
	cr_assert_str_eq(s.text[3], "1");
	redis_free(&r);
}

Test(redis, error_reply_is_handed_over)
{
	struct redis_conf conf = conf_shared();
	struct redis *r = redis_new(l, &conf, NULL, NULL);
	struct seen s = { 0 };

	WAIT_FOR(l, redis_up(r));
	cmd(r, &s, "NOSUCHCOMMAND", NULL, NULL);
	cmd(r, NULL, "NOSUCHCOMMAND", NULL, NULL);
	cmd(r, &s, "ECHO", "on", NULL);
	WAIT_FOR(l, s.calls == 2);
	cr_assert_eq(s.err[0], -EREMOTEIO);
	cr_assert_eq(strncmp(s.text[0], "ERR unknown command", 19), 0);
	cr_assert_eq(s.err[1], 0);
	cr_assert(redis_up(r));
	redis_free(&r);
}

Test(redis, commands_of_one_turn_leave_in_one_write)
{
	struct server own = { 0 };
	struct redis_conf conf = conf_own(&own);
	struct redis *r;
	redisContext *admin;
	redisReply *reply;
	struct seen s = { 0 };
	long before, after;

	server_start(&own, "");
	r = redis_new(l, &conf, NULL, NULL);
	WAIT_FOR(l, redis_up(r));
	admin = admin_unix(&own);
	reply = redisCommand(admin, "INFO stats");
	before = atol(strstr(reply->str, "total_reads_processed:") + 22);
	freeReplyObject(reply);
	for (int i = 0; i < 200; i++)
		cmd(r, &s, "PING", NULL, NULL);
	WAIT_FOR(l, s.calls == 200);
	reply = redisCommand(admin, "INFO stats");
	after = atol(strstr(reply->str, "total_reads_processed:") + 22);
	freeReplyObject(reply);
	/* ours, and the second INFO */
	cr_assert_eq(after - before, 2, "%ld reads", after - before);
	redisFree(admin);
	redis_free(&r);
	server_end(&own);
}

Test(redis, scripts_survive_a_flush_in_order)
{
	struct server own = { 0 };
	struct redis_conf conf = conf_own(&own);
	struct redis *r;
	redisContext *admin;
	struct seen s = { 0 };

	server_start(&own, "");
	r = redis_new(l, &conf, NULL, NULL);
	redis_script_add(r, &append);
	WAIT_FOR(l, redis_up(r));
	redis_script_add(r, &add_two);	/* used before its hash is known */
	eval(r, &add_two, &s, "n", "40", "2");
	WAIT_FOR(l, s.calls == 1);
	cr_assert_str_eq(s.text[0], "42");
	cr_assert_eq(strlen(add_two.sha), 40);

	admin = admin_unix(&own);
	freeReplyObject(redisCommand(admin, "SCRIPT FLUSH"));
	for (int i = 0; i < 26; i++) {
		char c[2] = { (char)('a' + i), '\0' };

		eval(r, &append, i % 2 == 0 ? &s : NULL, "text", c, "");
	}
	WAIT_FOR(l, s.calls == 14);
	cmd(r, &s, "GET", "text", NULL);
	WAIT_FOR(l, s.calls == 15);
	cr_assert_str_eq(s.text[14], "abcdefghijklmnopqrstuvwxyz");
	for (int i = 0; i < 15; i++)
		cr_assert_eq(s.err[i], 0);
	redisFree(admin);
	redis_free(&r);
	server_end(&own);
}

Test(redis, free_cancels_what_is_pending)
{
	struct redis_conf conf = conf_shared();
	struct redis *r = redis_new(l, &conf, NULL, NULL);
	struct seen s = { 0 };

	cmd(r, &s, "PING", NULL, NULL);	/* not up */
	redis_free(&r);
	cr_assert_eq(s.calls, 1);
	r = redis_new(l, &conf, NULL, NULL);
	WAIT_FOR(l, redis_up(r));
	for (int i = 0; i < 5; i++)
		cmd(r, &s, "PING", NULL, NULL);
	redis_free(&r);
	cr_assert_eq(s.calls, 6);
	for (int i = 0; i < 6; i++)
		cr_assert_eq(s.err[i], -ECANCELED);
	loop_turn(l, 20);
	cr_assert_eq(s.calls, 6);
}
