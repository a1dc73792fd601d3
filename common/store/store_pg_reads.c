/* The reads of many rows. Each goes along one index in that index's order and
 * ends at its limit, so it costs what it reports, however many rows the user or
 * the table has: what is not in that order would be sorted, and sorting is off
 * (setup in store_pg.c), which decides for the planner. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/store/store_pg.h"

#define PARAMS_MAX 7
#define FOREVER "9223372036854775807"
/* How far a row's chg may be behind its pos, in µs: a burst's pos run ahead of
 * the clock (M0) that a confirmation takes its chg from. */
#define AHEAD "60000000"

/* Behind (pos, id) within an index on pos: from that pos on, and of the rows of
 * that pos those of greater ids, which an index need not find. */
#define BEHIND(num, at, id_at) "(" num " > " at " OR id > " id_at ")"

/* Of rows, which come in that order, those that have less than so much content
 * before them. That of the others is not looked at, wherever it is kept. It takes
 * half as long again, so statements whose callers want no bound are without. */
#define AS_THEY_ARE(bytes, order, rows) rows
#define CONTENT_UP_TO(bytes, order, rows)                                   \
	"SELECT * FROM (SELECT *, sum(octet_length(content)) OVER ("        \
	"ORDER BY " order " ROWS BETWEEN UNBOUNDED PRECEDING"               \
	" AND 1 PRECEDING) AS pw_before FROM (" rows ") AS page) AS sized"  \
	" WHERE " bytes " = 0 OR coalesce(pw_before, 0) < " bytes

/* Undelivered rows up to since, then what came after it, delivered or not: a
 * row is in one part only. Ties of the last pos come too; the LIMIT around cuts
 * them. There is no index on (sender, pos): chg leads to the rows, which are
 * sorted; they are those of the recovery window at most. */
#define MISSED(THOSE)                                                       \
	"SELECT nth - 1, " STORE_PG_ROW " FROM unnest($1::text[], $2::bigint[]," \
	" $3::bigint[], $4::text[], $5::int[], $6::bigint[]) WITH ORDINALITY" \
	" AS u (who, since, behind, behind_id, room, bytes, nth), LATERAL ("  \
	THOSE("bytes", "pos, id", MISSED_PARTS) ") AS m"
#define MISSED_PARTS                                                        \
	"SELECT * FROM ("                                                   \
	"(SELECT * FROM messages WHERE recipient_id = who"                  \
	" AND delivered_at IS NULL AND pos >= greatest(behind, 1)"          \
	" AND pos <= coalesce(nullif(since, 0), " FOREVER ")"               \
	" AND " BEHIND("pos", "behind", "behind_id")                        \
	" ORDER BY pos, id LIMIT room) "                                    \
	"UNION ALL "                                                        \
	"(SELECT * FROM messages WHERE since > 0 AND recipient_id = who"    \
	" AND pos >= greatest(since + 1, behind)"                           \
	" AND " BEHIND("pos", "behind", "behind_id")                        \
	" ORDER BY pos FETCH FIRST (room) ROWS WITH TIES) "                 \
	"UNION ALL "                                                        \
	"(SELECT * FROM messages WHERE since > 0 AND sender_id = who"       \
	" AND chg >= greatest(since + 1, behind - " AHEAD ")"               \
	" AND pos >= greatest(since + 1, behind)"                           \
	" AND " BEHIND("pos", "behind", "behind_id")                        \
	" AND recipient_id || '' <> who ORDER BY pos, id LIMIT room)"       \
	") AS part ORDER BY pos, id LIMIT room"

static const struct pg_stmt missed = {
	.name = "store_missed", .sql = MISSED(AS_THEY_ARE), .nparams = 6,
};
static const struct pg_stmt missed_up_to = {
	.name = "store_missed_up_to", .sql = MISSED(CONTENT_UP_TO), .nparams = 6,
};

