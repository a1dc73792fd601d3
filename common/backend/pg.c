#include "common/backend/pg.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/backend/pg_conn.h"
#include "common/backend/pg_stmts.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/loop/deadlines.h"

#define QUERY_CANCELED "57014"
#define SLOW_LOG_MS 60000

struct pg {
	struct pg_conn conn;
	struct pg_stmts stmts;
	struct deadlines deadlines;
	struct list sent;	/* queries, in the order of their results */
	struct list refused;	/* queries never sent, to be told so */
	struct task tell_refused;
	int64_t slow_ms;	/* logged last that the server gives up; 0: never */
	pg_state_cb *state;
	pg_notify_cb *notify;
	void *arg;
};

/* One sync group: [Parse] Bind Execute Sync. */
struct query {
	struct list node;	/* of sent or refused */
	struct deadline due;
	struct pg *pg;
	struct pg_prepared *stmt;
	pg_cb *cb;
	void *arg;
	bool prepares;		/* the group begins with the Parse */
	bool parse_ok;		/* ... which has been answered */
	unsigned generation;	/* of stmt, when sent */
	bool answered;		/* past its deadline */
	PGresult *res;		/* kept until the sync; an error stays */
};

static void answer(struct query *q, int err, const PGresult *res)
{
	if (q->cb != NULL && !q->answered)
		q->cb(q->arg, err, res);
	q->answered = true;
}

static void query_free(struct query *q)
{
	deadline_drop(&q->due);
	list_remove(&q->node);
	PQclear(q->res);
	free(q);
}

/* The callbacks may submit queries: those go to the list again, for later. */
static void fail_all(struct list *list, int err)
{
	struct list now, *n;

	list_init(&now);
	list_splice(&now, list);
	while ((n = list_shift(&now)) != NULL) {
		struct query *q = LIST_ENTRY(n, struct query, node);

		deadline_drop(&q->due);
		answer(q, err, NULL);
		query_free(q);
	}
}

static void tell_refused(void *arg)
{
	struct pg *pg = arg;

	fail_all(&pg->refused, -ENOTCONN);
}

static void on_deadline(struct deadline *d, void *arg)
{
	struct pg *pg = arg;

	pg_conn_break(&pg->conn, "no answer within %u ms", pg->conn.timeout_ms);
	answer(CONTAINER_OF(d, struct query, due), -ETIMEDOUT, NULL);
}

/* The server gave up first: its statement_timeout is a little shorter than the
 * deadline. Behind a lock that is every statement: one line a minute. */
static void note_slow(struct pg *pg)
{
	int64_t now = clock_mono_ms();

	if (pg->slow_ms != 0 && now - pg->slow_ms < SLOW_LOG_MS)
		return;
	pg->slow_ms = now;
	log_warn("postgres %s: statements are not done in time timeout_ms=%u",
		 pg->conn.retry.name, pg->conn.timeout_ms);
}

static void refused(struct query *q)
{
	const PGresult *error =
		pg_prepared_refused(q->stmt, q->generation,
				    q->prepares && !q->parse_ok, &q->res);

	if (!pg_error_is(error, QUERY_CANCELED)) {
		answer(q, -EREMOTEIO, error);
		return;
	}
	note_slow(q->pg);
	answer(q, -ETIMEDOUT, NULL);
}

/* The group has ended, and its transaction with it. */
static void finish(struct query *q)
{
	PGresult *res = q->res;

	if (res == NULL)
		answer(q, -EREMOTEIO, NULL);
	else if (PQresultStatus(res) == PGRES_TUPLES_OK ||
		 PQresultStatus(res) == PGRES_COMMAND_OK)
		answer(q, 0, res);
	else
		refused(q);
	query_free(q);
}

/* One result of the group at the head; res is taken. An error comes once,
 * then the rest of the group as PIPELINE_ABORTED; one at the commit comes
 * after the query's own result, and replaces it. */
static void take_result(struct pg *pg, struct query *q, PGresult *res)
{
	ExecStatusType status = PQresultStatus(res);

	if (status == PGRES_PIPELINE_SYNC) {
		PQclear(res);
		finish(q);
		return;
	}
	if (status == PGRES_PIPELINE_ABORTED) {
		PQclear(res);
		return;
	}
	if (pg_is_fatal(res)) {		/* no sync will follow */
		pg_conn_break(&pg->conn, "%s",
			      PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY));
		PQclear(res);
		return;
	}
	if (q->prepares && !q->parse_ok && status == PGRES_COMMAND_OK) {
		pg_prepared_done(q->stmt);
		q->parse_ok = true;
		PQclear(res);
		return;
	}
	PQclear(q->res);
	q->res = res;
}

