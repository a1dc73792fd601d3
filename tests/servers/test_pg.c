/* The PostgreSQL client against a real server: PW_TEST_DATABASE_URL, as a
 * superuser (it ends sessions and makes a role). */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <libpq-fe.h>

#include "common/backend/pg.h"
#include "common/base/buf.h"
#include "common/base/log.h"
#include "tests/servers/loop_wait.h"

static struct loop *l;
static const char *url;
static PGconn *admin;

static PGresult *admin_do(const char *sql)
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

TestSuite(pg, .init = setup, .fini = teardown, .timeout = 60);

/* The URL with other values; pairs of keyword and value (NULL: left out),
 * ended by NULL. */
static char *url_with(const char *const *pairs)
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

struct seen {
	int calls;
	int err[512];
	char text[512][64];	/* first value, or SQLSTATE */
};

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

struct states {
	int up;
	int down;
};

static void on_state(void *arg, bool up)
{
	struct states *s = arg;

	*(up ? &s->up : &s->down) += 1;
}

static struct pg *connect_up(struct pg_conf *conf, struct states *st)
{
	struct pg *pg = pg_new(l, conf, st != NULL ? on_state : NULL, NULL, st);

	WAIT_FOR(l, pg_up(pg));
	return pg;
}

#define CONF() { .name = "pw-test", .url = url, .timeout_ms = 3000 }

static const struct pg_stmt echo = { "echo", "SELECT $1::text", 1 };
static const struct pg_stmt divide = { "divide", "SELECT 10 / $1::int", 1 };
static const struct pg_stmt sleep_s = {
	"sleep", "SELECT pg_sleep($1::float8)", 1 };
static const struct pg_stmt my_pid = { "pid", "SELECT pg_backend_pid()", 0 };

static void ask(struct pg *pg, struct seen *s, const struct pg_stmt *stmt,
		const char *param)
{
	const char *params[] = { param };

	pg_query(pg, stmt, params, s != NULL ? on_result : NULL, s);
}

Test(pg, answers_come_in_order)
{
	struct pg_conf conf = CONF();
	struct pg *pg = connect_up(&conf, NULL);
	struct seen s = { 0 };

	for (int i = 0; i < 300; i++) {
		char n[16];

		snprintf(n, sizeof(n), "%d", i);
		ask(pg, &s, i % 3 == 0 ? &divide : &echo,
		    i % 3 == 0 ? "1" : n);
	}
	cr_assert_eq(s.calls, 0, "a callback ran before pg_query returned");
	WAIT_FOR(l, s.calls == 300);
	for (int i = 0; i < 300; i++) {
		cr_assert_eq(s.err[i], 0);
		cr_assert_eq(atoi(s.text[i]), i % 3 == 0 ? 10 : i);
	}
	pg_free(&pg);
	cr_assert_null(pg);
}

static void on_large(void *arg, int err, const PGresult *res)
{
	cr_assert_eq(err, 0);
	*(size_t *)arg = pg_text(res, 0, 0).n;
}

Test(pg, large_values_pass_both_ways)
{
	struct pg_conf conf = CONF();
	struct pg *pg = connect_up(&conf, NULL);
	size_t n = 8 << 20, got[4] = { 0 };
	char *big = malloc(n + 1);
	const char *params[] = { big };

	memset(big, 'x', n);
	big[n] = '\0';
	for (int i = 0; i < 4; i++)
		pg_query(pg, &echo, params, on_large, &got[i]);
	memset(big, 'y', n);
	free(big);
	WAIT_FOR(l, got[3] != 0);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(got[i], n);
	pg_free(&pg);
}

static void on_null(void *arg, int err, const PGresult *res)
{
	cr_assert_eq(err, 0);
	cr_assert(pg_null(res, 0, 0));
	cr_assert_eq(pg_text(res, 0, 0).n, 0);
	cr_assert_eq(pg_int(res, 0, 1), -9007199254740993);
	cr_assert(pg_bool(res, 0, 2));
	cr_assert(!pg_bool(res, 0, 3));
	cr_assert(!pg_error_is(res, "23"));
	*(bool *)arg = true;
}

