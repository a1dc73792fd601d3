/* Which statements one connection has prepared. Only common/backend includes
 * this. */
#ifndef PW_PG_STMTS_H
#define PW_PG_STMTS_H

#include <libpq-fe.h>

#include "common/backend/pg.h"

#define PG_STMT_NAME_LEN 64	/* NAMEDATALEN; PostgreSQL cuts longer ones */

struct pg_prepared {
	const struct pg_stmt *stmt;
	enum { PG_STMT_UNKNOWN, PG_STMT_ASKED, PG_STMT_READY } state;
	unsigned generation;	/* part of the name */
	PGresult *refused;	/* why preparing failed last; for those queries
				 * that had been sent behind it */
};

struct pg_stmts {
	struct pg_prepared **v;	/* in the order of first use */
	size_t n;
};

/* Of this statement; stays valid until pg_stmts_free(). */
struct pg_prepared *pg_stmts_get(struct pg_stmts *s, const struct pg_stmt *stmt);
/* A new connection knows none of them. */
void pg_stmts_forget(struct pg_stmts *s);
void pg_stmts_free(struct pg_stmts *s);

/* Fills in the name to use now. True: Parse it first. */
bool pg_prepared_wanted(struct pg_prepared *p, char name_out[PG_STMT_NAME_LEN]);
/* The Parse succeeded. */
void pg_prepared_done(struct pg_prepared *p);
/* A query of that generation failed with *res; parse_failed: in the Parse at
 * the head of its group. Decides whether the next use prepares anew. Returns
 * the error to hand over: *res, or that of the Parse that failed before it.
 * *res may be taken (then NULL). */
const PGresult *pg_prepared_refused(struct pg_prepared *p, unsigned generation,
				    bool parse_failed, PGresult **res);

#endif
