/* The PostgreSQL client: servers that refuse, are not there, or have many
 * addresses. */
#include <sys/socket.h>
#include <unistd.h>

#include "tests/servers/pg_world.h"
#include "tests/servers/free_port.h"

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
	WAIT_FOR(l, s.calls == 6);
	for (int i = 0; i < 6; i++) {
		cr_assert_eq(s.err[i], -ENOTCONN);
		pg_free(&pg[i]);
	}
	cr_assert_eq(st.up + st.down, 0);
	close(fd);
	close(mute);
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
		conf.timeout_ms = 3000;
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