Test(pg, results_are_read)
{
	static const struct pg_stmt stmt = {
		"types", "SELECT $1::text, -9007199254740993, true, false", 1 };
	const char *params[] = { NULL };
	struct pg_conf conf = CONF();
	struct pg *pg = connect_up(&conf, NULL);
	bool done = false;

	pg_query(pg, &stmt, params, on_null, &done);
	WAIT_FOR(l, done);
	pg_free(&pg);
}

static void on_array(void *arg, int err, const PGresult *res)
{
	static const char *const want[] = { "a", "", "NULL", "x,y", "{\"}",
					    "back\\slash", " sp ace ", NULL,
					    "\xc3\xa9" };

	cr_assert_eq(err, 0);
	cr_assert_eq(pg_rows(res), (int)ARRAY_SIZE(want));
	for (int i = 0; i < pg_rows(res); i++) {
		cr_assert_eq(pg_null(res, i, 0), want[i] == NULL);
		if (want[i] != NULL)
			cr_assert_str_eq(pg_text(res, i, 0).p, want[i]);
	}
	*(bool *)arg = true;
}

Test(pg, array_literals_are_understood)
{
	static const struct pg_stmt stmt = {
		"unnest", "SELECT unnest($1::text[])", 1 };
	static const char *const in[] = { "a", "", "NULL", "x,y", "{\"}",
					  "back\\slash", " sp ace ", NULL,
					  "\xc3\xa9" };
	struct pg_conf conf = CONF();
	struct pg *pg = connect_up(&conf, NULL);
	struct buf b = { 0 };
	const char *params[1];
	bool done = false;

	for (size_t i = 0; i < ARRAY_SIZE(in); i++)
		pg_array_add(&b, in[i], in[i] != NULL ? strlen(in[i]) : 0);
	pg_array_end(&b);
	params[0] = b.p;
	pg_query(pg, &stmt, params, on_array, &done);
	buf_free(&b);
	WAIT_FOR(l, done);
	pg_free(&pg);
}

Test(pg, an_error_stays_with_its_query)
{
	struct pg_conf conf = CONF();
	struct pg *pg = connect_up(&conf, NULL);
	struct seen s = { 0 };

	ask(pg, &s, &divide, "5");
	ask(pg, &s, &divide, "0");
	ask(pg, &s, &echo, "on");
	ask(pg, &s, &divide, "no number");
	ask(pg, NULL, &divide, "0");
	ask(pg, &s, &divide, "2");
	WAIT_FOR(l, s.calls == 5);
	cr_assert_eq(s.err[0], 0);
	cr_assert_eq(s.err[1], -EREMOTEIO);
	cr_assert_str_eq(s.text[1], "22012");
	cr_assert_str_eq(s.text[2], "on");
	cr_assert_str_eq(s.text[3], "22P02");
	cr_assert_str_eq(s.text[4], "5");
	pg_free(&pg);
}

/* Each query commits alone, and is answered after the commit. */
Test(pg, an_error_at_the_commit_is_the_querys)
{
	static const struct pg_stmt insert = {
		"insert_t", "INSERT INTO pw_test_deferred VALUES ($1::int)", 1 };
	struct pg_conf conf = CONF();
	struct pg *pg = connect_up(&conf, NULL);
	struct seen s = { 0 };

	PQclear(admin_do("DROP TABLE IF EXISTS pw_test_deferred"));
	PQclear(admin_do("CREATE TABLE pw_test_deferred (id int UNIQUE "
			 "DEFERRABLE INITIALLY DEFERRED)"));
	ask(pg, &s, &insert, "1");
	ask(pg, &s, &insert, "1");
	ask(pg, &s, &insert, "2");
	ask(pg, &s, &echo, "on");
	WAIT_FOR(l, s.calls == 4);
	PQclear(admin_do("DROP TABLE pw_test_deferred"));
	cr_assert_eq(s.err[0], 0);
	cr_assert_eq(s.err[1], -EREMOTEIO);
	cr_assert_str_eq(s.text[1], "23505");
	cr_assert_eq(s.err[2], 0);
	cr_assert_str_eq(s.text[3], "on");
	pg_free(&pg);
}

