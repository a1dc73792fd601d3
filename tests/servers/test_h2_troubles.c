/* What a client does with a server that refuses, goes away, resets or stalls. */
#include "tests/servers/fake_h2.h"

#include <malloc.h>

TestSuite(h2_troubles, .init = setup, .fini = teardown, .timeout = 240);

Test(h2_troubles, refused_streams)
{
	warm_up();
	requests(50, "/refused");
	answers();
	cr_expect_eq(got.ok, 51);
	cr_expect_eq(tell("count refused"), 50);
	cr_expect_eq(tell("count twice"), 0);
	cr_expect_eq(tell("count connections"), 1);
}

Test(h2_troubles, refused_streams_go_elsewhere)
{
	client_to("localhost", "h2", 2, TIMEOUT_MS, PING_MS);
	warm_up();
	requests(50, "/refused");
	answers();
	cr_expect_eq(got.ok, 51);
	cr_expect_eq(tell("count twice"), 0);
	cr_expect_leq(tell("count connections"), 2);
}

/* It allows none while it has too much to do, and says when that is over. */
Test(h2_troubles, none_allowed_until_later)
{
	client_to("localhost", "h2", 1, 40000, PING_MS);
	tell("limit 0 0");
	for (int i = 0; i < 20; i++)
		request_with("/ok", SLICE("{}"), 40000);
	WAIT_FOR(loop, tell("count connections") == 1);
	loop_turn(loop, 100);
	cr_expect_eq(got.told, 0);
	tell("lower 100");
	answers();
	cr_expect_eq(got.ok, 20);
	cr_expect_eq(tell("count connections"), 1);
}

/* It never says so: what waited goes elsewhere, what it had it may finish. */
Test(h2_troubles, none_allowed_any_more)
{
	client_to("localhost", "h2", 1, 1000, PING_MS);
	tell("limit 100 100");
	warm_up();
	for (int i = 0; i < 5; i++)
		request_with("/held", SLICE("{}"), 40000);
	WAIT_FOR(loop, tell("count requests") == 6);
	tell("lower 0");
	loop_turn(loop, 50);
	for (int i = 0; i < 20; i++)
		request_with("/ok", SLICE("{}"), 40000);
	tell("release");
	answers_at_last();
	cr_expect_eq(got.ok, 26);
	cr_expect_eq(tell("count twice"), 0);
}

/* What was sent before it goes on; later ones keep to it. */
Test(h2_troubles, limit_lowered_in_mid_flight)
{
	warm_up();
	requests(60, "/held");
	WAIT_FOR(loop, tell("count requests") == 61);
	tell("lower 5");
	WAIT_FOR(loop, tell("count lowered") == 1);
	requests(40, "/held");
	loop_turn(loop, 50);
	cr_expect_eq(tell("count requests"), 61);
	tell("release");
	WAIT_FOR(loop, tell("count requests") == 66);
	release_all();
	cr_expect_eq(got.ok, 101);
	cr_expect_eq(tell("count requests"), 101);
}

Test(h2_troubles, reset_stream)
{
	warm_up();
	request("/reset");
	answers();
	cr_expect_eq(got.err, -ECONNRESET);
	request("/ok");
	answers();
	cr_expect_eq(got.status, 200);
	cr_expect_eq(tell("count connections"), 1);
}

/* The first 20 are carried out, the others on another connection. */
Test(h2_troubles, goaway_in_mid_flight)
{
	tell("limit 200 200");
	warm_up();
	requests(200, "/held");
	WAIT_FOR(loop, tell("count requests") == 201);
	tell("goaway 20");
	release_all();
	cr_expect_eq(got.ok, 201);
	cr_expect_eq(tell("count ids"), 201);
	cr_expect_eq(tell("count twice"), 0);
	cr_expect_eq(tell("count requests"), 201 + 180);
	cr_expect_eq(tell("count connections"), 2);
	WAIT_FOR(loop, tell("count open") == 1);
}

Test(h2_troubles, goaway_of_a_server_that_drains)
{
	warm_up();
	requests(50, "/held");
	WAIT_FOR(loop, tell("count requests") == 51);
	tell("shutdown");
	WAIT_FOR(loop, tell("count connections") == 2);
	request("/ok");
	WAIT_FOR(loop, got.ok == 2);
	release_all();
	cr_expect_eq(got.ok, 52);
	cr_expect_eq(tell("count requests"), 52);
	WAIT_FOR(loop, tell("count open") == 1);
}

