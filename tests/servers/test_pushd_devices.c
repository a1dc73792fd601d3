/* Users' devices in a real PostgreSQL (PW_TEST_DATABASE_URL). */
#include <errno.h>
#include <signal.h>

#include "common/base/log.h"
#include "pushd/devices.h"
#include "tests/servers/loop_wait.h"
#include "tests/servers/pg_schema.h"

#define TIMEOUT_MS 30000		/* beyond what a busy machine takes */

static struct loop *l;
static struct devices *s;

static void migrate(void)
{
	const char *srcdir = getenv("srcdir");
	char cmd[512];

	snprintf(cmd, sizeof(cmd), "%s/common/schema/pairwire-migrate >/dev/null",
		 srcdir != NULL ? srcdir : ".");
	setenv("DATABASE_URL", url_for(NULL), 1);
	cr_assert_eq(system(cmd), 0, "%s failed", cmd);
}

static void setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	log_init("test", LOG_LVL_INFO);
	l = loop_new();
	schema_setup();
	migrate();
}

static void teardown(void)
{
	devices_free(&s);
	devices_free(&s);
	schema_teardown();
	loop_free(&l);
}

TestSuite(pushd_devices, .init = setup, .fini = teardown, .timeout = 240);

static void start(void)
{
	s = devices_new(l, url_for(NULL), TIMEOUT_MS, NULL, NULL);
	WAIT_FOR(l, devices_up(s));
}

struct answer {
	int calls, err;
	size_t n;
	struct { char text[8][64]; enum provider provider; int64_t ms; } d[128];
};

static void on_devices(void *arg, int err, const struct device *d, size_t n)
{
	struct answer *a = arg;

	a->calls++;
	a->err = err;
	a->n = n;
	for (size_t i = 0; i < n && i < ARRAY_SIZE(a->d); i++) {
		const char *from[] = { d[i].id, d[i].token, d[i].platform, d[i].app,
				       d[i].environment, d[i].locale };

		for (size_t k = 0; k < ARRAY_SIZE(from); k++)
			snprintf(a->d[i].text[k], sizeof(a->d[i].text[k]), "%s",
				 from[k]);
		a->d[i].provider = d[i].provider;
		a->d[i].ms = d[i].updated_at_ms;
	}
}

static const struct answer *of(const char *user)
{
	static struct answer a;

	memset(&a, 0, sizeof(a));
	devices_of(s, user, on_devices, &a);
	cr_assert_eq(a.calls, 0);
	WAIT_FOR(l, a.calls > 0);
	cr_assert_eq(a.calls, 1);
	return &a;
}

static void id_is(const struct answer *a, size_t i, const char *id)
{
	cr_expect_str_eq(a->d[i].text[0], id, "%zu: %s", i, a->d[i].text[0]);
}

Test(pushd_devices, rows_as_they_are)
{
	const struct answer *a;

	sql("INSERT INTO devices VALUES"
	    " ('d1', 'ann', 't1', 'ios', 'APNs', 'com.x', 'Sandbox', 'de-AT',"
	    "  '2026-01-02T03:04:05.678Z'),"
	    " ('d2', 'ann', 't2', 'our own', 'fcm', NULL, NULL, NULL, NULL),"
	    " ('d3', 'ann', 't3', 'x', 'hms', NULL, NULL, NULL, now()),"
	    " ('d4', 'ann', '', 'x', 'fcm', NULL, NULL, NULL, now()),"
	    " ('d5', 'ann', repeat('x', 4097), 'x', 'fcm', NULL, NULL, NULL, now()),"
	    " ('d6', 'bob', 't6', 'x', 'fcm', NULL, NULL, NULL, now()),"
	    " ('d7', 'ann', 't7', 'x', 'FCM', NULL, NULL, NULL,"
	    "  '2026-01-02T03:04:05.679Z'),"
	    " ('d8', 'ann', 't7', 'x', 'fcm', NULL, NULL, NULL,"
	    "  '2026-01-01T00:00:00Z')");
	start();
	a = of("ann");
	cr_assert_eq(a->err, 0);
	cr_assert_eq(a->n, 3, "%zu", a->n);
	id_is(a, 0, "d7");
	id_is(a, 1, "d1");
	id_is(a, 2, "d2");
	cr_expect_eq(a->d[0].provider, PROVIDER_FCM);
	cr_expect_eq(a->d[1].provider, PROVIDER_APNS);
	cr_expect_str_eq(a->d[1].text[1], "t1");
	cr_expect_str_eq(a->d[1].text[2], "ios");
	cr_expect_str_eq(a->d[1].text[3], "com.x");
	cr_expect_str_eq(a->d[1].text[4], "sandbox");
	cr_expect_str_eq(a->d[1].text[5], "de-AT");
	cr_expect_eq(a->d[1].ms, 1767323045678);
	cr_expect_str_eq(a->d[2].text[2], "our own");
	for (int k = 3; k < 6; k++)
		cr_expect_str_eq(a->d[2].text[k], "");
	cr_expect_eq(a->d[2].ms, 0);
	cr_expect_eq(of("nobody")->n, 0);
	cr_expect_eq(of("a,\"b{}\\")->n, 0);
}