Test(pg, a_missing_table_is_no_lasting_harm)
{
	static const struct pg_stmt stmt = {
		"late", "SELECT * FROM pw_test_late WHERE id = $1::text", 1 };
	struct pg_conf conf = CONF();
	struct pg *pg = connect_up(&conf, NULL);
	struct seen s = { 0 };
	PGresult *res;

	PQclear(admin_do("DROP TABLE IF EXISTS pw_test_late"));
	for (int i = 0; i < 3; i++)
		ask(pg, &s, &stmt, "1");
	WAIT_FOR(l, s.calls == 3);
	ask(pg, &s, &stmt, "1");
	ask(pg, &s, &echo, "on");
	WAIT_FOR(l, s.calls == 5);
	for (int i = 0; i < 4; i++) {
		cr_assert_eq(s.err[i], -EREMOTEIO);
		cr_assert_str_eq(s.text[i], "42P01");
	}
	cr_assert_str_eq(s.text[4], "on");

	res = admin_do("CREATE TABLE pw_test_late AS SELECT '1'::text AS id");
	PQclear(res);
	ask(pg, &s, &stmt, "1");
	ask(pg, &s, &stmt, "1");
	WAIT_FOR(l, s.calls == 7);
	cr_assert_str_eq(s.text[5], "1");
	cr_assert_str_eq(s.text[6], "1");

	/* and one that changes under its plan is prepared anew */
	PQclear(admin_do("ALTER TABLE pw_test_late ADD COLUMN more int"));
	ask(pg, &s, &stmt, "1");
	WAIT_FOR(l, s.calls == 8);
	ask(pg, &s, &stmt, "1");
	WAIT_FOR(l, s.calls == 9);
	PQclear(admin_do("DROP TABLE pw_test_late"));
	cr_assert_str_eq(s.text[7], "0A000");
	cr_assert_str_eq(s.text[8], "1");
	pg_free(&pg);
}

static const char *const unlimited[] = { "SET statement_timeout = 0", NULL };

/* How many sessions of CONF()'s name wait for a lock. */
static int waiting(void)
{
	PGresult *res = admin_do("SELECT count(*) FROM pg_stat_activity WHERE "
				 "application_name = 'pw-test' AND "
				 "wait_event_type = 'Lock'");
	int n = atoi(PQgetvalue(res, 0, 0));

	PQclear(res);
	return n;
}

static const struct pg_stmt add_row = {
	"add_row", "INSERT INTO pw_test_locked VALUES ($1::text)", 1 };

static void lock_table(void)
{
	PQclear(admin_do("DROP TABLE IF EXISTS pw_test_locked"));
	PQclear(admin_do("CREATE TABLE pw_test_locked (t text)"));
	PQclear(admin_do("BEGIN"));
	PQclear(admin_do("LOCK TABLE pw_test_locked IN SHARE MODE"));
}

static void unlock_table(void)
{
	PGresult *res;

	PQclear(admin_do("COMMIT"));
	res = admin_do("SELECT count(*) FROM pw_test_locked");
	cr_expect_str_eq(PQgetvalue(res, 0, 0), "0", "committed later");
	PQclear(res);
	PQclear(admin_do("DROP TABLE pw_test_locked"));
}

/* Nobody holds a statement back that its caller has given up: the server ends
 * it first, and the connection stays. */
Test(pg, the_server_gives_up_before_the_deadline)
{
	struct pg_conf conf = CONF();
	struct states st = { 0 };
	struct seen s = { 0 };
	struct pg *pg;
	int64_t began;

	conf.timeout_ms = 600;
	pg = connect_up(&conf, &st);
	lock_table();
	for (int i = 0; i < 3; i++) {
		began = clock_mono_ms();
		ask(pg, &s, &add_row, "x");
		WAIT_FOR(l, s.calls == i + 1);
		cr_expect_eq(s.err[i], -ETIMEDOUT);
		cr_expect_lt(clock_mono_ms() - began, 600);
		cr_expect_eq(waiting(), 0);
	}
	cr_expect(pg_up(pg));
	cr_expect_eq(st.down, 0);
	unlock_table();
	ask(pg, &s, &echo, "still here");
	WAIT_FOR(l, s.calls == 4);
	cr_expect_str_eq(s.text[3], "still here");
	pg_free(&pg);
}

/* What was sent behind a slow statement reaches its deadline in the server's
 * input; the session ends soon after the connection, lock or not. */
