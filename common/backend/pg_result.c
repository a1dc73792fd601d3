#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/backend/pg_conn.h"

int pg_rows(const PGresult *res)
{
	return PQntuples(res);
}

bool pg_null(const PGresult *res, int row, int col)
{
	return PQgetisnull(res, row, col) == 1;
}

struct slice pg_text(const PGresult *res, int row, int col)
{
	return (struct slice){ PQgetvalue(res, row, col),
			       (size_t)PQgetlength(res, row, col) };
}

int64_t pg_int(const PGresult *res, int row, int col)
{
	return strtoll(PQgetvalue(res, row, col), NULL, 10);
}

bool pg_bool(const PGresult *res, int row, int col)
{
	return PQgetvalue(res, row, col)[0] == 't';
}

int64_t pg_affected(const PGresult *res)
{
	/* libpq takes a plain pointer, but only reads. */
	return strtoll(PQcmdTuples((PGresult *)res), NULL, 10);
}

bool pg_error_is(const PGresult *res, const char *sqlstate)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);

	return state != NULL && strncmp(state, sqlstate, strlen(sqlstate)) == 0;
}

const char *pg_error_text(const PGresult *res, char *buf, size_t size)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

	snprintf(buf, size, "%s %s", state != NULL ? state : "-----",
		 text != NULL ? text : "error");
	buf[strcspn(buf, "\r\n")] = '\0';
	return buf;
}

bool pg_is_fatal(const PGresult *res)
{
	const char *s = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);

	return s != NULL && (strcmp(s, "FATAL") == 0 || strcmp(s, "PANIC") == 0);
}
