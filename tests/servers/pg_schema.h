/* A schema of the test's own in PostgreSQL, and a connection to look into it. */
#ifndef PW_PG_SCHEMA_H
#define PW_PG_SCHEMA_H

#include "tests/servers/store_fixture.h"

#include <libpq-fe.h>
#include <stdarg.h>

static PGconn *admin;
static char schema[40];

static inline char *PRINTF(1, 2) sql(const char *fmt, ...)
{
	static char value[256];
	char text[2048];
	PGresult *res;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	res = PQexec(admin, text);
	cr_assert(PQresultStatus(res) == PGRES_TUPLES_OK ||
			  PQresultStatus(res) == PGRES_COMMAND_OK,
		  "%s: %s", text, PQresultErrorMessage(res));
	snprintf(value, sizeof(value), "%s",
		 PQntuples(res) > 0 ? PQgetvalue(res, 0, 0) : "");
	PQclear(res);
	return value;
}

/* The server's URL with the test's schema and, if not NULL, another user. */
static inline const char *url_for(const char *user)
{
	static char url[1024];
	const char *base = store_url();

	snprintf(url, sizeof(url), "%s%coptions=-csearch_path%%3D%s%s%s", base,
		 strchr(base, '?') != NULL ? '&' : '?', schema,
		 user != NULL ? "&user=" : "", user != NULL ? user : "");
	return url;
}

static inline void schema_setup(void)
{
	message_id id;

	message_id_make("", "", NULL, id);
	snprintf(schema, sizeof(schema), "s%s", id);
	admin = PQconnectdb(store_url());
	cr_assert_eq(PQstatus(admin), CONNECTION_OK, "%s",
		     PQerrorMessage(admin));
	sql("SET client_min_messages = warning");
	sql("CREATE SCHEMA %s", schema);
	sql("SET search_path = %s", schema);
}

static inline void schema_teardown(void)
{
	sql("DROP SCHEMA %s CASCADE", schema);
	PQfinish(admin);
}

#endif
