/* The directory: times that are written in groups, the plans of its statements,
 * and what its end tells those who wait. */
#include <errno.h>
#include <stdio.h>

#include "tests/servers/directory/fixture.h"

static long scans(const char *what)
{
	static int asked;
	char id[16];

	/* a backend tells its numbers after a transaction, once a second */
	snprintf(id, sizeof(id), "x%d", asked++);
	cr_assert_not(ask(id).exists);
	sql("SELECT pg_stat_clear_snapshot()");
	return sql_long("SELECT coalesce(sum(%s), 0) FROM pg_stat_user_tables"
			" WHERE schemaname = '%s'", what, conf.name);
}

Test(directory, plans_hold_when_tables_grow)
{
	static struct answer a[400];
	char id[16];

	two_users();
	conf.flush_ms = 60000;
	sql("ANALYZE users; ANALYZE matches");
	open_directory(false);
	cr_assert(ask("m1").live);
	cr_assert_str_eq(peers_of("ann").text, "bob ");
	directory_seen(d, "ann", 1700000000000);
	cr_assert_eq(flush(), 0);
	sql("ALTER TABLE users SET (autovacuum_enabled = off);"
	    "ALTER TABLE matches SET (autovacuum_enabled = off)");
	sql("INSERT INTO users SELECT 'u' || i FROM generate_series(0, 4999) i;"
	    "INSERT INTO matches SELECT 'n' || i, 'u' || i, 'u' || (i + 1)"
	    " FROM generate_series(0, 4999) i");
	WAIT_FOR(l, scans("n_tup_ins") > 10000);
	long before = scans("seq_tup_read");
	long fetched = scans("idx_tup_fetch");
	for (int i = 0; i < 400; i++) {
		snprintf(id, sizeof(id), "n%d", i);
		directory_match(d, id, on_answer, &a[i]);
		snprintf(id, sizeof(id), "u%d", i);
		directory_seen(d, id, 1700000000000);
	}
	WAIT_FOR(l, a[399].calls == 1);
	cr_assert_eq(flush(), 0);
	cr_assert_str_eq(peers_of("u7").text, "u6 u8 ");
	WAIT_FOR(l, scans("idx_tup_fetch") >= fetched + 1200);
	cr_assert_eq(scans("seq_tup_read"), before);
	cr_assert_leq(scans("idx_tup_fetch"), fetched + 2000, "%ld rows",
		      scans("idx_tup_fetch") - fetched);
}

static void count_writes(const char *table)
{
	sql("CREATE TABLE writes (n int); INSERT INTO writes VALUES (0);"
	    "CREATE FUNCTION count_write() RETURNS trigger LANGUAGE plpgsql AS"
	    " $$BEGIN UPDATE writes SET n = n + 1; RETURN NULL; END$$;"
	    "CREATE TRIGGER count_write AFTER UPDATE ON %s FOR EACH STATEMENT"
	    " EXECUTE FUNCTION count_write()", table);
}

static long long ms_of(const char *table, const char *column, const char *id)
{
	return sql_long("SELECT coalesce(extract(epoch FROM %s) * 1000, 0)::bigint"
			" FROM %s WHERE id = '%s'", column, table, id);
}

Test(directory, times_are_written_in_groups)
{
	char id[16];

	sql("INSERT INTO users SELECT 'u' || i FROM generate_series(0, 399) i");
	count_writes("users");
	conf.flush_ms = 60000;
	open_directory(false);
	for (int i = 0; i < 4000; i++) {
		snprintf(id, sizeof(id), "u%d", i % 400);
		directory_seen(d, id, 1700000000000 + (i * 7919) % 4000);
	}
	directory_seen(d, "nobody", 1);
	cr_assert_eq(flush(), 0);
	cr_assert_eq(sql_long("SELECT n FROM writes"), 1);
	for (int u = 0; u < 400; u++) {
		long long want = 0;

		for (int i = u; i < 4000; i += 400)
			if ((i * 7919) % 4000 > want)
				want = (i * 7919) % 4000;
		snprintf(id, sizeof(id), "u%d", u);
		cr_assert_eq(ms_of("users", "last_seen", id),
			     1700000000000 + want);
	}
	directory_seen(d, "u1", 1600000000000);	/* older: stays */
	cr_assert_eq(flush(), 0);
	cr_assert_gt(ms_of("users", "last_seen", "u1"), 1700000000000 - 1);
	cr_assert_eq(flush(), 0);	/* nothing to do */
}

Test(directory, times_wait_for_the_server)
{
	two_users();
	open_directory(true);
	proxy_open(proxy, false);
	WAIT_FOR(l, gauge("postgres_up") == 0);
	directory_seen(d, "ann", 1700000000000);
	directory_message_at(d, "m1", 1700000000500);
	cr_assert_eq(flush(), -ENOTCONN);
	directory_seen(d, "ann", 1700000001000);
	proxy_open(proxy, true);
	WAIT_FOR(l, ms_of("users", "last_seen", "ann") == 1700000001000);
	WAIT_FOR(l, ms_of("matches", "last_message_at", "m1") == 1700000000500);
}

Test(directory, times_do_not_wait_for_locked_rows)
{
	two_users();
	open_directory(false);
	sql("BEGIN; SELECT FROM users WHERE id = 'ann' FOR UPDATE");
	directory_seen(d, "ann", 1700000001000);
	directory_seen(d, "bob", 1700000002000);
	cr_assert_eq(flush(), 0);
	cr_assert(ask("m1").live);	/* not stuck behind it */
	sql("COMMIT");
	cr_assert_eq(ms_of("users", "last_seen", "bob"), 1700000002000);
	WAIT_FOR(l, ms_of("users", "last_seen", "ann") == 1700000001000);
}

Test(directory, what_waits_is_told_at_the_end)
{
	static struct answer a;
	static struct flushed f;
	struct peers p = { 0 };

	two_users();
	map_matches();
	sql("UPDATE delay SET seconds = 60");
	open_directory(false);
	directory_match(d, "m1", on_answer, &a);
	loop_turn(l, 20);
	directory_match(d, "m1", on_answer, &a);
	directory_match(d, "m2", on_answer, &a);
	directory_peers(d, "ann", on_peers, &p);
	directory_seen(d, "ann", 1);
	directory_flush(d, on_flushed, &f);
	directory_free(&d);
	cr_assert_eq(a.calls, 3);
	cr_assert_eq(a.err, -ECANCELED);
	cr_assert_eq(p.calls, 1);
	cr_assert_eq(p.err, -ECANCELED);
	cr_assert_eq(f.calls, 1);
	sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
	    " WHERE application_name = '%s directory'", conf.name);
}