Test(pg, no_session_outlives_its_connection)
{
	struct pg_conf conf = CONF();
	struct seen s = { 0 };
	struct pg *pg;

	conf.timeout_ms = 300;
	conf.setup = unlimited;
	pg = connect_up(&conf, NULL);
	lock_table();
	ask(pg, &s, &add_row, "x");
	ask(pg, &s, &add_row, "x");
	loop_turn(l, 100);
	cr_expect_eq(waiting(), 1);
	WAIT_FOR(l, s.calls == 2);
	WAIT_FOR(l, waiting() == 0);
	unlock_table();
	pg_free(&pg);
}

Test(pg, a_slow_query_times_out_and_the_connection_goes)
{
	struct pg_conf conf = CONF();
	struct states st = { 0 };
	struct pg *pg;
	struct seen first = { 0 }, later = { 0 };
	int64_t began;

	conf.timeout_ms = 300;
	conf.setup = unlimited;	/* the server does not give up first */
	pg = connect_up(&conf, &st);
	began = clock_mono_ms();
	ask(pg, &first, &sleep_s, "3");
	loop_turn(l, 100);
	ask(pg, &later, &echo, "x");
	ask(pg, NULL, &echo, "x");
	WAIT_FOR(l, first.calls == 1);
	cr_assert_geq(clock_mono_ms() - began, 299);
	cr_assert_eq(first.err[0], -ETIMEDOUT);
	WAIT_FOR(l, later.calls == 1);
	cr_assert_eq(later.err[0], -ECONNRESET);
	cr_assert(!pg_up(pg));
	ask(pg, &later, &echo, "x");
	WAIT_FOR(l, later.calls == 2);
	cr_assert_eq(later.err[1], -ENOTCONN);
	WAIT_FOR(l, pg_up(pg));
	cr_assert_eq(st.up, 2);
	cr_assert_eq(st.down, 1);
	ask(pg, &later, &echo, "again");
	WAIT_FOR(l, later.calls == 3);
	cr_assert_str_eq(later.text[2], "again");
	cr_assert_eq(first.calls, 1);
	pg_free(&pg);
}

static void terminate(const char *pid)
{
	char sql[128];

	snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%s)", pid);
	PQclear(admin_do(sql));
}

Test(pg, an_ended_session_answers_all_once_and_reconnects)
{
	struct pg_conf conf = CONF();
	struct states st = { 0 };
	struct pg *pg = connect_up(&conf, &st);
	struct seen s = { 0 };

	ask(pg, &s, &my_pid, NULL);
	WAIT_FOR(l, s.calls == 1);
	ask(pg, &s, &sleep_s, "5");
	for (int i = 0; i < 10; i++)
		ask(pg, &s, &echo, "x");
	loop_turn(l, 50);
	terminate(s.text[0]);
	WAIT_FOR(l, s.calls == 12 && st.down == 1);
	for (int i = 1; i < 12; i++)
		cr_assert_eq(s.err[i], -ECONNRESET);
	WAIT_FOR(l, st.up == 2);
	ask(pg, &s, &my_pid, NULL);
	WAIT_FOR(l, s.calls == 13);
	cr_assert_eq(s.err[12], 0);
	terminate(s.text[12]);		/* while idle */
	WAIT_FOR(l, st.up == 3);
	cr_assert_eq(st.down, 2);
	pg_drop(pg);
	cr_assert(!pg_up(pg));
	WAIT_FOR(l, st.up == 4);
	cr_assert_eq(s.calls, 13);
	pg_free(&pg);
}

Test(pg, free_cancels_what_is_pending)
{
	struct pg_conf conf = CONF();
	struct pg *pg = pg_new(l, &conf, NULL, NULL, NULL);
	struct seen s = { 0 };

	ask(pg, &s, &echo, "x");	/* not up */
	pg_free(&pg);
	cr_assert_eq(s.calls, 1);
	pg = connect_up(&conf, NULL);
	for (int i = 0; i < 5; i++)
		ask(pg, &s, &echo, "x");
	pg_free(&pg);
	cr_assert_eq(s.calls, 6);
	for (int i = 0; i < 6; i++)
		cr_assert_eq(s.err[i], -ECANCELED);
	loop_turn(l, 20);
	cr_assert_eq(s.calls, 6);
}

