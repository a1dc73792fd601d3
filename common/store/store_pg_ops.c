/* What is found by id, and what changes rows, on one connection. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/store/store_pg.h"

#define AT(param) \
	"timestamptz 'epoch' + " param "::bigint * interval '1 millisecond'"
#define CHANGED                                                      \
	"m.id, m.match_id, m.sender_id, m.recipient_id, m.src, "     \
	"m.chg, " STORE_PG_MS("m.delivered_at") ", "                 \
	STORE_PG_MS("m.read_at") ", m.pos"

/* As STORE_PG_IS. */
#define UNDELIVERED "coalesce(m.delivered_at, '-infinity') = '-infinity'"
#define OWING "m.owe + 0 <> 0"

const struct pg_stmt store_pg_get = {
	.name = "store_get",
	.sql = "SELECT " STORE_PG_ROW " FROM messages WHERE id = ANY($1::text[])",
	.nparams = 1,
};

/* From the end of the match's history to the first row of this sender. */
static const struct pg_stmt last_sent = {
	.name = "store_last_sent",
	.sql = "SELECT " STORE_PG_MS("sent_at") " FROM messages "
	       "WHERE match_id = $1 AND " STORE_PG_IS("sender_id", "$2") " "
	       "ORDER BY sent_at DESC, id DESC LIMIT 1",
	.nparams = 2,
};

static const struct pg_stmt delivered = {
	.name = "store_delivered",
	.sql = "UPDATE messages m SET delivered_at = " AT("u.at_ms") ","
	       " owe = 0, chg = u.chg "
	       "FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[],"
	       " $5::int[]) AS u (id, recipient_id, at_ms, chg, call) "
	       "WHERE m.id = ANY($1::text[]) AND m.id = u.id AND "
	       STORE_PG_IS("m.recipient_id", "u.recipient_id") " AND " UNDELIVERED " "
	       "RETURNING u.call, " CHANGED,
	.nparams = 5,
};

static const struct pg_stmt mark_read = {
	.name = "store_read",
	.sql = "UPDATE messages m SET read_at = " AT("$4") ","
	       " delivered_at = coalesce(delivered_at, " AT("$4") "),"
	       " owe = 0, chg = $5::bigint "
	       "WHERE m.id = ANY($1::text[]) AND " STORE_PG_IS("m.match_id", "$2")
	       " AND " STORE_PG_IS("m.recipient_id", "$3") " AND m.read_at IS NULL "
	       "RETURNING 0, " CHANGED,
	.nparams = 5,
};

static const struct pg_stmt set_owe = {
	.name = "store_set_owe",
	.sql = "UPDATE messages m SET owe = u.owe "
	       "FROM unnest($1::text[], $2::bigint[]) AS u (id, owe) "
	       "WHERE m.id = ANY($1::text[]) AND m.id = u.id AND "
	       UNDELIVERED " AND " OWING,
	.nparams = 2,
};

struct call {
	struct store_pg *be;
	struct store_op *op;
};

static const char *get_str(const PGresult *res, int row, int col)
{
	return PQgetisnull(res, row, col) ? NULL : PQgetvalue(res, row, col);
}

void store_pg_row(const PGresult *res, int row, int col, struct message *out)
{
	*out = (struct message){
		.match_id = PQgetvalue(res, row, col + 1),
		.sender_id = PQgetvalue(res, row, col + 2),
		.recipient_id = PQgetvalue(res, row, col + 3),
		.content = pg_text(res, row, col + 4),
		.media_url = get_str(res, row, col + 6),
		.temp_id = get_str(res, row, col + 7),
		.sent_at_ms = pg_int(res, row, col + 8),
		.pos = pg_int(res, row, col + 9),
		.src = PQgetvalue(res, row, col + 10),
		.owe = pg_int(res, row, col + 11),
		.chg = pg_int(res, row, col + 12),
		.delivered_at_ms = pg_int(res, row, col + 13),
		.read_at_ms = pg_int(res, row, col + 14),
	};
	snprintf(out->id, sizeof(out->id), "%s", PQgetvalue(res, row, col));
	/* What another program wrote there is shown as text. */
	if (message_type_parse(pg_text(res, row, col + 5), &out->type) != 0)
		out->type = MSG_TEXT;
}

static void changed_row(const PGresult *res, int row, struct message *out)
{
	*out = (struct message){
		.match_id = PQgetvalue(res, row, 2),
		.sender_id = PQgetvalue(res, row, 3),
		.recipient_id = PQgetvalue(res, row, 4),
		.src = PQgetvalue(res, row, 5),
		.chg = pg_int(res, row, 6),
		.delivered_at_ms = pg_int(res, row, 7),
		.read_at_ms = pg_int(res, row, 8),
		.pos = pg_int(res, row, 9),
	};
	snprintf(out->id, sizeof(out->id), "%s", PQgetvalue(res, row, 1));
}