static const struct pg_stmt receipts = {
	.name = "store_receipts",
	.sql =
	"SELECT 0, " STORE_PG_ROW_WITH("''") " FROM ("
	"SELECT * FROM messages WHERE sender_id = $1"
	" AND chg >= greatest($2::bigint + 1, $3::bigint)"
	" AND " BEHIND("chg", "$3::bigint", "$4")
	" AND delivered_at IS NOT NULL AND pos > 0"
	" ORDER BY chg FETCH FIRST ($5::bigint) ROWS WITH TIES"
	") AS m ORDER BY chg, id LIMIT $5::bigint",
	.nparams = 5,
};

/* A row of the user's own whose chg is greater than since was sent or delivered
 * after it, or both: it counts at least once, so max rows are enough. */
static const struct pg_stmt missed_count = {
	.name = "store_missed_count",
	.sql =
	"SELECT (SELECT count(*) FROM (SELECT FROM messages"
	" WHERE recipient_id = $1 AND delivered_at IS NULL AND pos >= 1"
	" AND pos <= $2::bigint ORDER BY pos, id LIMIT $3::bigint) AS a)"
	" + (SELECT count(*) FROM (SELECT FROM messages"
	" WHERE recipient_id = $1 AND pos > $2::bigint"
	" ORDER BY pos LIMIT $3::bigint) AS b)"
	" + (SELECT coalesce(sum((pos > $2::bigint AND recipient_id <> $1)::int"
	" + (pos > 0 AND delivered_at IS NOT NULL)::int), 0) FROM ("
	"SELECT pos, recipient_id, delivered_at FROM messages"
	" WHERE sender_id = $1 AND chg > $2::bigint"
	" ORDER BY chg LIMIT $3::bigint) AS c)",
	.nparams = 3,
};

static const struct pg_stmt due = {
	.name = "store_due",
	.sql =
	"SELECT 0, " STORE_PG_ROW " FROM messages WHERE owe <> 0"
	" AND owe >= $3::bigint AND owe <= $1::bigint"
	" AND delivered_at IS NULL AND pos > 0"
	" ORDER BY owe LIMIT $2::bigint",
	.nparams = 3,
};

/* The entries of rows that owe nothing any more stay in the index until VACUUM
 * comes by - millions, on a large table - and the next one who looks passes all
 * of them. So he begins where the last one found the first that owes, but this
 * much earlier than now: an insert may be that late. Whatever falls behind that
 * nevertheless is found when all is read, which takes a hundredth of the time
 * at most: each time, while the index is clean. */
#define OWE_LATE_US 60000000
#define OWE_ALL_SHARE 100

static const struct pg_stmt unread = {
	.name = "store_unread",
	.sql =
	"SELECT id, match_id, pos FROM ("
	"SELECT id, match_id, pos, read_at FROM messages"
	" WHERE recipient_id = $1 AND pos > 0"
	" ORDER BY pos DESC LIMIT $2::bigint) AS m WHERE read_at IS NULL",
	.nparams = 2,
};

/* $1 the match; from behind (the time of row $2 or $3, $2) and before (of row
 * $4 or $5, $4), times in ms. Nothing comes when there is no such row. */
#define BOUND(id, ms)                                                       \
	"(coalesce((SELECT sent_at FROM messages AS b WHERE b.id = " id     \
	" AND " STORE_PG_IS("b.match_id", "$1") "), timestamptz 'epoch' + " \
	ms "::bigint * interval '1 millisecond'), " id ")"
#define HISTORY(THOSE, order)                                               \
	"SELECT 0, " STORE_PG_ROW " FROM ("                                 \
	THOSE("$7::bigint", order,                                          \
	      "SELECT * FROM messages WHERE match_id = $1"                  \
	      " AND (sent_at, id) > " BOUND("$2", "$3")                     \
	      " AND (sent_at, id) < " BOUND("$4", "$5")                     \
	      " ORDER BY " order " LIMIT $6::bigint") ") AS m"
#define UP "sent_at, id"
#define DOWN "sent_at DESC, id DESC"