struct heard {
	int n;
	char last[64];
};

static void on_notify(void *arg, const char *channel, const char *payload)
{
	struct heard *h = arg;

	cr_assert_str_eq(channel, "pw_test");
	h->n++;
	snprintf(h->last, sizeof(h->last), "%s", payload);
}

Test(pg, notifications_arrive_between_answers)
{
	static const char *const listen_sql[] = { "SET statement_timeout = 9000",
						  "LISTEN pw_test", NULL };
	static const struct pg_stmt notify = {
		"notify", "SELECT pg_notify('pw_test', $1::text)", 1 };
	struct pg_conf conf = CONF();
	struct heard h = { 0 };
	struct seen s = { 0 };
	struct pg *pg;

	conf.setup = listen_sql;
	pg = pg_new(l, &conf, NULL, on_notify, &h);
	WAIT_FOR(l, pg_up(pg));
	PQclear(admin_do("NOTIFY pw_test, 'idle'"));
	WAIT_FOR(l, h.n == 1);
	cr_assert_str_eq(h.last, "idle");
	for (int i = 0; i < 20; i++) {
		char n[16];

		snprintf(n, sizeof(n), "%d", i);
		ask(pg, &s, &notify, n);
		ask(pg, &s, &echo, "x");
	}
	WAIT_FOR(l, h.n == 21 && s.calls == 40);
	cr_assert_str_eq(h.last, "19");
	for (int i = 0; i < 40; i++)
		cr_assert_eq(s.err[i], 0);

	ask(pg, &s, &my_pid, NULL);
	WAIT_FOR(l, s.calls == 41);
	terminate(s.text[40]);
	WAIT_FOR(l, !pg_up(pg));
	WAIT_FOR(l, pg_up(pg));
	PQclear(admin_do("NOTIFY pw_test, 'relistened'"));
	WAIT_FOR(l, h.n == 22);
	cr_assert_str_eq(h.last, "relistened");
	pg_free(&pg);
}

Test(pg, a_refused_setup_statement_is_tried_again)
{
	static const char *const sql[] = { "SELECT 1",
					   "SELECT * FROM pw_test_setup", NULL };
	struct pg_conf conf = CONF();
	struct states st = { 0 };
	struct pg *pg;

	PQclear(admin_do("DROP TABLE IF EXISTS pw_test_setup"));
	conf.setup = sql;
	pg = pg_new(l, &conf, on_state, NULL, &st);
	loop_turn(l, 300);
	cr_assert(!pg_up(pg));
	PQclear(admin_do("CREATE TABLE pw_test_setup AS SELECT 1"));
	WAIT_FOR(l, pg_up(pg));
	PQclear(admin_do("DROP TABLE pw_test_setup"));
	cr_assert_eq(st.up, 1);
	cr_assert_eq(st.down, 0);
	pg_free(&pg);
}

Test(pg, a_refused_login_is_tried_again)
{
	const char *const other[] = { "user", "pw_test_login", "password",
				      "pw_test", NULL };
	char *refused = url_with(other);
	struct pg_conf conf = CONF();
	struct states st = { 0 };
	struct seen s = { 0 };
	struct pg *pg;

	PQclear(admin_do("DROP ROLE IF EXISTS pw_test_login"));
	conf.url = refused;
	pg = pg_new(l, &conf, on_state, NULL, &st);
	free(refused);
	loop_turn(l, 300);
	cr_assert(!pg_up(pg));
	ask(pg, &s, &echo, "x");
	WAIT_FOR(l, s.calls == 1);
	cr_assert_eq(s.err[0], -ENOTCONN);
	PQclear(admin_do("CREATE ROLE pw_test_login LOGIN PASSWORD 'pw_test'"));
	WAIT_FOR(l, pg_up(pg));
	pg_free(&pg);
	PQclear(admin_do("DROP ROLE pw_test_login"));
	cr_assert_eq(st.up, 1);
	cr_assert_eq(st.down, 0);
}

static unsigned free_port(int *fd_out)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(sa);

	*fd_out = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(bind(*fd_out, (struct sockaddr *)&sa, n), 0);
	cr_assert_eq(getsockname(*fd_out, (struct sockaddr *)&sa, &n), 0);
	return ntohs(sa.sin_port);
}