Test(h2_troubles, goaway_while_idle)
{
	warm_up();
	tell("shutdown");
	WAIT_FOR(loop, tell("count open") == 0);
	loop_turn(loop, 100);
	cr_expect_eq(tell("count connections"), 1, "nothing was to be sent");
	warm_up();
	cr_expect_eq(tell("count connections"), 2);
}

/* Requests that go on coming are no reason to dial more often. */
static void expect_backoff(const char *how)
{
	int64_t start = clock_mono_ms();
	int dialled;

	tell("leave %s", how);
	do {
		request_with("/ok", SLICE("{}"), 500);
		loop_turn(loop, 2);
		dialled = tell("count connections");
	} while (clock_mono_ms() - start < 1000 || dialled < 3);
	answers();
	dialled = tell("count connections");
	cr_expect_leq(dialled, 40, "%s: %d connections for %d", how, dialled, got.sent);
	tell("leave no");
	request_with("/ok", SLICE("{}"), 40000);
	answers_at_last();
	cr_expect_eq(got.status, 200, "%s: it did not recover", how);
}

Test(h2_troubles, goaway_again_and_again)
{
	expect_backoff("greeting");
}

Test(h2_troubles, closed_again_and_again)
{
	expect_backoff("closing");
}

/* A refusal is no use, nor is an answer that only says that it cannot. */
Test(h2_troubles, refused_again_and_again)
{
	expect_backoff("refusing");
}

Test(h2_troubles, failed_again_and_again)
{
	expect_backoff("failing");
}

/* Its last word each time: but each time it did what it was asked. */
Test(h2_troubles, goaway_after_work_again_and_again)
{
	tell("leave working");
	for (int i = 0; i < 12; i++) {
		warm_up();
		WAIT_FOR(loop, tell("count open") == 0);
	}
	cr_expect_eq(tell("count connections"), 12);
}

/* One that complains is not asked again at once, useful as it was. */
Test(h2_troubles, goaway_that_asks_for_calm)
{
	warm_up();
	tell("calm");
	for (int i = 0; i < 300; i++) {
		request_with("/ok", SLICE("{}"), 500);
		loop_turn(loop, 2);
	}
	answers();
	cr_expect_eq(got.not_connected + got.timed_out, 300);
	cr_expect_leq(tell("count connections"), 40);
}

Test(h2_troubles, connection_cut)
{
	warm_up();
	requests(150, "/held");
	WAIT_FOR(loop, tell("count requests") == 101);
	loop_turn(loop, 20);
	tell("drop");
	WAIT_FOR(loop, got.told == 101);
	cr_expect_eq(got.reset, 100, "exactly those that were sent");
	release_all();
	cr_expect_eq(got.ok, 51);
	cr_expect_eq(got.reset, 100);
	cr_expect_eq(tell("count requests"), 151);
	cr_expect_eq(tell("count twice"), 0);
}

/* Some MB of these are more than the sockets between us and the server hold. */
static const char *long_path(void)
{
	static char path[30000] = "/ok/";

	memset(path + 4, 'x', sizeof(path) - 5);
	return path;
}

/* Of a backlog that the socket had not taken nothing can have been done. */
Test(h2_troubles, connection_cut_with_a_backlog)
{
	const char *path = long_path();

	tell("limit 1000 1000");
	warm_up();
	tell("stall");
	for (int i = 0; i < 700; i++) {
		request_with(path, SLICE("{}"), 60000);
		loop_turn(loop, 0);
	}
	loop_turn(loop, 100);
	tell("drop");
	tell("flow");
	answers();
	cr_expect_eq(got.ok + got.reset, got.sent);
	cr_expect_gt(got.ok, 1, "none was sent again");
	cr_expect_gt(got.reset, 0);
	cr_expect_eq(tell("count twice"), 0);
}

Test(h2_troubles, connection_cut_while_idle)
{
	warm_up();
	tell("drop");
	WAIT_FOR(loop, tell("count open") == 0);
	loop_turn(loop, 50);
	for (int i = 0; i < 5; i++)
		warm_up();
	cr_expect_eq(tell("count connections"), 2);
}