static void take_notifications(struct pg *pg)
{
	PGnotify *n;

	while (pg->conn.state == PG_CONN_UP &&
	       (n = PQnotifies(pg->conn.pg)) != NULL) {
		if (pg->notify != NULL)
			pg->notify(pg->arg, n->relname, n->extra);
		PQfreemem(n);
	}
}

static void on_input(void *arg)
{
	struct pg *pg = arg;
	struct list *n;

	/* NULL only separates the commands of a group: the syncs count. */
	while (pg->conn.state == PG_CONN_UP &&
	       (n = list_first(&pg->sent)) != NULL &&
	       PQisBusy(pg->conn.pg) == 0 &&
	       PQstatus(pg->conn.pg) == CONNECTION_OK) {
		PGresult *res = PQgetResult(pg->conn.pg);

		if (res != NULL)
			take_result(pg, LIST_ENTRY(n, struct query, node), res);
	}
	take_notifications(pg);
}

static void on_gone(void *arg)
{
	struct pg *pg = arg;

	pg_stmts_forget(&pg->stmts);
	fail_all(&pg->sent, -ECONNRESET);
}

static void on_state(void *arg, bool up)
{
	struct pg *pg = arg;

	if (pg->state != NULL)
		pg->state(pg->arg, up);
}

static const struct pg_conn_ops ops = { on_input, on_gone, on_state };

static int sync_group(PGconn *conn)
{
#ifdef LIBPQ_HAS_SEND_PIPELINE_SYNC
	return PQsendPipelineSync(conn);	/* one write for all of a turn */
#else
	return PQpipelineSync(conn);		/* libpq < 17: writes at once */
#endif
}

static bool send_group(struct query *q, const char *const *params)
{
	PGconn *conn = q->pg->conn.pg;
	struct pg_prepared *p = q->stmt;
	char name[PG_STMT_NAME_LEN];

	q->prepares = pg_prepared_wanted(p, name);
	q->generation = p->generation;
	if (q->prepares &&
	    PQsendPrepare(conn, name, p->stmt->sql, 0, NULL) == 0)
		return false;
	return PQsendQueryPrepared(conn, name, p->stmt->nparams, params, NULL,
				   NULL, 0) == 1 &&
	       sync_group(conn) == 1;
}

void pg_query(struct pg *pg, const struct pg_stmt *stmt,
	      const char *const *params, pg_cb *cb, void *arg)
{
	struct query *q = mem_zalloc(sizeof(*q));

	q->pg = pg;
	q->cb = cb;
	q->arg = arg;
	list_init(&q->node);
	deadline_init(&q->due);
	if (pg->conn.state != PG_CONN_UP) {
		list_append(&pg->refused, &q->node);
		loop_defer(pg->conn.loop, &pg->tell_refused);
		return;
	}
	q->stmt = pg_stmts_get(&pg->stmts, stmt);
	list_append(&pg->sent, &q->node);
	deadline_arm(&pg->deadlines, &q->due);
	if (!send_group(q, params))	/* part of it may be on its way */
		pg_conn_break(&pg->conn, "%s", PQerrorMessage(pg->conn.pg));
	else
		pg_conn_flush(&pg->conn);
}

void pg_drop(struct pg *pg)
{
	if (pg->conn.state == PG_CONN_UP)
		pg_conn_break(&pg->conn, "dropped: it stopped answering");
}

struct pg *pg_new(struct loop *l, const struct pg_conf *conf,
		  pg_state_cb *state, pg_notify_cb *notify, void *arg)
{
	struct pg *pg = mem_zalloc(sizeof(*pg));

	pg->state = state;
	pg->notify = notify;
	pg->arg = arg;
	list_init(&pg->sent);
	list_init(&pg->refused);
	task_init(&pg->tell_refused, LOOP_WORK, tell_refused, pg);
	deadlines_init(&pg->deadlines, l, conf->timeout_ms, on_deadline, pg);
	pg_conn_init(&pg->conn, l, conf, &ops, pg);
	return pg;
}

void pg_free(struct pg **pgp)
{
	struct pg *pg = *pgp;

	if (pg == NULL)
		return;
	pg_conn_free(&pg->conn);
	while (!list_empty(&pg->sent))
		fail_all(&pg->sent, -ECANCELED);
	while (!list_empty(&pg->refused))
		fail_all(&pg->refused, -ECANCELED);
	task_cancel(&pg->tell_refused);
	deadlines_free(&pg->deadlines);
	pg_stmts_free(&pg->stmts);
	free(pg);
	*pgp = NULL;
}

bool pg_up(const struct pg *pg)
{
	return pg->conn.state == PG_CONN_UP;
}