/* The second of each: up to so many bytes. */
static const struct pg_stmt history_up[2] = {
	{ "store_history_up", HISTORY(AS_THEY_ARE, UP), 6 },
	{ "store_history_up_to", HISTORY(CONTENT_UP_TO, UP), 7 },
};
static const struct pg_stmt history_down[2] = {
	{ "store_history_down", HISTORY(AS_THEY_ARE, DOWN), 6 },
	{ "store_history_down_to", HISTORY(CONTENT_UP_TO, DOWN), 7 },
};

static const struct pg_stmt bounds = {
	.name = "store_bounds",
	.sql = "SELECT count(*) FROM messages WHERE id = ANY($2::text[]) AND "
	       STORE_PG_IS("match_id", "$1"),
	.nparams = 2,
};

/* Times no row has; PostgreSQL's own infinity cannot be reckoned with. */
#define BEFORE_ALL_MS (-62135596800000)	/* the year 1 */
#define AFTER_ALL_MS 253402300799999	/* 9999 */

struct call {
	struct store_pg *be;
	struct store_op *op;
	int64_t floor;		/* DUE: where it begins */
	int64_t sent_us;	/* DUE */
};

/* Numbers as parameters. */
struct numbers {
	char text[PARAMS_MAX][24];
	unsigned n;
};

static const char *number(struct numbers *x, int64_t v)
{
	char *text = x->text[x->n++];

	snprintf(text, sizeof(x->text[0]), "%lld", (long long)v);
	return text;
}

static void done(struct call *c, int err)
{
	struct store_op *op = c->op;

	free(c);
	store_op_done(op, err);
}

static void add_whole(struct store_op *op, const PGresult *res, int i)
{
	struct message m;

	store_pg_row(res, i, 1, &m);
	store_rows_add(&op->rows, &m, (unsigned)pg_int(res, i, 0));
}

static void add_unread(struct store_op *op, const PGresult *res, int i)
{
	struct message m = { .match_id = PQgetvalue(res, i, 1),
			     .pos = pg_int(res, i, 2) };

	snprintf(m.id, sizeof(m.id), "%s", PQgetvalue(res, i, 0));
	store_rows_add(&op->rows, &m, 0);
}

static void on_bounds(void *arg, int err, const PGresult *res)
{
	struct call *c = arg;
	const struct store_page *p = c->op->page;
	int want = (p->before.id[0] != '\0') +
		   (p->after.id[0] != '\0' &&
		    strcmp(p->before.id, p->after.id) != 0);

	err = store_pg_error(c->be, err, res);
	if (err == 0 && pg_int(res, 0, 0) < want)
		err = -ENOENT;
	done(c, err);
}

/* An empty page: its end was reached, or a bound is not of this match. */
static void check_bounds(struct call *c)
{
	const struct store_page *p = c->op->page;
	struct buf ids = { 0 };

	pg_array_add(&ids, p->before.id, strlen(p->before.id));
	pg_array_add(&ids, p->after.id, strlen(p->after.id));
	pg_array_end(&ids);
	pg_query(c->be->ops.pg, &bounds,
		 (const char *const[]){ p->match_id, ids.p }, on_bounds, c);
	buf_free(&ids);
}

static int64_t owe_floor(const struct store_pg *be, int64_t now_us)
{
	if (clock_mono_us() >= be->owe_all_us)
		return INT64_MIN;
	return be->owe_floor < now_us - OWE_LATE_US ? be->owe_floor :
						      now_us - OWE_LATE_US;
}

/* Rows came in order of owe. */
static void note_owing(const struct call *c)
{
	const struct store_op *op = c->op;
	int64_t now = clock_mono_us();

	if (c->floor == INT64_MIN)
		c->be->owe_all_us = now + OWE_ALL_SHARE * (now - c->sent_us);
	c->be->owe_floor = op->rows.n > 0 ? op->rows.v[0].owe : op->now_us;
}

