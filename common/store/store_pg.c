#include "common/store/store_pg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"

/* Each statement finds its rows by key. The plan is made once a connection,
 * often while the table is all but empty, and must hold when it has grown: so
 * whatever pays off on small tables only is switched off. What is left is the
 * index that the statement means (see also store_pg_ops.c). */
static const char *const setup[] = {
	"SET synchronous_commit = on",
	"SELECT set_config(name, value, false) FROM (VALUES"
	" ('client_min_messages', 'warning'),"
	" ('plan_cache_mode', 'force_generic_plan'),"
	" ('enable_seqscan', 'off'), ('enable_bitmapscan', 'off'),"
	" ('enable_sort', 'off'), ('enable_incremental_sort', 'off'),"
	" ('enable_nestloop', 'off'),"
	" ('enable_mergejoin', 'off'), ('jit', 'off')) AS s (name, value)",
	NULL,
};

enum { C_ID, C_MATCH, C_SENDER, C_RECIPIENT, C_CONTENT, C_TYPE, C_MEDIA,
       C_TEMP, C_POS, C_SRC, C_SENT, C_DELIVERED, C_READ, C_OWE, C_CHG,
       COLUMNS };

#define AT(col) "timestamptz 'epoch' + " col " * interval '1 millisecond'"

/* One statement whatever the size of the batch. A row whose id another
 * transaction is just inserting waits for that one's end (M3). */
static const struct pg_stmt insert = {
	.name = "store_insert",
	.sql =
	"INSERT INTO messages (id, match_id, sender_id, recipient_id, content,"
	" type, media_url, temp_id, pos, src, sent_at, delivered_at, read_at,"
	" owe, chg) "
	"SELECT id, match_id, sender_id, recipient_id, content, type,"
	" media_url, temp_id::jsonb, pos, src, " AT("sent_at") ", "
	AT("nullif(delivered_at, 0)") ", " AT("nullif(read_at, 0)") ", owe, chg "
	"FROM unnest($1::text[], $2::text[], $3::text[], $4::text[],"
	" $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[],"
	" $10::text[], $11::bigint[], $12::bigint[], $13::bigint[],"
	" $14::bigint[], $15::bigint[]) AS u (id, match_id, sender_id,"
	" recipient_id, content, type, media_url, temp_id, pos, src, sent_at,"
	" delivered_at, read_at, owe, chg) "
	"ON CONFLICT (id) DO NOTHING RETURNING id",
	.nparams = COLUMNS,
};

void store_pg_add_int(struct buf *array, int64_t v)
{
	char text[24];

	pg_array_add(array, text,
		     (size_t)snprintf(text, sizeof(text), "%lld", (long long)v));
}

static void add_str(struct buf *array, const char *s)
{
	pg_array_add(array, s, s != NULL ? strlen(s) : 0);
}

static void add_row(struct buf a[COLUMNS], const struct message *m)
{
	add_str(&a[C_ID], m->id);
	add_str(&a[C_MATCH], m->match_id);
	add_str(&a[C_SENDER], m->sender_id);
	add_str(&a[C_RECIPIENT], m->recipient_id);
	pg_array_add(&a[C_CONTENT], m->content.n > 0 ? m->content.p : "",
		     m->content.n);
	add_str(&a[C_TYPE], message_type_name(m->type));
	add_str(&a[C_MEDIA], m->media_url);
	add_str(&a[C_TEMP], m->temp_id);
	store_pg_add_int(&a[C_POS], m->pos);
	add_str(&a[C_SRC], m->src);
	store_pg_add_int(&a[C_SENT], m->sent_at_ms);
	store_pg_add_int(&a[C_DELIVERED], m->delivered_at_ms);
	store_pg_add_int(&a[C_READ], m->read_at_ms);
	store_pg_add_int(&a[C_OWE], m->owe);
	store_pg_add_int(&a[C_CHG], m->chg);
}

static int by_id(const void *key, const void *row)
{
	return strcmp(key, ((const struct store_row *)row)->m->id);
}

static struct store_row *find_row(struct store_batch *b, const char *id)
{
	return bsearch(id, b->rows, b->n, sizeof(b->rows[0]), by_id);
}

static void batch_done(struct store_pg_conn *c, int err)
{
	struct store_batch *b = c->batch;

	c->batch = NULL;
	store_batch_done(b, err);
}

/* A row that is not found now either was deleted in between: unknown. */
static void on_present(void *arg, int err, const PGresult *res)
{
	struct store_pg_conn *c = arg;

	if (store_pg_error(c->be, err, res) == 0) {
		for (int i = 0; i < PQntuples(res); i++) {
			struct message m;
			struct store_row *row;

			store_pg_row(res, i, 0, &m);
			row = find_row(c->batch, m.id);
			if (row == NULL || row->state == ROW_PRESENT)
				continue;
			row->state = ROW_PRESENT;
			row->found = message_dup(&m);
		}
	}
	batch_done(c, 0);
}

static void read_present(struct store_pg_conn *c)
{
	struct buf ids = { 0 };
	const char *params[1];

	for (size_t i = 0; i < c->batch->n; i++)
		if (c->batch->rows[i].state == ROW_UNKNOWN)
			add_str(&ids, c->batch->rows[i].m->id);
	pg_array_end(&ids);
	params[0] = ids.p;
	pg_query(c->pg, &store_pg_get, params, on_present, c);
	buf_free(&ids);
}

static void insert_send(struct store_pg_conn *c);

