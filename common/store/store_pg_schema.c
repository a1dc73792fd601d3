/* The table of messages, made by whichever worker reaches an empty database
 * first. An operator who gives the server no right to create tables creates it
 * himself; the store waits for it.
 *
 * Indexes are made with the table, never later: on a table that has rows it
 * takes long, and holds up every insert meanwhile. When that shall be, and that
 * it is done CONCURRENTLY, is the operator's to decide: the log says how. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/store/store_pg.h"

#define RETRY_MS 2000

/* Name, and what it is on. Undelivered and owing rows are few: their indexes
 * hold only those. That of the undelivered has the id, too, for the planner: it
 * alone gives their order without sorting, so it is not passed over for that of
 * all rows, which is the same otherwise (store_pg_reads.c). */
#define INDEXES(X)                                                         \
	X("messages_history_idx", "(match_id, sent_at, id)")               \
	X("messages_undelivered_idx",                                      \
	  "(recipient_id, pos, id) WHERE delivered_at IS NULL")                \
	X("messages_recipient_idx", "(recipient_id, pos)")                 \
	X("messages_sender_idx", "(sender_id, chg)")                       \
	X("messages_owe_idx", "(owe) WHERE owe <> 0")

#define INDEX_ROW(name, on) { name, on },
#define INDEX_QUOTED(name, on) ", '" name "'"
#define INDEX_CREATE(name, on) "CREATE INDEX " name " ON messages " on "; "

static const struct {
	const char *name;
	const char *on;
} indexes[] = { INDEXES(INDEX_ROW) };

#define MISSING_INDEXES                                                    \
	"(SELECT string_agg(i, ' ') FROM unnest(ARRAY[NULL"                \
	INDEXES(INDEX_QUOTED) "]) AS i WHERE i IS NOT NULL AND NOT EXISTS " \
	"(SELECT 1 FROM pg_index x WHERE x.indexrelid = to_regclass(i) "    \
	"AND x.indisvalid))"

static const struct pg_stmt look = {
	.name = "store_look",
	.sql =
	"SELECT to_regclass('messages') IS NOT NULL, "
	"(SELECT string_agg(c, ', ') FROM unnest(ARRAY['id', 'match_id', "
	" 'sender_id', 'recipient_id', 'content', 'type', 'media_url', "
	" 'temp_id', 'pos', 'src', 'sent_at', 'delivered_at', 'read_at', "
	" 'owe', 'chg']) AS c WHERE NOT EXISTS (SELECT 1 FROM pg_attribute a "
	" WHERE a.attrelid = to_regclass('messages') AND a.attname = c "
	" AND NOT a.attisdropped)), "
	MISSING_INDEXES,
	.nparams = 0,
};

/* Ids compare as bytes: cheaper than a locale's order, and the order in which
 * batches are sorted. The lock keeps workers that start together from making
 * the same table twice, which IF NOT EXISTS alone does not. Whoever waited for
 * it still believes what `look` told this session: only opening a table, as
 * pg_class here, makes it hear of what others made. */
static const struct pg_stmt make = {
	.name = "store_make",
	.sql =
	"DO $$ BEGIN "
	"PERFORM pg_advisory_xact_lock(hashtext('pairwire.messages')); "
	"IF EXISTS (SELECT FROM pg_class WHERE oid = to_regclass('messages'))"
	" THEN RETURN; END IF; "
	"CREATE TABLE messages ("
	" id text COLLATE \"C\" PRIMARY KEY,"
	" match_id text COLLATE \"C\" NOT NULL,"
	" sender_id text COLLATE \"C\" NOT NULL,"
	" recipient_id text COLLATE \"C\" NOT NULL,"
	" content text NOT NULL,"
	" type text NOT NULL,"
	" media_url text,"
	" temp_id jsonb,"
	" pos bigint NOT NULL,"
	" src text NOT NULL,"
	" sent_at timestamptz(3) NOT NULL,"
	" delivered_at timestamptz(3),"
	" read_at timestamptz(3),"
	" owe bigint NOT NULL,"
	" chg bigint NOT NULL); "
	INDEXES(INDEX_CREATE)
	"END $$",
	.nparams = 0,
};

static void again_later(struct store_pg *be)
{
	be->schema_asked = false;
	if (be->ops.up)
		timer_arm(&be->schema_retry, RETRY_MS);
}

static void ready(struct store_pg *be)
{
	be->schema_asked = false;
	be->schema_ready = true;
	store_pg_judge_state(be);
}

static bool names(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = list; (at = strstr(at, name)) != NULL; at += n)
		if ((at == list || at[-1] == ' ') &&
		    (at[n] == ' ' || at[n] == '\0'))
			return true;
	return false;
}

