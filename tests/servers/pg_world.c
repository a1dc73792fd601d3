#include "tests/servers/pg_world.h"

#include <signal.h>

#include "common/base/log.h"

struct loop *l;
const char *url;
static PGconn *admin;

PGresult *admin_do(const char *sql)
{
	PGresult *res = PQexec(admin, sql);
	ExecStatusType st = PQresultStatus(res);

	cr_assert(st == PGRES_COMMAND_OK || st == PGRES_TUPLES_OK, "%s: %s",
		  sql, PQerrorMessage(admin));
	return res;
}

static void setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	log_init("test", LOG_LVL_INFO);
	l = loop_new();
	url = getenv("PW_TEST_DATABASE_URL");
	cr_assert_not_null(url, "PW_TEST_DATABASE_URL must be set");
	admin = PQconnectdb(url);
	cr_assert_eq(PQstatus(admin), CONNECTION_OK, "%s",
		     PQerrorMessage(admin));
	PQclear(admin_do("SET client_min_messages = error"));
}

static void teardown(void)
{
	PQfinish(admin);
	loop_free(&l);
}

TestSuite(pg, .init = setup, .fini = teardown, .timeout = 240);

char *url_with(const char *const *pairs)
{
	PQconninfoOption *o, *opts = PQconninfoParse(url, NULL);
	struct buf b = { 0 };
	char *s;

	for (o = opts; o->keyword != NULL; o++) {
		const char *val = o->val;

		for (int i = 0; pairs[i] != NULL; i += 2) {
			if (strcmp(o->keyword, pairs[i]) == 0)
				val = pairs[i + 1];
		}
		if (val != NULL)
			buf_printf(&b, "%s='%s' ", o->keyword, val);
	}
	PQconninfoFree(opts);
	s = strdup(buf_str(&b));
	buf_free(&b);
	return s;
}

static void on_result(void *arg, int err, const PGresult *res)
{
	struct seen *s = arg;
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);

	cr_assert_lt(s->calls, 512);
	cr_assert_eq(res != NULL, err == 0 || err == -EREMOTEIO);
	s->err[s->calls] = err;
	if (err == 0 && pg_rows(res) > 0)
		snprintf(s->text[s->calls], 64, "%s", pg_text(res, 0, 0).p);
	else if (state != NULL)
		snprintf(s->text[s->calls], 64, "%s", state);
	s->calls++;
}

struct pg *connect_up(struct pg_conf *conf, struct states *st)
{
	struct pg *pg = pg_new(l, conf, st != NULL ? on_state : NULL, NULL, st);

	WAIT_FOR(l, pg_up(pg));
	return pg;
}

const struct pg_stmt echo = { "echo", "SELECT $1::text", 1 };
const struct pg_stmt divide = { "divide", "SELECT 10 / $1::int", 1 };
const struct pg_stmt sleep_s = {
	"sleep", "SELECT pg_sleep($1::float8)", 1 };
const struct pg_stmt my_pid = { "pid", "SELECT pg_backend_pid()", 0 };

void ask(struct pg *pg, struct seen *s, const struct pg_stmt *stmt,
	 const char *param)
{
	const char *params[] = { param };

	pg_query(pg, stmt, params, s != NULL ? on_result : NULL, s);
}

void terminate(const char *pid)
{
	char sql[128];

	snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%s)", pid);
	PQclear(admin_do(sql));
}

bool tcp_port(char port_out[16])
{
	PGresult *res = admin_do("SELECT current_setting('listen_addresses')");
	bool tcp = PQgetvalue(res, 0, 0)[0] != '\0';

	snprintf(port_out, 16, "%s", PQport(admin));
	PQclear(res);
	return tcp;
}
