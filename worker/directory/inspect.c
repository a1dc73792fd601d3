#include "worker/directory/inspect.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/backend/pg.h"
#include "common/base/mem.h"

/* Of a view the triggers are on a base table, which one only the app knows: any
 * that announces on our channel will do. tgargs: the arguments, a NUL behind
 * each. */
static const struct pg_stmt stmt_look = {
	.name = "directory_look",
	.sql =
	"WITH tables (t, channel) AS (VALUES ('matches', 'pairwire_match'), "
	" ('users', 'pairwire_user')), "
	"rel AS (SELECT t, channel, c.oid, c.relkind IN ('r', 'p') AS own "
	" FROM tables LEFT JOIN pg_class c ON c.oid = to_regclass(t)::oid), "
	"missing AS (SELECT t || '.' || col AS what FROM (VALUES "
	" ('matches', 'id'), ('matches', 'user_a_id'), ('matches', 'user_b_id'), "
	" ('matches', 'unmatched_at'), ('matches', 'last_message_at'), "
	" ('users', 'id'), ('users', 'first_name'), ('users', 'last_seen')) "
	" AS v (tab, col) JOIN rel ON t = tab WHERE NOT EXISTS (SELECT FROM "
	" pg_attribute WHERE attrelid = oid AND attname = col "
	" AND NOT attisdropped)), "
	"silent AS (SELECT DISTINCT t AS what FROM rel, "
	" unnest(ARRAY['pairwire_rows', 'pairwire_change', 'pairwire_truncate']) "
	" AS name WHERE NOT EXISTS (SELECT FROM pg_trigger g "
	" WHERE g.tgname = name AND g.tgenabled IN ('O', 'A') "
	" AND (g.tgrelid = rel.oid OR NOT own) "
	" AND position(convert_to(channel, 'UTF8') IN g.tgargs) = 1)), "
	"slow AS (SELECT 'matches (' || col || ')' AS what FROM rel, "
	" unnest(ARRAY['user_a_id', 'user_b_id']) AS col WHERE t = 'matches' "
	" AND own AND NOT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a "
	" ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] "
	" WHERE i.indrelid = rel.oid AND a.attname = col AND i.indisvalid)), "
	"rights AS (SELECT p || ' on ' || t AS what FROM rel, "
	" unnest(ARRAY['SELECT', 'UPDATE']) AS p WHERE oid IS NOT NULL "
	" AND NOT has_any_column_privilege(oid, p)) "
	"SELECT split_part(current_setting('server_version'), ' ', 1), "
	" pg_is_in_recovery(), "
	" (SELECT string_agg(what, ', ') FROM missing), "
	" (SELECT string_agg(what, ', ') FROM silent), "
	" (SELECT string_agg(what, ', ') FROM slow), "
	" (SELECT string_agg(what, ', ') FROM rights)",
	.nparams = 0,
};
enum { VERSION, STANDBY, MISSING, SILENT, SLOW, RIGHTS, COLS };

static const struct pg_stmt stmt_version = {
	.name = "directory_schema",
	.sql = "SELECT coalesce(max(version), 0) FROM pairwire_schema",
	.nparams = 0,
};

struct inspection {
	directory_look_cb *cb;
	void *arg;
	int err;
	char cols[COLS][160];
	bool standby;
	char text[256];
	char todo[256];
};

static void on_look(void *arg, int err, const PGresult *res)
{
	struct inspection *i = arg;

	i->err = err;
	for (int c = 0; err == 0 && c < COLS; c++)
		snprintf(i->cols[c], sizeof(i->cols[c]), "%s",
			 pg_text(res, 0, c).p);
	i->standby = err == 0 && pg_bool(res, 0, STANDBY);
}

static PRINTF(3, 4) void complain(struct inspection *i, const char *todo,
				  const char *fmt, ...)
{
	int n = snprintf(i->text, sizeof(i->text), "PostgreSQL %s; ",
			 i->cols[VERSION]);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(i->text + n, sizeof(i->text) - (size_t)n, fmt, ap);
	va_end(ap);
	snprintf(i->todo, sizeof(i->todo), "%s", todo);
}

/* schema: its version, -1: may not be looked at. The worst first: what is missing
 * may be so because the schema is old. */
static void judge(struct inspection *i, int schema)
{
	const char *silent = i->cols[SILENT];

	if (i->standby)
		complain(i, "name the primary in database_url",
			 "it is a standby: it announces no changes and takes "
			 "no writes");
	else if (schema >= 0 && schema < DIRECTORY_SCHEMA)
		complain(i, "run pairwire-migrate", "schema %d of %d", schema,
			 DIRECTORY_SCHEMA);
	else if (i->cols[MISSING][0] != '\0')
		complain(i, "run pairwire-migrate, or add them to your table or "
			 "view", "no column %s", i->cols[MISSING]);
	else if (silent[0] != '\0')
		complain(i, strncmp(silent, "matches", 7) == 0 ?
			 "SELECT pairwire_watch_matches('matches')" :
			 "SELECT pairwire_watch_users('users')",
			 "changes of %s are not announced: a trigger is missing "
			 "or off", silent);
	else if (i->cols[RIGHTS][0] != '\0')
		complain(i, "GRANT it to the role of database_url",
			 "no right to %s", i->cols[RIGHTS]);
	else if (i->cols[SLOW][0] != '\0')
		complain(i, "CREATE INDEX CONCURRENTLY ON it",
			 "no index on %s", i->cols[SLOW]);
	else
		complain(i, "", "schema %d is there and announces changes",
			 DIRECTORY_SCHEMA);
}

/* Without the table of versions nothing was ever migrated; without the right to
 * read it the rest says enough. Answers come in order. */
static void on_version(void *arg, int err, const PGresult *res)
{
	struct inspection *i = arg;
	int schema = err == 0 ? (int)pg_int(res, 0, 0) :
		     pg_error_is(res, "42P01") ? 0 : -1;

	if (i->err == 0 && err != -EREMOTEIO)
		i->err = err;
	if (i->err == 0)
		judge(i, schema);
	i->cb(i->arg, i->err, i->text, i->todo);
	free(i);
}

void inspect(struct pg *pg, directory_look_cb *cb, void *arg)
{
	struct inspection *i = mem_zalloc(sizeof(*i));

	i->cb = cb;
	i->arg = arg;
	pg_query(pg, &stmt_look, NULL, on_look, i);
	pg_query(pg, &stmt_version, NULL, on_version, i);
}
