/* The table of messages, made by whichever worker reaches an empty database
 * first. An operator who gives the server no right to create tables creates it
 * himself; the store waits for it. */
#include <errno.h>
#include <string.h>

#include <libpq-fe.h>

#include "common/base/log.h"
#include "common/store/store_pg.h"

#define RETRY_MS 2000

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
	"(SELECT count(*) FROM unnest(ARRAY['messages_history_idx', "
	" 'messages_undelivered_idx', 'messages_recipient_idx', "
	" 'messages_sender_idx', 'messages_owe_idx']) AS i "
	" WHERE to_regclass(i) IS NULL)",
	.nparams = 0,
};

/* Ids compare as bytes: cheaper than a locale's order, and the order in which
 * batches are sorted. The lock keeps workers that start together from making
 * the same table twice, which IF NOT EXISTS alone does not. Undelivered and
 * owing rows are few: their indexes hold only those. */
static const struct pg_stmt make = {
	.name = "store_make",
	.sql =
	"DO $$ BEGIN "
	"PERFORM pg_advisory_xact_lock(hashtext('pairwire.messages')); "
	"CREATE TABLE IF NOT EXISTS messages ("
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
	"CREATE INDEX IF NOT EXISTS messages_history_idx"
	" ON messages (match_id, sent_at, id); "
	"CREATE INDEX IF NOT EXISTS messages_undelivered_idx"
	" ON messages (recipient_id, pos) WHERE delivered_at IS NULL; "
	"CREATE INDEX IF NOT EXISTS messages_recipient_idx"
	" ON messages (recipient_id, pos); "
	"CREATE INDEX IF NOT EXISTS messages_sender_idx"
	" ON messages (sender_id, chg); "
	"CREATE INDEX IF NOT EXISTS messages_owe_idx"
	" ON messages (owe) WHERE owe <> 0; "
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
	if (there && strcmp(PQgetvalue(res, 0, 2), "0") == 0)
		ready(be);
	else
		pg_query(be->ops.pg, &make, NULL, on_made, be);
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