Test(pushd_devices, the_newest_hundred)
{
	const struct answer *a;

	sql("INSERT INTO devices SELECT 'd' || i, 'ann', 't' || i, 'x', 'fcm', NULL,"
	    " NULL, NULL, now() - i * interval '1 day'"
	    " FROM generate_series(1, 300) AS i");
	start();
	a = of("ann");
	cr_assert_eq(a->n, DEVICES_MAX);
	id_is(a, 0, "d1");
	id_is(a, 99, "d100");
}

/* The app's own table behind a view that counts its readings. */
static void map_devices(void)
{
	sql("ALTER TABLE devices RENAME TO app_devices");
	sql("CREATE SEQUENCE reads MINVALUE 0");
	sql("CREATE VIEW devices AS SELECT d.* FROM (SELECT nextval('reads') OFFSET 0)"
	    " c, app_devices d");
}

static long reads(void)
{
	return atol(sql("SELECT CASE WHEN is_called THEN last_value + 1 ELSE 0 END"
			" FROM reads"));
}

Test(pushd_devices, asked_together_is_one_query)
{
	static struct answer a[600];
	char user[16];

	sql("INSERT INTO devices SELECT 'd' || i, 'u' || i, 't' || i, 'x', 'fcm'"
	    " FROM generate_series(0, 99) AS i");
	map_devices();
	start();
	for (size_t i = 0; i < 200; i++) {
		snprintf(user, sizeof(user), "u%zu", i / 2);
		devices_of(s, user, on_devices, &a[i]);
	}
	WAIT_FOR(l, a[199].calls > 0);
	cr_expect_eq(reads(), 1, "%ld", reads());
	for (size_t i = 0; i < 200; i++) {
		cr_assert_eq(a[i].calls, 1);
		cr_assert_eq(a[i].n, 1);
		snprintf(user, sizeof(user), "d%zu", i / 2);
		id_is(&a[i], 0, user);
	}
	/* turn by turn: two queries are out, the rest waits for them */
	memset(a, 0, sizeof(a));
	for (size_t i = 0; i < 600; i++) {
		snprintf(user, sizeof(user), "u%zu", i % 100);
		devices_of(s, user, on_devices, &a[i]);
		if (i % 50 == 0)
			loop_turn(l, 0);
	}
	WAIT_FOR(l, a[599].calls > 0);
	cr_expect_leq(reads(), 14, "one a turn at most: %ld", reads());
}

Test(pushd_devices, an_id_the_column_cannot_hold)
{
	static struct answer a[3];

	sql("DROP TABLE devices");
	sql("CREATE TYPE who AS ENUM ('FCM', 'APNS')");
	sql("CREATE TABLE devices (id uuid, user_id uuid, push_token text, platform text,"
	    " provider who, app text, environment text, locale text,"
	    " updated_at timestamp)");
	sql("INSERT INTO devices VALUES ('00000000-0000-0000-0000-000000000001',"
	    " '00000000-0000-0000-0000-00000000000a', 't', 'x', 'APNS')");
	start();
	devices_of(s, "no uuid", on_devices, &a[0]);
	devices_of(s, "00000000-0000-0000-0000-00000000000a", on_devices, &a[1]);
	devices_of(s, "no uuid", on_devices, &a[2]);
	WAIT_FOR(l, a[0].calls + a[1].calls + a[2].calls == 3);
	cr_expect(a[0].err == 0 && a[0].n == 0);
	cr_expect(a[1].err == 0 && a[1].n == 1);
	cr_expect(a[2].err == 0 && a[2].n == 0);
	devices_delete(s, &(struct device){
		.id = "00000000-0000-0000-0000-000000000001", .token = "t" });
	WAIT_FOR(l, atol(sql("SELECT count(*) FROM devices")) == 0);
}