/* missing: the names, separated by blanks. */
static void note_missing(struct store_pg *be, const char *missing)
{
	if (strcmp(be->missing, missing) == 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(indexes); i++)
		if (names(missing, indexes[i].name))
			log_warn("store: the table messages lacks an index, "
				 "which slows the store down; to be made with "
				 "sql=\"CREATE INDEX CONCURRENTLY %s ON messages "
				 "%s\"", indexes[i].name, indexes[i].on);
	if (missing[0] == '\0')
		log_info("store: the table messages has its indexes");
	snprintf(be->missing, sizeof(be->missing), "%s", missing);
}

static void on_made(void *arg, int err, const PGresult *res)
{
	struct store_pg *be = arg;

	if (err == -ECANCELED)
		return;
	if (store_pg_error(be, err, res) != 0) {
		again_later(be);
		return;
	}
	log_info("store: created the table messages");
	ready(be);
}

static void on_look(void *arg, int err, const PGresult *res)
{
	struct store_pg *be = arg;
	bool there;

	if (err == -ECANCELED)
		return;
	if (store_pg_error(be, err, res) != 0) {
		again_later(be);
		return;
	}
	there = strcmp(PQgetvalue(res, 0, 0), "t") == 0;
	if (there && !PQgetisnull(res, 0, 1)) {
		if (strcmp(be->complaint, "cols") != 0)
			log_err("store: the table messages is not ours, it "
				"lacks columns=\"%s\"",
				PQgetvalue(res, 0, 1));
		memcpy(be->complaint, "cols", sizeof("cols"));
		again_later(be);
		return;
	}
	if (!there) {
		pg_query(be->ops.pg, &make, NULL, on_made, be);
		return;
	}
	note_missing(be, PQgetvalue(res, 0, 2));	/* "" when NULL */
	ready(be);
}

void store_pg_schema_start(struct store_pg *be)
{
	if (be->schema_ready || be->schema_asked)
		return;
	be->schema_asked = true;
	timer_disarm(&be->schema_retry);
	pg_query(be->ops.pg, &look, NULL, on_look, be);
}

void store_pg_schema_lost(struct store_pg *be)
{
	be->schema_ready = false;
	store_pg_judge_state(be);
	store_pg_schema_start(be);
}

/* --- what an operator should know --- */

/* The rights are asked for by the table's number: its name would be refused
 * where it is missing. */
static const struct pg_stmt inspect = {
	.name = "store_inspect",
	.sql =
	"SELECT split_part(current_setting('server_version'), ' ', 1), "
	"pg_is_in_recovery() OR current_setting('transaction_read_only')::bool, "
	"(SELECT string_agg(p, ', ') FROM unnest(ARRAY['SELECT', 'INSERT', "
	" 'UPDATE']) AS p WHERE NOT has_table_privilege("
	" to_regclass('messages')::oid, p)), " MISSING_INDEXES,
	.nparams = 0,
};

struct inspection {
	struct store_pg *be;
	struct store_op *op;
};

static void judge(const struct store_pg *be, const PGresult *res,
		  struct store_look *l)
{
	const char *version = PQgetvalue(res, 0, 0);
	const char *rights = PQgetvalue(res, 0, 2);
	const char *missing = PQgetvalue(res, 0, 3);
	size_t i = 0;

	if (pg_bool(res, 0, 1)) {
		snprintf(l->text, sizeof(l->text), "PostgreSQL %s; it takes no "
			 "writes (a standby, or read-only)", version);
		snprintf(l->todo, sizeof(l->todo), "name the primary in "
			 "store_url");
	} else if (!be->schema_ready) {
		snprintf(l->text, sizeof(l->text), "PostgreSQL %s; the table "
			 "messages cannot be used or made", version);
		snprintf(l->todo, sizeof(l->todo), "the workers' log says why");
	} else if (rights[0] != '\0') {
		snprintf(l->text, sizeof(l->text), "PostgreSQL %s; no right to "
			 "%s on the table messages", version, rights);
		snprintf(l->todo, sizeof(l->todo), "GRANT SELECT, INSERT, "
			 "UPDATE ON messages");
	} else if (missing[0] != '\0') {
		while (i + 1 < ARRAY_SIZE(indexes) &&
		       !names(missing, indexes[i].name))
			i++;
		snprintf(l->text, sizeof(l->text), "PostgreSQL %s; no index %s",
			 version, missing);
		snprintf(l->todo, sizeof(l->todo), "CREATE INDEX CONCURRENTLY "
			 "%s ON messages %s", indexes[i].name, indexes[i].on);
	} else {
		snprintf(l->text, sizeof(l->text), "PostgreSQL %s, table and "
			 "indexes are there", version);
	}
}

static void on_inspected(void *arg, int err, const PGresult *res)
{
	struct inspection *i = arg;

	if (err == 0)
		judge(i->be, res, i->op->look);
	store_op_done(i->op, err);
	free(i);
}

void store_pg_look(struct store_pg *be, struct store_op *op)
{
	struct inspection *i;

	if (!be->ops.up) {
		store_op_done(op, -ENOTCONN);
		return;
	}
	i = mem_alloc(sizeof(*i));
	*i = (struct inspection){ be, op };
	pg_query(be->ops.pg, &inspect, NULL, on_inspected, i);
}
