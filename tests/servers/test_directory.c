/* The directory against a real server, PW_TEST_DATABASE_URL: which matches are
 * cached is right, and stays right when they change, connections break and the
 * server goes away. */
#include <errno.h>
#include <stdio.h>

#include "tests/servers/directory/fixture.h"

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

Test(directory, changes_arrive)
{
	two_users();
	open_directory(false);
	cr_assert(ask("m1").live);
	cr_assert_not(ask("m2").exists);

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
	conf.stale_max_ms = 8000;
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
	conf.timeout_ms = 4000;
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
