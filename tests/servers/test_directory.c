/* The directory against a real server, PW_TEST_DATABASE_URL: what is cached is
 * right, and stays right when matches change, connections break and the server
 * goes away. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/servers/directory/fixture.h"

TestSuite(directory, .init = setup, .fini = teardown, .timeout = 60);

static void two_users(void)
{
	sql("INSERT INTO users (id, first_name) VALUES ('ann', 'Ann'),"
	    " ('bob', NULL);"
	    "INSERT INTO matches (id, user_a_id, user_b_id) VALUES"
	    " ('m1', 'ann', 'bob')");
}

/* Whether it answers before it returns, that is from memory. */
static bool cached(const char *match_id)
{
	static struct answer a;	/* a miss is answered when we are gone */

	a = (struct answer){ 0 };
	directory_match(d, match_id, on_answer, &a);
	if (a.calls > 0)
		return true;
	WAIT_FOR(l, a.calls > 0);
	return false;
}

Test(directory, rows_and_their_absence_are_kept)
{
	struct answer a;

	two_users();
	open_directory(false);
	a = ask("m1");
	cr_assert_eq(a.err, 0);
	cr_assert(a.exists && a.live);
	cr_assert_str_eq(a.id, "m1");
	cr_assert_str_eq(a.a, "ann");
	cr_assert_str_eq(a.b, "bob");
	a = ask("m2");
	cr_assert_eq(a.err, 0);
	cr_assert_not(a.exists);
	cr_assert(cached("m1"));
	cr_assert(cached("m2"));
}

Test(directory, changes_arrive_within_a_second)
{
	int64_t start;

	two_users();
	open_directory(false);
	cr_assert(ask("m1").live);
	cr_assert_not(ask("m2").exists);

	start = clock_mono_ms();
	sql("UPDATE matches SET unmatched_at = now() WHERE id = 'm1'");
	wait_live("m1", false);
	cr_assert(ask("m1").exists);
	sql("INSERT INTO matches (id, user_a_id, user_b_id)"
	    " VALUES ('m2', 'ann', 'bob')");
	wait_live("m2", true);
	sql("DELETE FROM matches WHERE id = 'm2'");
	wait_live("m2", false);
	cr_assert_not(ask("m2").exists);
	sql("UPDATE matches SET unmatched_at = NULL WHERE id = 'm1'");
	wait_live("m1", true);
	sql("TRUNCATE matches");
	wait_live("m1", false);
	cr_assert_lt(clock_mono_ms() - start, 1000);
}

Test(directory, one_read_serves_all_who_ask)
{
	static struct answer same[100], other[100];
	char id[16];

	two_users();
	map_matches();
	open_directory(false);
	for (int i = 0; i < 100; i++) {
		directory_match(d, "m1", on_answer, &same[i]);
		snprintf(id, sizeof(id), "x%d", i);
		directory_match(d, id, on_answer, &other[i]);
	}
	cr_assert_eq(same[0].calls, 0);
	WAIT_FOR(l, same[99].calls == 1 && other[99].calls == 1);
	for (int i = 0; i < 100; i++) {
		cr_assert(same[i].calls == 1 && same[i].live);
		cr_assert(other[i].calls == 1 && !other[i].exists);
	}
	cr_assert_eq(match_reads(), 1, "reads: %ld", match_reads());
}

Test(directory, a_change_during_the_read_is_not_missed)
{
	static struct answer a, late;

	two_users();
	map_matches();
	sql("UPDATE delay SET seconds = 0.5");
	open_directory(false);
	directory_match(d, "m1", on_answer, &a);
	WAIT_FOR(l, match_reads() == 1);	/* its snapshot is taken */
	sql("UPDATE app_matches SET unmatched_at = now() WHERE id = 'm1'");
	directory_match(d, "m1", on_answer, &late);
	WAIT_FOR(l, a.calls == 1 && late.calls == 1);
	cr_assert(a.exists && !a.live);
	cr_assert(late.exists && !late.live);
	cr_assert_eq(match_reads(), 2);
	cr_assert(cached("m1"));
}

static void kill_connection(const char *which)
{
	cr_assert_eq(sql_long("SELECT count(pg_terminate_backend(pid)) FROM"
			      " pg_stat_activity WHERE application_name ="
			      " '%s %s'", conf.name, which), 1);
}

