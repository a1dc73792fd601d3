/* The PostgreSQL client: queries, their parameters, results and errors. */
#include "tests/servers/pg_world.h"

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
