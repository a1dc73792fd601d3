/* What is PostgreSQL's own: the table, its rights, and connections that are
 * ended from outside. Each test has a schema of its own. */
#include "tests/servers/pg_schema.h"

TestSuite(pg_schema, .init = schema_setup, .fini = schema_teardown, .timeout = 240);

#define WORKERS 6
Test(pg_schema, workers_that_start_together)
{
	struct loop *l = loop_new();
	struct message_store *s[WORKERS];
	bool up[WORKERS] = { 0 };
	struct message m = message_new("x");
	int log = log_start();

	for (int i = 0; i < WORKERS; i++)
		s[i] = store_new_at(l, url_for(NULL), 20000, &up[i]);
	for (int i = 0; i < WORKERS; i++)
		WAIT_FOR(l, up[i]);
	cr_expect_eq(log_count(log, "refuses"), 0);
	cr_expect_str_eq(sql("SELECT count(*) FROM pg_indexes "
			     "WHERE schemaname = '%s'", schema), "6");
	for (int i = 0; i < WORKERS; i++) {
		cr_expect_eq(insert_one(l, s[i], &m, NULL),
			     STORE_OK, "worker %d", i);
		sql("TRUNCATE messages");
		message_store_free(&s[i]);
	}
	loop_free(&l);
}

/* The table is large and in use: no index is made now, the log says how. */
Test(pg_schema, a_table_without_an_index_serves)
{
	struct loop *l = loop_new();
	struct message_store *s;
	bool up = false;
	struct message m = message_new("x");
	struct last last = { 0 };
	PGconn *other;
	int log;

	s = store_new_at(l, url_for(NULL), 20000, &up);
	WAIT_FOR(l, up);
	cr_expect_eq(insert_one(l, s, &m, NULL), STORE_OK);
	message_store_free(&s);
	sql("DROP INDEX messages_history_idx, messages_owe_idx");
	other = PQconnectdb(url_for(NULL));
	PQclear(PQexec(other, "BEGIN; UPDATE messages SET owe = owe"));
	log = log_start();
	up = false;
	store_name = schema;
	s = store_new_at(l, url_for(NULL), 1000, &up);
	WAIT_FOR(l, up);
	message_store_last_sent(s, m.sender_id, m.match_id, on_last, &last);
	WAIT_FOR(l, last.done);
	cr_expect_eq(last.ms, m.sent_at_ms);
	m = message_new("y");
	cr_expect_eq(insert_one(l, s, &m, NULL), STORE_OK);
	/* Looked at again with each connection, logged once. */
	for (int i = 0; i < 2; i++) {
		sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
		    "WHERE application_name = '%s store'", schema);
		WAIT_FOR(l, !up);
		WAIT_FOR(l, up);
	}
	cr_expect_eq(log_count(log, "\"CREATE INDEX CONCURRENTLY "
				    "messages_history_idx ON messages "
				    "(match_id, sent_at, id)\""), 1);
	cr_expect_eq(log_count(log, "CREATE INDEX"), 2);
	PQfinish(other);
	message_store_free(&s);
	loop_free(&l);
}

Test(pg_schema, a_role_without_rights_waits)
{
	struct loop *l = loop_new();
	struct message_store *s;
	bool up = false;
	struct message m = message_new("x");

	sql("CREATE ROLE %s LOGIN", schema);
	sql("GRANT USAGE ON SCHEMA %s TO %s", schema, schema);
	s = store_new_at(l, url_for(schema), 20000, &up);
	loop_turn(l, 300);
	cr_expect(!up);
	cr_expect_eq(insert_one(l, s, &m, NULL), STORE_UNAVAILABLE);
	sql("GRANT CREATE ON SCHEMA %s TO %s", schema, schema);
	WAIT_FOR(l, up);
	cr_expect_eq(insert_one(l, s, &m, NULL), STORE_OK);
	message_store_free(&s);
	sql("DROP OWNED BY %s", schema);
	sql("DROP ROLE %s", schema);
	loop_free(&l);
}

Test(pg_schema, somebody_elses_table)
{
	struct loop *l = loop_new();
	struct message_store *s;
	bool up = false;

	sql("CREATE TABLE messages (id int, body text)");
	s = store_new_at(l, url_for(NULL), 20000, &up);
	loop_turn(l, 300);
	cr_expect(!up);
	sql("DROP TABLE messages");
	WAIT_FOR(l, up);
	message_store_free(&s);
	loop_free(&l);
}

Test(pg_schema, the_table_is_dropped)
{
	struct loop *l = loop_new();
	struct message_store *s;
	bool up = false;
	struct message m = message_new("x");

	s = store_new_at(l, url_for(NULL), 20000, &up);
	WAIT_FOR(l, up);
	cr_expect_eq(insert_one(l, s, &m, NULL), STORE_OK);
	sql("DROP TABLE messages");
	cr_expect_eq(insert_one(l, s, &m, NULL), STORE_UNAVAILABLE);
	WAIT_FOR(l, up);
	cr_expect_eq(insert_one(l, s, &m, NULL), STORE_OK);
	message_store_free(&s);
	loop_free(&l);
}

/* Connections die under load; what was called unavailable is sent again with
 * the same id, as clients do. Each message is stored once. */
#define SENT 3000
Test(pg_schema, connections_ended_under_load)
{
	static struct message *m[SENT];
	static struct inserted a[SENT];
	struct loop *l = loop_new();
	struct message_store *s;
	bool up = false;
	int left = SENT, kills = 0, ok = 0, rounds = 0;

	for (int i = 0; i < SENT; i++) {
		struct message n = message_new("x");
		char sender[16];

		snprintf(sender, sizeof(sender), "u%d", i % 50);
		n.sender_id = sender;
		m[i] = message_dup(&n);
	}
	store_name = schema;
	s = store_new_at(l, url_for(NULL), 20000, &up);
	while (left > 0 && rounds++ < 50) {
		WAIT_FOR(l, up);
		inserted_count = 0;
		for (int i = 0; i < SENT; i++) {
			if (a[i].done && a[i].r != STORE_UNAVAILABLE)
				continue;
			a[i] = (struct inserted){ 0 };
			message_store_insert(s, m[i], on_inserted, &a[i]);
			if (i % 100 == 99)
				loop_turn(l, 0);
			if (i % 1000 == 500 && kills < 6) {
				kills++;
				sql("SELECT pg_terminate_backend(pid) FROM "
				    "pg_stat_activity WHERE application_name "
				    "LIKE '%s store%%'", schema);
			}
		}
		WAIT_FOR(l, inserted_count == left);
		left = 0;
		for (int i = 0; i < SENT; i++) {
			left += a[i].r == STORE_UNAVAILABLE;
			cr_assert(a[i].r == STORE_OK ||
					  a[i].r == STORE_UNAVAILABLE,
				  "row %d: %d", i, a[i].r);
		}
	}
	cr_expect_gt(kills, 2);
	for (int i = 0; i < SENT; i++) {
		ok += a[i].r == STORE_OK;
		free(m[i]);
	}
	cr_expect_eq(ok, SENT);
	cr_expect_str_eq(sql("SELECT count(*) FROM messages"), "3000");
	message_store_free(&s);
	loop_free(&l);
}