static void four_rows(void)
{
	sql("INSERT INTO devices (id, user_id, push_token, platform, provider, updated_at)"
	    " VALUES ('d1', 'ann', 't1', 'x', 'fcm', '2026-01-02T03:04:05.6785Z'),"
	    " ('d2', 'ann', 't2', 'x', 'fcm', NULL),"
	    " ('d3', 'ann', 't3', 'x', 'fcm', '2026-01-02T03:04:05Z'),"
	    " ('d4', 'ann', 't4', 'x', 'fcm', '2026-01-02T03:04:05Z')");
}

static void delete_all(const struct answer *a)
{
	for (size_t i = 0; i < a->n; i++)
		devices_delete(s, &(struct device){ .id = a->d[i].text[0],
						    .token = a->d[i].text[1],
						    .updated_at_ms = a->d[i].ms });
}

static const char *left(void)
{
	return sql("SELECT coalesce(string_agg(id, ' ' ORDER BY id), '')"
		   " FROM devices");
}

Test(pushd_devices, only_what_is_as_it_was_read)
{
	const struct answer *a;

	four_rows();
	start();
	a = of("ann");
	sql("UPDATE devices SET push_token = 'new' WHERE id = 'd3'");
	sql("UPDATE devices SET updated_at = now() WHERE id IN ('d2', 'd4')");
	delete_all(a);
	WAIT_FOR(l, strcmp(left(), "d2 d3 d4") == 0);
	a = of("ann");	/* behind the deletion */
	cr_expect_str_eq(left(), "d2 d3 d4");
	delete_all(a);
	WAIT_FOR(l, strcmp(left(), "") == 0);
}

/* Such a row must not keep all who are asked for in its query. */
Test(pushd_devices, times_without_end)
{
	static struct answer a[2];

	sql("INSERT INTO devices (id, user_id, push_token, platform, provider, updated_at)"
	    " VALUES ('d1', 'ann', 't1', 'x', 'fcm', 'infinity'),"
	    " ('d2', 'ann', 't2', 'x', 'fcm', '-infinity'),"
	    " ('d3', 'bob', 't3', 'x', 'fcm', now())");
	start();
	devices_of(s, "ann", on_devices, &a[0]);
	devices_of(s, "bob", on_devices, &a[1]);
	WAIT_FOR(l, a[0].calls + a[1].calls == 2);
	cr_expect(a[0].err == 0 && a[0].n == 2 && a[0].d[0].ms == 0);
	cr_expect(a[1].err == 0 && a[1].n == 1);
	if (a[0].err != 0 || a[1].err != 0)
		return;
	delete_all(&a[0]);
	WAIT_FOR(l, strcmp(left(), "d3") == 0);
}

Test(pushd_devices, repeated_until_taken)
{
	four_rows();
	start();
	sql("BEGIN");
	sql("LOCK TABLE devices IN SHARE MODE");
	delete_all(of("ann"));
	WAIT_FOR(l, atol(sql("SELECT count(pg_terminate_backend(pid)) FROM pg_locks"
			     " WHERE relation = 'devices'::regclass"
			     " AND NOT granted")) == 1);
	sql("COMMIT");
	WAIT_FOR(l, strcmp(left(), "") == 0);
}

Test(pushd_devices, one_that_cannot_go_keeps_no_other)
{
	four_rows();
	sql("CREATE TABLE logins (device text REFERENCES devices (id))");
	sql("INSERT INTO logins VALUES ('d2')");
	start();
	delete_all(of("ann"));
	WAIT_FOR(l, strcmp(left(), "d2") == 0);
	sql("DROP TABLE logins");
	delete_all(of("ann"));
	WAIT_FOR(l, strcmp(left(), "") == 0);
}

Test(pushd_devices, away_and_gone)
{
	static struct answer a, b;

	s = devices_new(l, url_for(NULL), TIMEOUT_MS, NULL, NULL);
	devices_of(s, "ann", on_devices, &a);
	WAIT_FOR(l, a.calls > 0);
	cr_expect_eq(a.err, -ENOTCONN);
	WAIT_FOR(l, devices_up(s));
	sql("DROP TABLE devices");
	cr_expect_eq(of("ann")->err, -EREMOTEIO);
	devices_of(s, "ann", on_devices, &b);
	devices_delete(s, &(struct device){ .id = "a", .token = "b" });
	devices_free(&s);
	cr_expect_eq(b.calls, 1);
	cr_expect_eq(b.err, -ECANCELED);
}
