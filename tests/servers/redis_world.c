#include "tests/servers/redis_world.h"

#include <sys/prctl.h>
#include <sys/wait.h>

#include "common/base/log.h"

struct loop *l;

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

TestSuite(redis, .init = setup, .fini = teardown, .timeout = 240);

struct redis_conf conf_shared(void)
{
	const char *host = getenv("PW_TEST_REDIS_HOST");
	const char *port = getenv("PW_TEST_REDIS_PORT");

	cr_assert(host != NULL && port != NULL,
		  "PW_TEST_REDIS_HOST and PW_TEST_REDIS_PORT must be set");
	return (struct redis_conf){ .name = "test", .host = host,
				    .port = (unsigned)atoi(port),
				    .timeout_ms = 20000 };
}

redisContext *admin_unix(const struct server *s)
{
	for (int i = 0; i < 6000; i++) {
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

void server_start(struct server *s, const char *password)
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

void server_stop(struct server *s)
{
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	unlink(s->sock);
	s->pid = 0;
}

void server_end(struct server *s)
{
	if (s->pid != 0)
		server_stop(s);
	rmdir(s->dir);
}

struct redis_conf conf_own(const struct server *s)
{
	return (struct redis_conf){ .name = "test", .host = s->sock,
				    .timeout_ms = 20000 };
}

void on_reply(void *arg, int err, const redisReply *r)
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

void cmd(struct redis *r, struct seen *s, const char *a, const char *b,
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

struct redis_script add_two = {
	.name = "add_two",
	.text = "return redis.call('incrby', KEYS[1], ARGV[1]) + tonumber(ARGV[2])",
};
struct redis_script append = {
	.name = "append",
	.text = "return redis.call('append', KEYS[1], ARGV[1])",
};

void eval(struct redis *r, struct redis_script *s, struct seen *seen,
	  const char *key, const char *a, const char *b)
{
	struct slice argv[] = { { key, strlen(key) }, { a, strlen(a) },
				{ b, strlen(b) } };

	redis_eval(r, s, 1, 3, argv, seen != NULL ? on_reply : NULL, seen);
}
