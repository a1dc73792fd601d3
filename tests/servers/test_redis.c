/* The Redis client against a real server: PW_TEST_REDIS_HOST and _PORT for
 * what leaves the server alone, one of its own for what does not. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <hiredis/hiredis.h>

#include "common/backend/redis.h"
#include "common/base/log.h"
#include "tests/servers/loop_wait.h"

static struct loop *l;

static void setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	log_init("test", LOG_LVL_DEBUG);
	l = loop_new();
}

static void teardown(void)
{
	loop_free(&l);
}

TestSuite(redis, .init = setup, .fini = teardown, .timeout = 60);

/* The shared server. */
static struct redis_conf conf_shared(void)
{
	const char *host = getenv("PW_TEST_REDIS_HOST");
	const char *port = getenv("PW_TEST_REDIS_PORT");

	cr_assert(host != NULL && port != NULL,
		  "PW_TEST_REDIS_HOST and PW_TEST_REDIS_PORT must be set");
	return (struct redis_conf){ .name = "test", .host = host,
				    .port = (unsigned)atoi(port),
				    .timeout_ms = 2000 };
}

/* A server of the test's own, on a UNIX socket. */
struct server {
	char dir[64];
	char sock[80];
	pid_t pid;
};

static redisContext *admin_unix(const struct server *s)
{
	for (int i = 0; i < 500; i++) {
		redisContext *c = redisConnectUnix(s->sock);
		redisReply *r = NULL;

		cr_assert_not_null(c);
		if (c->err == 0)
			r = redisCommand(c, "PING");
		if (r != NULL && strncmp(r->str, "LOADING", 7) != 0) {
			freeReplyObject(r);
			return c;
		}
		if (r != NULL)
			freeReplyObject(r);
		redisFree(c);
		usleep(10000);
	}
	cr_assert(false, "redis-server does not start");
	return NULL;
}

static void server_start(struct server *s, const char *password)
{
	if (s->dir[0] == '\0') {
		strcpy(s->dir, "/tmp/pw-redis-XXXXXX");
		cr_assert_not_null(mkdtemp(s->dir));
	}
	snprintf(s->sock, sizeof(s->sock), "%s/s", s->dir);
	s->pid = fork();
	cr_assert_neq(s->pid, -1);
	if (s->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);	/* a failed test leaves none */
		execlp("redis-server", "redis-server", "--port", "0",
		       "--unixsocket", s->sock, "--save", "", "--appendonly",
		       "no", "--dir", s->dir, "--logfile", "/dev/null",
		       "--requirepass", password, (char *)NULL);
		_exit(127);
	}
	redisFree(admin_unix(s));
}

static void server_stop(struct server *s)
{
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	unlink(s->sock);
	s->pid = 0;
}

static void server_end(struct server *s)
{
	if (s->pid != 0)
		server_stop(s);
	rmdir(s->dir);
}

static struct redis_conf conf_own(const struct server *s)
{
	return (struct redis_conf){ .name = "test", .host = s->sock,
				    .timeout_ms = 300 };
}

/* What callbacks saw. */
struct seen {
	int calls;
	int err[512];
	char text[512][64];
};

static void on_reply(void *arg, int err, const redisReply *r)
{
	struct seen *s = arg;

	cr_assert_lt(s->calls, 512);
	s->err[s->calls] = err;
	cr_assert_eq(r != NULL, err == 0 || err == -EREMOTEIO);
	if (r != NULL && r->type == REDIS_REPLY_INTEGER)
		snprintf(s->text[s->calls], 64, "%lld", r->integer);
	else if (r != NULL && r->str != NULL)
		snprintf(s->text[s->calls], 64, "%s", r->str);
	s->calls++;
}

static void cmd(struct redis *r, struct seen *s, const char *a, const char *b,
		const char *c)
{
	struct slice argv[3] = { { a, strlen(a) } };
	int argc = 1;

	if (b != NULL)
		argv[argc++] = (struct slice){ b, strlen(b) };
	if (c != NULL)
		argv[argc++] = (struct slice){ c, strlen(c) };
	redis_command(r, argc, argv, s != NULL ? on_reply : NULL, s);
}

struct states {
	int up;
	int down;
};

static void on_state(void *arg, bool up)
{
	struct states *s = arg;

	*(up ? &s->up : &s->down) += 1;
}

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

static struct redis_script add_two = {
	.name = "add_two",
	.text = "return redis.call('incrby', KEYS[1], ARGV[1]) + tonumber(ARGV[2])",
};
static struct redis_script append = {
	.name = "append",
	.text = "return redis.call('append', KEYS[1], ARGV[1])",
};

static void eval(struct redis *r, struct redis_script *s, struct seen *seen,
		 const char *key, const char *a, const char *b)
{
	struct slice argv[] = { { key, strlen(key) }, { a, strlen(a) },
				{ b, strlen(b) } };

	redis_eval(r, s, 1, 3, argv, seen != NULL ? on_reply : NULL, seen);
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

Test(redis, stalled_server_times_out_and_is_dropped)
{
	struct server own = { 0 };
	struct redis_conf conf = conf_own(&own);
	struct states st = { 0 };
	struct redis *r;
	struct seen first = { 0 }, later = { 0 };
	int64_t began;

	server_start(&own, "");
	r = redis_new(l, &conf, on_state, &st);
	WAIT_FOR(l, redis_up(r));
	kill(own.pid, SIGSTOP);
	began = clock_mono_ms();
	for (int i = 0; i < 3; i++)
		cmd(r, &first, "PING", NULL, NULL);
	loop_turn(l, 100);
	cmd(r, &later, "PING", NULL, NULL);
	cmd(r, NULL, "PING", NULL, NULL);
	WAIT_FOR(l, first.calls == 3 && later.calls == 1);
	cr_assert_geq(clock_mono_ms() - began, 299);
	cr_assert_lt(clock_mono_ms() - began, 2000);
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

static int free_port(int *fd_out)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(sa);

	*fd_out = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(bind(*fd_out, (struct sockaddr *)&sa, n), 0);
	cr_assert_eq(getsockname(*fd_out, (struct sockaddr *)&sa, &n), 0);
	return ntohs(sa.sin_port);
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
	unsigned port = (unsigned)free_port(&fd);
	unsigned mute_port = (unsigned)free_port(&mute);

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
	cr_assert_eq(s.calls, 5);
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