Test(directory, a_lost_listen_is_noticed)
{
	two_users();
	open_directory(false);
	cr_assert(ask("m1").live);
	kill_connection("listen");
	sql("UPDATE matches SET unmatched_at = now() WHERE id = 'm1'");
	WAIT_FOR(l, gauge("listen_up") == 0);
	WAIT_FOR(l, gauge("listen_up") == 1);
	cr_assert_not(cached("m1"));	/* dropped */
	cr_assert_not(ask("m1").live);
	cr_assert(cached("m1"));
}

Test(directory, rows_are_read_again_while_listen_is_down)
{
	two_users();
	open_directory(true);
	cr_assert(ask("m1").live);
	proxy_hold(proxy, " listen");
	WAIT_FOR(l, gauge("listen_up") == 0);
	sql("UPDATE matches SET unmatched_at = now() WHERE id = 'm1'");
	wait_live("m1", false);
	cr_assert_eq(gauge("listen_up"), 0);
	proxy_hold(proxy, NULL);
	WAIT_FOR(l, gauge("listen_up") == 1);
}

Test(directory, a_lost_query_connection_costs_no_answer)
{
	static struct answer a;

	two_users();
	map_matches();
	sql("UPDATE delay SET seconds = 0.3");
	open_directory(false);
	directory_match(d, "m1", on_answer, &a);
	WAIT_FOR(l, match_reads() == 1);
	kill_connection("directory");
	WAIT_FOR(l, a.calls == 1);
	cr_assert_eq(a.err, 0);
	cr_assert(a.live);
}

Test(directory, without_a_server_old_rows_serve_for_a_while)
{
	two_users();
	conf.stale_max_ms = 3000;
	open_directory(true);
	cr_assert(ask("m1").live);
	cr_assert_not(ask("m2").exists);
	proxy_open(proxy, false);
	WAIT_FOR(l, gauge("postgres_up") == 0 && gauge("listen_up") == 0);
	cr_assert(cached("m1"));
	cr_assert(ask("m1").live);
	cr_assert_eq(ask("m2").err, 0);
	cr_assert_eq(ask("m3").err, -EAGAIN);
	WAIT_FOR(l, ask("m1").err == -EAGAIN);
	WAIT_FOR(l, ask("m2").err == -EAGAIN);
	sql("UPDATE matches SET unmatched_at = now() WHERE id = 'm1'");
	proxy_open(proxy, true);
	WAIT_FOR(l, gauge("postgres_up") == 1);
	cr_assert(ask("m1").exists);
	cr_assert_not(ask("m1").live);
}

Test(directory, a_server_that_stands_still_is_like_none)
{
	struct answer a;

	two_users();
	conf.timeout_ms = 1000;
	open_directory(true);
	cr_assert(ask("m1").live);
	proxy_stall(proxy, true);
	cr_assert_eq(ask("m3").err, -EAGAIN);
	WAIT_FOR(l, gauge("listen_up") == 0);
	a = ask("m1");
	cr_assert_eq(a.err, 0);
	cr_assert(a.live);
	sql("UPDATE matches SET unmatched_at = now() WHERE id = 'm1'");
	proxy_stall(proxy, false);
	wait_live("m1", false);
	WAIT_FOR(l, gauge("listen_up") == 1);
}

struct name {
	int calls, err;
	char text[32];
};

static void on_name(void *arg, int err, const char *name)
{
	struct name *n = arg;

	n->calls++;
	n->err = err;
	snprintf(n->text, sizeof(n->text), "%s", name);
}

static bool name_is(const char *user_id, const char *want)
{
	struct name n = { 0 };

	directory_name(d, user_id, on_name, &n);
	WAIT_FOR(l, n.calls == 1);
	return n.err == 0 && strcmp(n.text, want) == 0;
}

Test(directory, names_come_when_they_are_there)
{
	two_users();
	open_directory(false);
	cr_assert(name_is("ann", "Ann"));
	cr_assert(name_is("ann", "Ann"));
	cr_assert(name_is("bob", ""));
	cr_assert(name_is("nobody", ""));
	sql("UPDATE users SET first_name = 'Anna' WHERE id = 'ann'");
	WAIT_FOR(l, name_is("ann", "Anna"));
	sql("UPDATE users SET last_seen = now()");
	cr_assert(name_is("ann", "Anna"));
}