Test(h2_troubles, deadline)
{
	int64_t start;

	warm_up();
	start = clock_mono_ms();
	for (int i = 0; i < 10; i++)
		request_with("/held", SLICE("{}"), 2000);
	WAIT_FOR(loop, tell("count requests") == 11);
	answers();
	cr_expect_eq(got.timed_out, 10);
	cr_expect_geq(clock_mono_ms() - start, 1995);
	cr_expect_lt(clock_mono_ms() - start, TIMEOUT_MS);
	WAIT_FOR(loop, tell("count cancelled") == 10);
	request("/ok");
	answers();
	cr_expect_eq(got.status, 200);
	cr_expect_eq(tell("count connections"), 1, "it is alive");
}

Test(h2_troubles, deadline_of_one_that_waits)
{
	tell("limit 1 1");
	warm_up();
	request("/held");
	request_with("/ok", SLICE("{}"), 100);
	WAIT_FOR(loop, got.told == 2);
	cr_expect_eq(got.err, -ENOTCONN);
	release_all();
	cr_expect_eq(tell("count requests"), 2);
}

/* Those that never left are known to be undone, and are not done later. */
Test(h2_troubles, deadline_of_a_backlog)
{
	tell("limit 1000 1000");
	warm_up();
	tell("stall");
	for (int i = 0; i < 700; i++)
		request_with(long_path(), SLICE("{}"), 2000);
	answers();
	cr_expect_gt(got.timed_out, 0);
	cr_expect_gt(got.not_connected, 0);
	cr_expect_eq(got.timed_out + got.not_connected, 700);
	tell("flow");
	request("/ok");
	answers();
	cr_expect_eq(got.status, 200);
	cr_expect_eq(tell("count connections"), 1);
	cr_expect_leq(tell("count requests"), 2 + got.timed_out);
}

/* Too slow a server, or one that is stuck behind its own front: others go to a new
 * connection, and what it has may yet be answered. */
Test(h2_troubles, silent_to_requests)
{
	client_to("localhost", "h2", 1, 3000, PING_MS);
	warm_up();
	requests(10, "/held");
	WAIT_FOR(loop, tell("count connections") == 2);
	request("/ok");
	WAIT_FOR(loop, got.ok == 2);
	release_all();
	cr_expect_eq(got.ok, 12);
	WAIT_FOR(loop, tell("count open") == 1);
}

/* Of requests that were given up before: the PING says that it is alive. */
Test(h2_troubles, silent_to_given_up_requests)
{
	client_to("localhost", "h2", 1, 4000, PING_MS);
	warm_up();
	request_with("/held", SLICE("{}"), 1000);
	answers();
	cr_expect_eq(got.timed_out, 1);
	loop_turn(loop, 5000);
	request("/ok");
	answers();
	cr_expect_eq(got.status, 200);
	cr_expect_eq(tell("count connections"), 1);
	cr_expect_eq(tell("count pings"), 1);
}

static size_t in_use(void)
{
#ifdef __SANITIZE_ADDRESS__
	return 0;
#else
	return mallinfo2().uordblks;
#endif
}

/* Requests go on coming; each ends in time, and none costs memory for longer. */
Test(h2_troubles, stalled_peer)
{
	enum { PACE = 20 };
	static char body[4000];
	size_t early = 0, late;

	client_to("localhost", "h2", 2, 400, PING_MS);
	tell("limit 1000 1000");
	warm_up();
	tell("stall");
	for (int turn = 0; turn < 400; turn++) {
		for (int i = 0; i < PACE; i++)
			request_with("/ok", (struct slice){ body, sizeof(body) }, 300);
		loop_turn(loop, 5);
		if (turn == 120)
			early = in_use();
	}
	late = in_use();
	cr_expect_leq(h2_client_pending(client), PACE * 150);
	cr_expect_lt(late, early + (1 << 20), "%zu -> %zu bytes", early, late);
	WAIT_FOR(loop, h2_client_pending(client) == 0);
	cr_expect_eq(got.ok, 1);
	cr_expect_gt(got.timed_out, 0);
	cr_expect_eq(got.ok + got.timed_out + got.not_connected + got.reset, got.sent);
	tell("flow");
	request("/ok");
	answers();
	cr_expect_eq(got.status, 200, "it did not recover");
}