static void on_inserted(void *arg, int err, const PGresult *res)
{
	struct store_pg_conn *c = arg;

	err = store_pg_error(c->be, err, res);
	if (err == -EAGAIN && clock_mono_us() < c->batch->due_us) {
		insert_send(c);
		return;
	}
	if (err != 0) {
		batch_done(c, err);
		return;
	}
	for (int i = 0; i < PQntuples(res); i++) {
		struct store_row *row =
			find_row(c->batch, PQgetvalue(res, i, 0));

		if (row != NULL)
			row->state = ROW_STORED;
	}
	if ((size_t)PQntuples(res) == c->batch->n)
		batch_done(c, 0);
	else
		read_present(c);
}

static void insert_send(struct store_pg_conn *c)
{
	struct buf a[COLUMNS] = { { 0 } };
	const char *params[COLUMNS];

	for (size_t i = 0; i < c->batch->n; i++)
		add_row(a, c->batch->rows[i].m);
	for (int i = 0; i < COLUMNS; i++) {
		pg_array_end(&a[i]);
		params[i] = a[i].p;
	}
	pg_query(c->pg, &insert, params, on_inserted, c);
	for (int i = 0; i < COLUMNS; i++)
		buf_free(&a[i]);
}

static void pg_insert(void *arg, struct store_batch *b)
{
	struct store_pg *be = arg;
	struct store_pg_conn *c = &be->lane[b->lane];

	if (!be->schema_ready || !c->up) {
		store_batch_done(b, -ENOTCONN);
		return;
	}
	c->batch = b;
	insert_send(c);
}

/* Data exceptions, broken constraints and values beyond a limit come from one
 * row; PostgreSQL 15, appendix A. */
static int sqlstate_errno(const char *state)
{
	if (strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0 ||
	    strncmp(state, "54", 2) == 0)
		return -EINVAL;
	if (strcmp(state, "40P01") == 0 || strcmp(state, "40001") == 0)
		return -EAGAIN;
	return -EREMOTEIO;
}

int store_pg_error(struct store_pg *be, int err, const PGresult *res)
{
	const char *state;

	if (err == 0 && be->schema_ready)
		be->complaint[0] = '\0';
	if (err != -EREMOTEIO)
		return err;
	state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	if (state == NULL)
		return err;
	err = sqlstate_errno(state);
	if (err != -EREMOTEIO)
		return err;
	if (strcmp(be->complaint, state) != 0) {
		const char *text =
			PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

		snprintf(be->complaint, sizeof(be->complaint), "%s", state);
		log_err("store: PostgreSQL refuses sqlstate=%s text=\"%s\"",
			state, text != NULL ? text : "");
	}
	if (strcmp(state, "42P01") == 0 || strcmp(state, "42703") == 0)
		store_pg_schema_lost(be);
	return err;
}

void store_pg_judge_state(struct store_pg *be)
{
	bool up = be->ops.up && be->schema_ready;

	for (unsigned i = 0; i < be->lanes; i++)
		up = up && be->lane[i].up;
	if (up == be->up)
		return;
	be->up = up;
	be->state(be->arg, up);
}

static void on_conn_state(void *arg, bool up)
{
	struct store_pg_conn *c = arg;

	c->up = up;
	if (c == &c->be->ops) {
		/* Another server may answer now: the table is looked for anew. */
		if (!up)
			c->be->schema_ready = false;
		else
			store_pg_schema_start(c->be);
	}
	store_pg_judge_state(c->be);
}

static void on_schema_retry(void *arg)
{
	store_pg_schema_start(arg);
}

static void conn_open(struct store_pg *be, struct store_pg_conn *c,
		      const struct message_store_conf *conf, const char *what)
{
	char name[64];

	snprintf(name, sizeof(name), "%.40s %s", conf->name, what);
	c->be = be;
	c->pg = pg_new(be->loop,
		       &(struct pg_conf){ .name = name,
					  .url = conf->url,
					  .timeout_ms = conf->timeout_ms,
					  .setup = setup },
		       on_conn_state, NULL, c);
}

static void *pg_open(struct loop *l, const struct message_store_conf *conf,
		     void (*state)(void *arg, bool up), void *arg,
		     char err[256])
{
	char *text = NULL;
	PQconninfoOption *parsed = PQconninfoParse(conf->url, &text);
	struct store_pg *be;

	if (parsed == NULL) {
		/* libpq's text may quote the URL, password and all. */
		snprintf(err, 256, "the message store's URL is not one of "
				   "PostgreSQL");
		PQfreemem(text);
		return NULL;
	}
	PQconninfoFree(parsed);
	be = mem_zalloc(sizeof(*be) + conf->lanes * sizeof(be->lane[0]));
	be->loop = l;
	be->state = state;
	be->arg = arg;
	be->lanes = conf->lanes;
	timer_init(&be->schema_retry, l, on_schema_retry, be);
	conn_open(be, &be->ops, conf, "store");
	for (unsigned i = 0; i < be->lanes; i++)
		conn_open(be, &be->lane[i], conf, "store-insert");
	return be;
}

static void pg_close(void *arg)
{
	struct store_pg *be = arg;

	for (unsigned i = 0; i < be->lanes; i++)
		pg_free(&be->lane[i].pg);
	pg_free(&be->ops.pg);
	timer_free(&be->schema_retry);
	free(be);
}

const struct store_backend store_pg = {
	.open = pg_open,
	.close = pg_close,
	.insert = pg_insert,
	.run = store_pg_run,
};