Test(pg, nothing_listening)
{
	int fd, mute;
	char port[16], mute_port[16];
	const char *const closed[] = { "host", "127.0.0.1", "port", port, NULL };
	const char *const name[] = { "host", "localhost", "port", port, NULL };
	const char *const nobody[] = { "host", "no-such-name.invalid", NULL };
	const char *const socket[] = { "host", "/nowhere", NULL };
	const char *const silent[] = { "host", "127.0.0.1", "port", mute_port,
				       NULL };
	char *urls[] = { NULL, NULL, NULL, NULL, NULL,
			 strdup("neither://url nor pairs") };
	struct pg_conf conf = CONF();
	struct states st = { 0 };
	struct pg *pg[6];
	struct seen s = { 0 };

	snprintf(port, sizeof(port), "%u", free_port(&fd));
	snprintf(mute_port, sizeof(mute_port), "%u", free_port(&mute));
	listen(mute, 8);
	urls[0] = url_with(closed);
	urls[1] = url_with(name);
	urls[2] = url_with(nobody);
	urls[3] = url_with(socket);
	urls[4] = url_with(silent);
	conf.timeout_ms = 100;
	for (int i = 0; i < 6; i++) {
		conf.url = urls[i];
		pg[i] = pg_new(l, &conf, on_state, NULL, &st);
		free(urls[i]);
		ask(pg[i], &s, &echo, "x");
	}
	cr_assert_eq(s.calls, 0);
	loop_turn(l, 600);
	cr_assert_eq(s.calls, 6);
	for (int i = 0; i < 6; i++) {
		cr_assert_eq(s.err[i], -ENOTCONN);
		pg_free(&pg[i]);
	}
	cr_assert_eq(st.up + st.down, 0);
	close(fd);
	close(mute);
}

/* The server's host and port as libpq reached it; false: no TCP there. */
static bool tcp_port(char port_out[16])
{
	PGresult *res = admin_do("SELECT current_setting('listen_addresses')");
	bool tcp = PQgetvalue(res, 0, 0)[0] != '\0';

	snprintf(port_out, 16, "%s", PQport(admin));
	PQclear(res);
	return tcp;
}

Test(pg, several_hosts_and_names)
{
	int fd, mute;
	char port[16], ports[4][64], closed[16], silent[16];
	const char *const forms[][5] = {
		{ "host", "localhost", "port", port, NULL },
		{ "host", "127.0.0.1,localhost", "port", ports[0], NULL },
		{ "host", "no-such-name.invalid,localhost", "port", port, NULL },
		/* connects but never speaks */
		{ "host", "127.0.0.1,localhost", "port", ports[1], NULL },
		{ "host", "/nowhere,localhost", "port", port, NULL },
	};

	if (!tcp_port(port)) {
		cr_log_warn("the server does not listen on TCP: skipped");
		return;
	}
	snprintf(closed, sizeof(closed), "%u", free_port(&fd));
	snprintf(silent, sizeof(silent), "%u", free_port(&mute));
	listen(mute, 8);
	snprintf(ports[0], sizeof(ports[0]), "%s,%s", closed, port);
	snprintf(ports[1], sizeof(ports[1]), "%s,%s", silent, port);
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		char *form = url_with(forms[i]);
		struct pg_conf conf = CONF();
		struct pg *pg;

		conf.url = form;
		conf.timeout_ms = 500;
		pg = connect_up(&conf, NULL);
		pg_free(&pg);
		free(form);
	}
	close(fd);
	close(mute);
}

Test(pg, unix_socket_directory)
{
	PGresult *res = admin_do("SELECT split_part("
				 "current_setting('unix_socket_directories'), ',', 1)");
	char dir[108];
	const char *const form[] = { "host", dir, NULL };
	struct pg_conf conf = CONF();
	char *local;
	struct pg *pg;

	snprintf(dir, sizeof(dir), "%s", PQgetvalue(res, 0, 0));
	PQclear(res);
	if (access(dir, X_OK) == -1) {
		cr_log_warn("the server's socket is not on this host: skipped");
		return;
	}
	local = url_with(form);
	conf.url = local;
	pg = connect_up(&conf, NULL);
	pg_free(&pg);
	free(local);
}
