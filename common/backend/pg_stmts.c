#include "common/backend/pg_stmts.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"

/* There are some dozens of statements at most. */
struct pg_prepared *pg_stmts_get(struct pg_stmts *s, const struct pg_stmt *stmt)
{
	struct pg_prepared *p;

	for (size_t i = 0; i < s->n; i++) {
		if (s->v[i]->stmt == stmt)
			return s->v[i];
	}
	p = mem_zalloc(sizeof(*p));
	p->stmt = stmt;
	s->v = mem_realloc(s->v, (s->n + 1) * sizeof(struct pg_prepared *));
	s->v[s->n++] = p;
	return p;
}

static void forget(struct pg_prepared *p)
{
	p->state = PG_STMT_UNKNOWN;
	PQclear(p->refused);
	p->refused = NULL;
}

void pg_stmts_forget(struct pg_stmts *s)
{
	for (size_t i = 0; i < s->n; i++)
		forget(s->v[i]);
}

void pg_stmts_free(struct pg_stmts *s)
{
	for (size_t i = 0; i < s->n; i++) {
		forget(s->v[i]);
		free(s->v[i]);
	}
	free(s->v);
	*s = (struct pg_stmts){ 0 };
}

bool pg_prepared_wanted(struct pg_prepared *p, char name_out[PG_STMT_NAME_LEN])
{
	bool wanted = p->state == PG_STMT_UNKNOWN;

	if (wanted) {
		p->state = PG_STMT_ASKED;
		p->generation++;
	}
	snprintf(name_out, PG_STMT_NAME_LEN, "%u_%s", p->generation,
		 p->stmt->name);
	return wanted;
}

void pg_prepared_done(struct pg_prepared *p)
{
	p->state = PG_STMT_READY;
	PQclear(p->refused);
	p->refused = NULL;
}

const PGresult *pg_prepared_refused(struct pg_prepared *p, unsigned generation,
				    bool parse_failed, PGresult **res)
{
	bool gone = pg_error_is(*res, "26000");	/* no such statement */
	/* "cached plan must not change result type": a table was altered */
	bool stale = pg_error_is(*res, "0A000");

	if (!parse_failed && !gone && !stale)
		return *res;
	if (generation == p->generation)
		p->state = PG_STMT_UNKNOWN;
	if (parse_failed) {
		PQclear(p->refused);
		p->refused = *res;
		*res = NULL;
	}
	return p->refused != NULL && !stale ? p->refused : *res;
}
