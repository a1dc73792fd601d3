/* The PostgreSQL client: deadlines, connections that end, and what is heard
 * between answers. */
#include "tests/servers/pg_world.h"

static const char *const unlimited[] = { "SET statement_timeout = 0", NULL };
static const char *const impatient[] = { "SET statement_timeout = 300", NULL };

static const struct pg_stmt patience = {
	"patience", "SELECT current_setting('statement_timeout')", 0 };

/* How many sessions of CONF()'s name wait for a lock. */
static int waiting(void)
{
	PGresult *res = admin_do("SELECT count(*) FROM pg_stat_activity WHERE "
				 "application_name = 'pw-test' AND "
				 "datname = current_database() AND "
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
	struct pg *pg = connect_up(&conf, &st);

	ask(pg, &s, &patience, NULL);
	WAIT_FOR(l, s.calls == 1);
	cr_expect_str_eq(s.text[0], "18s", "of 20, not %s", s.text[0]);
	pg_free(&pg);

	conf.setup = impatient;		/* long before that */
	pg = connect_up(&conf, &st);
	lock_table();
	for (int i = 1; i <= 3; i++) {
		ask(pg, &s, &add_row, "x");
		WAIT_FOR(l, s.calls == i + 1);
		cr_expect_eq(s.err[i], -ETIMEDOUT);
		cr_expect_eq(waiting(), 0);
	}
	cr_expect(pg_up(pg));
	cr_expect_eq(st.down, 0);
	unlock_table();
	ask(pg, &s, &echo, "still here");
	WAIT_FOR(l, s.calls == 5);
	cr_expect_str_eq(s.text[4], "still here");
	pg_free(&pg);
}

/* What was sent behind a slow statement reaches its deadline in the server's
 * input; the session ends soon after the connection, lock or not. */
Test(pg, no_session_outlives_its_connection)
{
	struct pg_conf conf = CONF();
	struct seen s = { 0 };
	struct pg *pg;

	conf.timeout_ms = 3000;
	conf.setup = unlimited;
	pg = connect_up(&conf, NULL);
	lock_table();
	ask(pg, &s, &add_row, "x");
	ask(pg, &s, &add_row, "x");
	WAIT_FOR(l, waiting() == 1 || s.calls == 2);
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

	conf.timeout_ms = 6000;
	conf.setup = unlimited;	/* the server does not give up first */
	pg = connect_up(&conf, &st);
	began = clock_mono_ms();
	ask(pg, &first, &sleep_s, "60");
	loop_turn(l, 3000);	/* neither deadline is near the other's */
	ask(pg, &later, &echo, "x");
	ask(pg, NULL, &echo, "x");
	WAIT_FOR(l, first.calls == 1);
	cr_assert_geq(clock_mono_ms() - began, 5999);
	cr_assert_eq(first.err[0], -ETIMEDOUT);
	WAIT_FOR(l, later.calls == 1);
	cr_assert_eq(later.err[0], -ECONNRESET);
	cr_assert_eq(st.down, 1);
	WAIT_FOR(l, pg_up(pg));		/* it may be so already */
	cr_assert_eq(st.up, 2);
	cr_assert_eq(st.down, 1);
	ask(pg, &later, &echo, "again");
	WAIT_FOR(l, later.calls == 2);
	cr_assert_str_eq(later.text[1], "again");
	cr_assert_eq(first.calls, 1);
	pg_free(&pg);
}

Test(pg, an_ended_session_answers_all_once_and_reconnects)
{
	struct pg_conf conf = CONF();
	struct states st = { 0 };
	struct pg *pg = connect_up(&conf, &st);
	struct seen s = { 0 };

	ask(pg, &s, &my_pid, NULL);
	WAIT_FOR(l, s.calls == 1);
	ask(pg, &s, &sleep_s, "15");
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
