#include <libpq-fe.h>
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

bool pg_error_is(const PGresult *res, const char *sqlstate)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);

	return state != NULL && strncmp(state, sqlstate, strlen(sqlstate)) == 0;
}

bool pg_is_fatal(const PGresult *res)
{
	const char *s = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);

	return s != NULL && (strcmp(s, "FATAL") == 0 || strcmp(s, "PANIC") == 0);
}