static void on_read(void *arg, int err, const PGresult *res)
{
	struct call *c = arg;
	struct store_op *op = c->op;
	int n;

	err = store_pg_error(c->be, err, res);
	if (err != 0) {
		done(c, err);
		return;
	}
	if (op->kind == OP_MISSED_COUNT) {
		size_t count = (size_t)pg_int(res, 0, 0);

		op->count = count < op->max ? count : op->max;
		done(c, 0);
		return;
	}
	n = PQntuples(res);
	for (int i = 0; i < n; i++)
		if (op->kind == OP_UNREAD)
			add_unread(op, res, i);
		else
			add_whole(op, res, i);
	if (op->kind == OP_DUE)
		note_owing(c);
	if (n == 0 && op->kind == OP_HISTORY &&
	    (op->page->before.id[0] != '\0' || op->page->after.id[0] != '\0'))
		check_bounds(c);
	else
		done(c, 0);
}

static void send_missed(struct call *c)
{
	struct buf a[6] = { { 0 } };
	const char *params[6];
	bool bound = false;

	for (size_t i = 0; i < c->op->nmissed; i++) {
		const struct store_missed *m = &c->op->missed[i];

		pg_array_add(&a[0], m->user_id, strlen(m->user_id));
		store_pg_add_int(&a[1], m->since);
		store_pg_add_int(&a[2], m->after_pos);
		pg_array_add(&a[3], m->after_id, strlen(m->after_id));
		store_pg_add_int(&a[4], m->limit);
		store_pg_add_int(&a[5], (int64_t)m->bytes);
		bound = bound || m->bytes != 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(a); i++) {
		pg_array_end(&a[i]);
		params[i] = a[i].p;
	}
	pg_query(c->be->ops.pg, bound ? &missed_up_to : &missed, params, on_read,
		 c);
	for (size_t i = 0; i < ARRAY_SIZE(a); i++)
		buf_free(&a[i]);
}

/* Of a time bound all rows of that ms are left out: behind it is before the
 * next one. */
static const char *bound_ms(struct numbers *x, const struct store_bound *b,
			    int64_t open, int more)
{
	if (b->id[0] != '\0')
		return NULL;
	return number(x, b->at_ms != 0 ? b->at_ms + more : open);
}

static void send_history(struct call *c)
{
	const struct store_page *p = c->op->page;
	bool up = p->after.id[0] != '\0' || p->after.at_ms != 0;
	struct numbers x = { .n = 0 };

	pg_query(c->be->ops.pg, &(up ? history_up : history_down)[p->bytes != 0],
		 (const char *const[]){
			 p->match_id, p->after.id,
			 bound_ms(&x, &p->after, BEFORE_ALL_MS, 1), p->before.id,
			 bound_ms(&x, &p->before, AFTER_ALL_MS, 0),
			 number(&x, p->limit), number(&x, (int64_t)p->bytes) },
		 on_read, c);
}

void store_pg_read(struct store_pg *be, struct store_op *op)
{
	const struct store_missed *one = op->one;
	struct call *c = mem_alloc(sizeof(*c));
	struct numbers x = { .n = 0 };
	const struct pg_stmt *stmt;
	const char *params[PARAMS_MAX];

	*c = (struct call){ .be = be, .op = op };
	switch (op->kind) {
	case OP_MISSED:
		send_missed(c);
		return;
	case OP_HISTORY:
		send_history(c);
		return;
	case OP_RECEIPTS:
		stmt = &receipts;
		params[0] = one->user_id;
		params[1] = number(&x, one->since);
		params[2] = number(&x, one->after_pos);
		params[3] = one->after_id;
		params[4] = number(&x, one->limit);
		break;
	case OP_MISSED_COUNT:
		stmt = &missed_count;
		params[0] = one->user_id;
		params[1] = number(&x, one->since);
		params[2] = number(&x, (int64_t)op->max);
		break;
	case OP_DUE:
		stmt = &due;
		params[0] = number(&x, op->now_us);
		params[1] = number(&x, op->limit);
		c->floor = owe_floor(be, op->now_us);
		c->sent_us = clock_mono_us();
		params[2] = number(&x, c->floor);
		break;
	default:	/* OP_UNREAD */
		stmt = &unread;
		params[0] = op->user_id;
		params[1] = number(&x, STORE_UNREAD_SCAN);
		break;
	}
	pg_query(be->ops.pg, stmt, params, on_read, c);
}
