/* Redis clients against a real server: PW_TEST_REDIS_HOST and _PORT for what
 * leaves the server alone, one of the test's own for what does not. Suite
 * "redis" sets it up and takes it down. */
#ifndef PW_REDIS_WORLD_H
#define PW_REDIS_WORLD_H

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <hiredis/hiredis.h>

#include "common/backend/redis.h"
#include "tests/servers/loop_wait.h"
#include "tests/servers/states.h"

extern struct loop *l;

/* The shared server. */
struct redis_conf conf_shared(void);

/* A server of the test's own, on a UNIX socket. */
struct server {
	char dir[64];
	char sock[80];
	pid_t pid;
};

/* Starts it, or again after server_stop(); returns when it answers. */
void server_start(struct server *s, const char *password);
/* Kills it. */
void server_stop(struct server *s);
/* For good: nothing of it is left. */
void server_end(struct server *s);
struct redis_conf conf_own(const struct server *s);
/* A blocking connection to it; to be freed. */
redisContext *admin_unix(const struct server *s);

/* What callbacks saw. */
struct seen {
	int calls;
	int err[512];
	char text[512][64];
};
void on_reply(void *arg, int err, const redisReply *r);

/* Up to three words, the rest NULL; s: NULL for no callback. */
void cmd(struct redis *r, struct seen *s, const char *a, const char *b,
	 const char *c);

/* Two of no other use. */
extern struct redis_script add_two, append;
/* seen: NULL for no callback. */
void eval(struct redis *r, struct redis_script *s, struct seen *seen,
	  const char *key, const char *a, const char *b);

#endif