static void read_result(struct store_op *op, const PGresult *res)
{
	for (int i = 0; i < PQntuples(res); i++) {
		struct message m;

		switch (op->kind) {
		case OP_LAST_SENT:
			op->sent_at_ms = pg_int(res, i, 0);
			break;
		case OP_GET:
			store_pg_row(res, i, 0, &m);
			store_rows_add(&op->rows, &m, 0);
			break;
		case OP_DELIVERED:
		case OP_READ:
			changed_row(res, i, &m);
			store_rows_add(&op->rows, &m,
				       (unsigned)pg_int(res, i, 0));
			break;
		default:
			break;
		}
	}
}

static void send_op(struct call *c);

static void on_op(void *arg, int err, const PGresult *res)
{
	struct call *c = arg;
	struct store_op *op = c->op;

	err = store_pg_error(c->be, err, res);
	if (err == -EAGAIN && clock_mono_us() < op->due_us) {
		send_op(c);
		return;
	}
	if (err == 0)
		read_result(op, res);
	free(c);
	store_op_done(op, err);
}

/* In order of id, as the index is read: the workers of two devices that
 * confirm the same messages lock the rows in the same order. */
static void send_delivered(struct call *c)
{
	const struct store_op *op = c->op;
	struct store_confirm_row *rows;
	struct buf a[5] = { { 0 } };
	const char *params[5];
	size_t n;

	store_confirm_rows(op, &rows, &n);
	for (size_t k = 0; k < n; k++) {
		const struct store_confirm *call = &op->calls[rows[k].call];

		pg_array_add(&a[0], rows[k].id, MESSAGE_ID_LEN);
		pg_array_add(&a[1], call->recipient_id,
			     strlen(call->recipient_id));
		store_pg_add_int(&a[2], call->at_ms);
		store_pg_add_int(&a[3], call->chg);
		store_pg_add_int(&a[4], rows[k].call);
	}
	free(rows);
	for (int i = 0; i < 5; i++) {
		pg_array_end(&a[i]);
		params[i] = a[i].p;
	}
	pg_query(c->be->ops.pg, &delivered, params, on_op, c);
	for (int i = 0; i < 5; i++)
		buf_free(&a[i]);
}

static void add_ids(struct buf *b, const char (*ids)[MESSAGE_ID_LEN + 1],
		    size_t n)
{
	for (size_t i = 0; i < n; i++)
		pg_array_add(b, ids[i], MESSAGE_ID_LEN);
	pg_array_end(b);
}

static void send_read(struct call *c)
{
	const struct store_confirm *call = &c->op->calls[0];
	struct buf ids = { 0 };
	char at[24], chg[24];

	add_ids(&ids, call->ids, call->n);
	snprintf(at, sizeof(at), "%lld", (long long)call->at_ms);
	snprintf(chg, sizeof(chg), "%lld", (long long)call->chg);
	pg_query(c->be->ops.pg, &mark_read,
		 (const char *const[]){ ids.p, c->op->match_id,
					call->recipient_id, at, chg },
		 on_op, c);
	buf_free(&ids);
}

static void send_owe(struct call *c)
{
	const struct store_op *op = c->op;
	struct buf ids = { 0 }, owes = { 0 };

	for (size_t i = 0; i < op->nowes; i++) {
		pg_array_add(&ids, op->owes[i].id, MESSAGE_ID_LEN);
		store_pg_add_int(&owes, op->owes[i].owe_us);
	}
	pg_array_end(&ids);
	pg_array_end(&owes);
	pg_query(c->be->ops.pg, &set_owe,
		 (const char *const[]){ ids.p, owes.p }, on_op, c);
	buf_free(&ids);
	buf_free(&owes);
}

static void send_op(struct call *c)
{
	const struct store_op *op = c->op;
	struct pg *pg = c->be->ops.pg;
	struct buf ids = { 0 };

	switch (op->kind) {
	case OP_LAST_SENT:
		pg_query(pg, &last_sent,
			 (const char *const[]){ op->match_id, op->sender_id },
			 on_op, c);
		return;
	case OP_DELIVERED:
		send_delivered(c);
		return;
	case OP_READ:
		send_read(c);
		return;
	case OP_GET:
		add_ids(&ids, op->ids, op->nids);
		pg_query(pg, &store_pg_get, (const char *const[]){ ids.p },
			 on_op, c);
		buf_free(&ids);
		return;
	case OP_SET_OWE:
		send_owe(c);
		return;
	default:
		return;
	}
}

void store_pg_run(void *arg, struct store_op *op)
{
	struct store_pg *be = arg;
	struct call *c;

	if (op->kind == OP_LOOK) {
		store_pg_look(be, op);
		return;
	}
	if (!be->schema_ready || !be->ops.up) {
		store_op_done(op, -ENOTCONN);
		return;
	}
	if (op->kind >= OP_MISSED) {
		store_pg_read(be, op);
		return;
	}
	c = mem_alloc(sizeof(*c));
	*c = (struct call){ be, op };
	send_op(c);
}
