/* PostgreSQL clients against a real server: PW_TEST_DATABASE_URL, as a
 * superuser (tests end sessions and make a role). Suite "pg" sets it up and
 * takes it down. */
#ifndef PW_PG_WORLD_H
#define PW_PG_WORLD_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <libpq-fe.h>

#include "common/backend/pg.h"
#include "common/base/buf.h"
#include "tests/servers/loop_wait.h"
#include "tests/servers/states.h"

extern struct loop *l;
extern const char *url;

/* On a connection of the test's own; the test fails if it does. To be cleared. */
PGresult *admin_do(const char *sql);
/* The server's port as libpq reached it; false: no TCP there. */
bool tcp_port(char port_out[16]);
/* Ends a session. */
void terminate(const char *pid);

/* The URL with other values; pairs of keyword and value (NULL: left out),
 * ended by NULL. To be freed. */
char *url_with(const char *const *pairs);

#define CONF() { .name = "pw-test", .url = url, .timeout_ms = 20000 }

/* One that is up. st: NULL, or where its ups and downs are counted. */
struct pg *connect_up(struct pg_conf *conf, struct states *st);

/* What callbacks saw. */
struct seen {
	int calls;
	int err[512];
	char text[512][64];	/* first value, or SQLSTATE */
};

extern const struct pg_stmt echo, divide, sleep_s, my_pid;
/* param: the one parameter, or NULL; s: NULL for no callback. */
void ask(struct pg *pg, struct seen *s, const struct pg_stmt *stmt,
	 const char *param);

#endif
