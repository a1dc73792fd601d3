/* The PostgreSQL backend's own parts. Internal to common/store. */
#ifndef PW_STORE_PG_H
#define PW_STORE_PG_H

#include "common/backend/pg.h"
#include "common/loop/loop.h"
#include "common/store/store_backend.h"

struct store_pg;

/* A connection, and on the lanes' ones the batch that is out. */
struct store_pg_conn {
	struct store_pg *be;
	struct pg *pg;
	bool up;
	struct store_batch *batch;
};

struct store_pg {
	struct loop *loop;
	void (*state)(void *arg, bool up);
	void *arg;
	bool up;
	/* The table, made when it is first reached. */
	bool schema_ready;
	bool schema_asked;
	struct timer schema_retry;
	char complaint[8];	/* SQLSTATE logged last; "" once all is well */
	char missing[256];	/* indexes, as logged last */
	/* Where reading what is due begins: nothing below owed any more. */
	int64_t owe_floor;
	int64_t owe_all_us;	/* monotonic: from 0 once more */
	struct store_pg_conn ops;	/* all but inserts */
	unsigned lanes;
	struct store_pg_conn lane[];
};

/* Tells the store when all connections are there and the table is. */
void store_pg_judge_state(struct store_pg *be);

/* Looks for the table and makes it; called when a connection comes up. */
void store_pg_schema_start(struct store_pg *be);
/* A statement found it gone. */
void store_pg_schema_lost(struct store_pg *be);

/* OP_LOOK; the table may be missing. */
void store_pg_look(struct store_pg *be, struct store_op *op);

void store_pg_run(void *be, struct store_op *op);
/* Those of OP_MISSED and behind; the connection is up. */
void store_pg_read(struct store_pg *be, struct store_op *op);

/* For a query's answer: 0; -EINVAL: a value of a row is not storable;
 * -EAGAIN: the server asks to try again (deadlock); other codes as from pg.h.
 * What an operator must see is logged, once. */
int store_pg_error(struct store_pg *be, int err, const PGresult *res);

/* A condition that no index shall answer: the rows are found by another, and
 * this is only looked at then. Written plainly, the planner might read the whole
 * of an index that was small when it planned. */
#define STORE_PG_IS(col, value) col " || '' = " value

/* The columns of a whole row, in the order that store_pg_row() reads. */
#define STORE_PG_MS(col) "round(extract(epoch FROM " col ") * 1000)::bigint"
#define STORE_PG_ROW STORE_PG_ROW_WITH("content")
#define STORE_PG_ROW_WITH(content)                                          \
	"id, match_id, sender_id, recipient_id, " content                   \
	", type, media_url, "                                               \
	"temp_id, " STORE_PG_MS("sent_at") ", pos, src, owe, chg, "         \
	STORE_PG_MS("delivered_at") ", " STORE_PG_MS("read_at")
/* col is the first of them. Strings are borrowed from res. */
void store_pg_row(const PGresult *res, int row, int col, struct message *out);
/* Whole rows by id; also used to read what an insert met. $1: text[] */
extern const struct pg_stmt store_pg_get;

struct buf;
void store_pg_add_int(struct buf *array, int64_t v);

#endif