struct peers {
	int calls, err;
	char text[128];
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* They come in no particular order. */
static void on_peers(void *arg, int err, const char *const *ids, size_t n)
{
	const char *sorted[16];
	struct peers *p = arg;

	cr_assert_lt(n, ARRAY_SIZE(sorted));
	p->calls++;
	p->err = err;
	for (size_t i = 0; i < n; i++)
		sorted[i] = ids[i];
	if (n > 0)
		qsort(sorted, n, sizeof(sorted[0]), by_text);
	for (size_t i = 0; i < n; i++)
		snprintf(p->text + strlen(p->text),
			 sizeof(p->text) - strlen(p->text), "%s ", sorted[i]);
}

static struct peers peers_of(const char *user_id)
{
	struct peers p = { 0 };

	directory_peers(d, user_id, on_peers, &p);
	cr_assert_eq(p.calls, 0);
	WAIT_FOR(l, p.calls > 0);
	return p;
}

Test(directory, peers_are_those_of_live_matches)
{
	sql("INSERT INTO matches VALUES ('1', 'ann', 'bob', NULL),"
	    " ('2', 'cy', 'ann', NULL), ('3', 'ann', 'dee', now()),"
	    " ('4', 'eve', 'ann', now()), ('5', 'cy', 'bob', NULL),"
	    " ('6', 'ann', 'ann', NULL)");
	open_directory(true);
	cr_assert_str_eq(peers_of("ann").text, "bob cy ");
	cr_assert_str_eq(peers_of("dee").text, "");
	cr_assert_eq(peers_of("dee").err, 0);
	proxy_open(proxy, false);
	WAIT_FOR(l, gauge("postgres_up") == 0);
	cr_assert_eq(peers_of("ann").err, -EAGAIN);
}

Test(directory, peers_of_many_users_are_one_query)
{
	static struct peers p[200];
	char id[16];

	sql("INSERT INTO matches SELECT 'n' || i, 'u' || i, 'u' || (i + 1)"
	    " FROM generate_series(0, 199) i");
	open_directory(false);
	for (int i = 0; i < 199; i++) {
		snprintf(id, sizeof(id), "u%d", i + 1);
		directory_peers(d, id, on_peers, &p[i]);
	}
	directory_peers(d, "u1", on_peers, &p[199]);	/* once more */
	WAIT_FOR(l, p[199].calls == 1 && p[198].calls == 1);
	for (int i = 0; i < 199; i++) {
		snprintf(id, sizeof(id), "u%d ", i);
		cr_expect_eq(p[i].calls, 1);
		cr_expect_not_null(strstr(p[i].text, id), "%s", p[i].text);
		snprintf(id, sizeof(id), "u%d ", i + 2);
		cr_expect_not_null(strstr(p[i].text, id), "%s", p[i].text);
	}
	cr_expect_str_eq(p[199].text, p[0].text);
}

struct known {
	int calls, err;
	char text[200];
};

static void on_known(void *arg, int err, const bool *is, const int64_t *seen,
		     size_t n)
{
	struct known *k = arg;

	k->calls++;
	k->err = err;
	for (size_t i = 0; i < n; i++)
		snprintf(k->text + strlen(k->text),
			 sizeof(k->text) - strlen(k->text), "%d:%lld ", is[i],
			 (long long)seen[i]);
}

static struct known known_to(const char *user_id, const char *const *ids,
			     size_t n)
{
	struct known k = { 0 };

	directory_matched(d, user_id, ids, n, on_known, &k);
	cr_assert_eq(k.calls, 0);
	WAIT_FOR(l, k.calls > 0);
	return k;
}

Test(directory, only_matches_are_known)
{
	static const char *const ids[] = { "bob", "cy", "dee", "ann", "\"" };

	sql("INSERT INTO users VALUES ('bob', 'Bob', to_timestamp(1700000000.123)),"
	    " ('dee', 'Dee', now())");
	sql("INSERT INTO matches VALUES ('1', 'ann', 'bob', NULL),"
	    " ('2', 'cy', 'ann', NULL), ('3', 'ann', 'dee', now())");
	open_directory(true);
	cr_assert_str_eq(known_to("ann", ids, 5).text,
			 "1:1700000000123 1:0 0:0 0:0 0:0 ");
	cr_assert_str_eq(known_to("zoe", ids, 2).text, "0:0 0:0 ");
	proxy_open(proxy, false);
	WAIT_FOR(l, gauge("postgres_up") == 0);
	cr_assert_eq(known_to("ann", ids, 1).err, -EAGAIN);
}

/* An id that the column cannot hold spoils nothing for the others. */
static void peers_of_uuids(void)
{
	static const char a[] = "6f1d3a52-0a0f-4c62-9a53-0d2b7a1f5aaa";
	static const char b[] = "6f1d3a52-0a0f-4c62-9a53-0d2b7a1f5bbb";
	static const char *const ids[] = { "no uuid", b };
	static struct peers good, bad;

	sql("INSERT INTO matches VALUES (gen_random_uuid(), '%s', '%s')", a, b);
	directory_peers(d, a, on_peers, &good);
	directory_peers(d, "not a uuid", on_peers, &bad);
	WAIT_FOR(l, good.calls && bad.calls);
	cr_assert(strncmp(good.text, b, strlen(b)) == 0, "%s", good.text);
	cr_assert(bad.err == 0 && bad.text[0] == '\0');
	cr_assert_str_eq(known_to(a, ids, 2).text, "0:0 1:0 ");
	cr_assert_str_eq(known_to("not a uuid", ids, 2).text, "0:0 0:0 ");
}

Test(directory, ids_of_another_type_work)
{
	static const char *const m = "6f1d3a52-0a0f-4c62-9a53-0d2b7a1f5a10";
	static struct answer good, bad, utf8;

	sql("DROP TABLE matches; CREATE TABLE matches (id uuid PRIMARY KEY,"
	    " user_a_id uuid, user_b_id uuid, unmatched_at timestamp,"
	    " last_message_at timestamp);"
	    "INSERT INTO matches VALUES ('%s', gen_random_uuid(),"
	    " gen_random_uuid())", m);
	open_directory(false);
	directory_match(d, m, on_answer, &good);
	directory_match(d, "not a uuid", on_answer, &bad);
	directory_match(d, "\xff\xfe", on_answer, &utf8);
	WAIT_FOR(l, good.calls && bad.calls && utf8.calls);
	cr_assert(good.live);
	cr_assert(bad.err == 0 && !bad.exists);
	cr_assert(utf8.err == 0 && !utf8.exists);
	cr_assert_eq(peers_of("not a uuid").err, 0);
	peers_of_uuids();

	directory_message_at(d, "not a uuid", 1700000000123);
	directory_message_at(d, m, 1700000000123);
	WAIT_FOR(l, sql_long("SELECT count(*) FROM matches WHERE last_message_at"
			     " = '2023-11-14 22:13:20.123'") == 1);
}

Test(directory, made_up_ids_do_not_push_real_ones_out)
{
	char id[16];

	conf.cache_max = 100;
	sql("INSERT INTO matches SELECT 'm' || i, 'ann', 'bob'"
	    " FROM generate_series(1, 200) i");
	open_directory(false);
	for (int i = 1; i <= 60; i++) {
		snprintf(id, sizeof(id), "m%d", i);
		cr_assert(ask(id).live);
	}
	for (int i = 0; i < 500; i++) {
		snprintf(id, sizeof(id), "x%d", i);
		cr_assert_not(ask(id).exists);
	}
	cr_assert(cached("m1"));
	for (int i = 61; i <= 200; i++) {	/* the real ones may */
		snprintf(id, sizeof(id), "m%d", i);
		cr_assert(ask(id).live);
	}
	cr_assert_not(cached("m2"));
	cr_assert(cached("m200"));
}

struct flushed {
	int calls, err;
};

static void on_flushed(void *arg, int err)
{
	struct flushed *f = arg;

	f->calls++;
	f->err = err;
}

static int flush(void)
{
	struct flushed f = { 0 };

	directory_flush(d, on_flushed, &f);
	cr_assert_eq(f.calls, 0);
	WAIT_FOR(l, f.calls == 1);
	return f.err;
}

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
	sql("UPDATE delay SET seconds = 5");
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
