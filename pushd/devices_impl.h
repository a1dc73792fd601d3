/* Between devices.c and devices_delete.c. */
#ifndef PW_PUSHD_DEVICES_IMPL_H
#define PW_PUSHD_DEVICES_IMPL_H

#include "common/backend/pg.h"
#include "common/base/list.h"
#include "common/loop/loop.h"
#include "pushd/devices.h"

#define REFUSAL_MAX 160

/* Milliseconds; 0 for none, and for 'infinity', which would fail the query of
 * all. */
#define UPDATED_MS(column)                                                     \
	"coalesce(CASE WHEN isfinite(" column ") THEN"                             \
	" (extract(epoch FROM " column ") * 1000)::bigint END, 0)"

struct dead_rows {
	struct loop *loop;
	struct pg *pg;
	struct list waiting;
	struct list sent;	/* in the query that is out */
	size_t nsent;
	size_t alone;		/* the first ones go one a query */
	struct task flush;
	struct timer again;
	char refused[REFUSAL_MAX];	/* last reason logged; "": none */
};

struct devices {
	struct loop *loop;
	struct pg *pg;
	void (*state)(void *arg, bool up);
	void *arg;
	struct list asks;	/* for the next queries */
	unsigned out;		/* queries */
	struct task flush;
	char refused[REFUSAL_MAX];
	struct dead_rows dead;
};

/* Logs an error that PostgreSQL answered, once a change of reason. */
void devices_refused(char logged[REFUSAL_MAX], const char *what,
		     const PGresult *res);

void dead_rows_init(struct dead_rows *s, struct loop *l, struct pg *pg);
void dead_rows_up(struct dead_rows *s);
/* After pg_free(). */
void dead_rows_free(struct dead_rows *s);

#endif
