/* For tests on the Redis that PW_TEST_REDIS_HOST and _PORT name: a blocking
 * connection to look at keys and to make trouble. Each test takes a database of
 * its own, so that tests may run side by side; channels are shared by all
 * databases, so instances need names of their own too. */
#ifndef PW_REDIS_ADMIN_H
#define PW_REDIS_ADMIN_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <hiredis/hiredis.h>

#include "common/backend/redis.h"

static redisContext *admin;
static unsigned admin_db;

static inline struct redis_conf redis_test_conf(const char *name, unsigned db)
{
	const char *host = getenv("PW_TEST_REDIS_HOST");
	const char *port = getenv("PW_TEST_REDIS_PORT");

	cr_assert(host != NULL && port != NULL,
		  "PW_TEST_REDIS_HOST and PW_TEST_REDIS_PORT must be set");
	return (struct redis_conf){ .name = name, .host = host,
				    .port = (unsigned)atoi(port), .db = db,
				    .timeout_ms = 20000 };
}

/* The reply; to be freed. Fails the test on an error. */
static inline redisReply *admin_do(const char *fmt, ...)
{
	redisReply *r;
	va_list ap;

	va_start(ap, fmt);
	r = redisvCommand(admin, fmt, ap);
	va_end(ap);
	cr_assert_not_null(r, "%s: no reply", fmt);
	cr_assert_neq(r->type, REDIS_REPLY_ERROR, "%s: %s", fmt, r->str);
	return r;
}

static inline void admin_run(const char *fmt, ...)
{
	va_list ap;
	redisReply *r;

	va_start(ap, fmt);
	r = redisvCommand(admin, fmt, ap);
	va_end(ap);
	cr_assert(r != NULL && r->type != REDIS_REPLY_ERROR, "%s: %s", fmt,
		  r != NULL ? r->str : "no reply");
	freeReplyObject(r);
}

/* An integer, or a string with a number; -1 for nil. */
static inline long long admin_int(const char *fmt, ...)
{
	va_list ap;
	redisReply *r;
	long long v = -1;

	va_start(ap, fmt);
	r = redisvCommand(admin, fmt, ap);
	va_end(ap);
	cr_assert(r != NULL && r->type != REDIS_REPLY_ERROR, "%s: %s", fmt,
		  r != NULL ? r->str : "no reply");
	if (r->type == REDIS_REPLY_INTEGER)
		v = r->integer;
	else if (r->type == REDIS_REPLY_STRING)
		v = atoll(r->str);
	freeReplyObject(r);
	return v;
}

/* A string, borrowed until the next call; "(nil)" for nil. */
static inline const char *admin_str(const char *fmt, ...)
{
	static char text[512];
	va_list ap;
	redisReply *r;

	va_start(ap, fmt);
	r = redisvCommand(admin, fmt, ap);
	va_end(ap);
	cr_assert(r != NULL && r->type != REDIS_REPLY_ERROR, "%s: %s", fmt,
		  r != NULL ? r->str : "no reply");
	snprintf(text, sizeof(text), "%s",
		 r->type == REDIS_REPLY_NIL ? "(nil)" : r->str);
	freeReplyObject(r);
	return text;
}

static inline void admin_open(unsigned db)
{
	struct redis_conf c = redis_test_conf("admin", db);

	admin = redisConnect(c.host, (int)c.port);
	cr_assert(admin != NULL && admin->err == 0, "cannot connect to Redis");
	admin_db = db;
	admin_run("SELECT %d", (int)db);
	admin_run("FLUSHDB");
}

static inline void admin_close(void)
{
	admin_run("FLUSHDB");
	redisFree(admin);
	admin = NULL;
}

/* Cuts the connections of this test that have this name, and in CLIENT LIST
 * also `having`; how many. */
static inline int admin_kill_if(const char *name, const char *having)
{
	redisReply *r = admin_do("CLIENT LIST");
	char want[128];
	char in_db[16];
	char *line = NULL;
	char *rest = NULL;
	int n = 0;

	snprintf(want, sizeof(want), " name=%s ", name);
	snprintf(in_db, sizeof(in_db), " db=%u ", admin_db);
	for (line = strtok_r(r->str, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (strstr(line, want) != NULL &&
		    strstr(line, in_db) != NULL && strstr(line, having) != NULL)
			n += admin_int("CLIENT KILL ID %s",
				       strtok(line + 3, " ")) == 1;
	}
	freeReplyObject(r);
	return n;
}

static inline int admin_kill(const char *name)
{
	return admin_kill_if(name, "");
}

#endif
