/* What a client does with a server that is well: requests as streams, limits of
 * streams, several connections, answers of every kind. */
#include "tests/servers/fake_h2.h"

#include <sys/resource.h>

TestSuite(h2, .init = setup, .fini = teardown, .timeout = 240);

Test(h2, one)
{
	request("/ok");
	cr_expect_eq(h2_client_pending(client), 1);
	answers();
	cr_expect_eq(got.err, 0);
	cr_expect_eq(got.status, 200);
	cr_expect_eq(got.body, 0);
	cr_expect_str_eq(got.apns_id, "0");
}

Test(h2, by_address)
{
	client_to("127.0.0.1", "h2", 1, TIMEOUT_MS, PING_MS);
	request("/ok");
	answers();
	cr_expect_eq(got.status, 200);
}

Test(h2, error_answer)
{
	request("/status/429");
	answers();
	cr_expect_eq(got.err, 0);
	cr_expect_eq(got.status, 429);
	cr_expect_str_eq(got.retry_after, "7");
	cr_expect_eq(got.body, strlen("{\"status\":429}"));
}

Test(h2, empty_body)
{
	request_with("/echo", (struct slice){ NULL, 0 }, TIMEOUT_MS);
	answers();
	cr_expect_eq(got.status, 200);
	cr_expect_eq(got.body, 0);
}

/* More than the peer's window: sent as it opens. */
Test(h2, long_body)
{
	static char body[60000];

	memset(body, 'x', sizeof(body));
	warm_up();
	for (int i = 0; i < 30; i++)
		request_with("/echo", (struct slice){ body, sizeof(body) }, TIMEOUT_MS);
	answers();
	cr_expect_eq(got.ok, 31);
	cr_expect_eq(got.body, sizeof(body));
}

/* What a window has no room for waits here, in its turn: none whose first half is
 * there is overtaken by all that come later. */
Test(h2, bodies_in_turn)
{
	enum { N = 5000, FLIGHT = 500 };
	static char body[2300];
	int oldest = 0;

	memset(body, 'x', sizeof(body));
	tell("limit 500 500");
	warm_up();
	while (got.told < N) {
		while (got.sent < N && got.sent - got.told < FLIGHT)
			request_with("/ok", (struct slice){ body, sizeof(body) }, 30000);
		loop_turn(loop, 1);
		while (told[oldest] && oldest < got.sent)
			oldest++;
		cr_assert_lt(got.sent - oldest, 2 * FLIGHT);
	}
	cr_expect_eq(got.ok, N);
}

Test(h2, answered_before_the_body)
{
	static char body[1 << 20];

	request_with("/early", (struct slice){ body, sizeof(body) }, TIMEOUT_MS);
	answers();
	cr_expect_eq(got.status, 200);
	cr_expect_eq(got.body, strlen("enough"));
	warm_up();
	cr_expect_eq(tell("count connections"), 1);
}

Test(h2, many_on_one_connection)
{
	request("/ok");
	requests(499, "/held");
	WAIT_FOR(loop, tell("count requests") == 101);
	release_all();
	cr_expect_eq(got.ok, 500);
	cr_expect_eq(tell("count connections"), 1);
	cr_expect_eq(tell("count ids"), 500);
	cr_expect_eq(tell("count most"), 100);
}

/* As APNs has it. */
Test(h2, limit_raised_after_the_first)
{
	tell("limit 1 100");
	request("/ok");
	requests(199, "/held");
	WAIT_FOR(loop, tell("count requests") == 101);
	release_all();
	cr_expect_eq(got.ok, 200);
	cr_expect_eq(tell("count requests"), 200, "some were refused");
	cr_expect_eq(tell("count connections"), 1);
	cr_expect_eq(tell("count most"), 100);
}

/* An error is no proof that the token was taken. */
Test(h2, one_at_a_time_until_2xx)
{
	requests(5, "/status/403");
	answers();
	cr_expect_eq(tell("count most"), 1);
	requests(1, "/ok");
	requests(50, "/held");
	WAIT_FOR(loop, tell("count requests") == 5 + 1 + 50);
	cr_expect_eq(tell("count most"), 50);
	release_all();
}

Test(h2, limit_stays_one)
{
	tell("limit 1 1");
	requests(30, "/ok");
	answers();
	cr_expect_eq(got.ok, 30);
	cr_expect_eq(tell("count most"), 1);
	cr_expect_eq(tell("count requests"), 30);
}

Test(h2, second_connection_when_full)
{
	client_to("localhost", "h2", 2, TIMEOUT_MS, PING_MS);
	warm_up();
	requests(50, "/ok");
	answers();
	cr_expect_eq(tell("count connections"), 1, "there was room");
	requests(250, "/held");
	WAIT_FOR(loop, tell("count requests") >= 51 + 101);
	cr_expect_eq(tell("count connections"), 2);
	/* The second is proven by its first answer. */
	tell("release");
	WAIT_FOR(loop, got.ok >= 152);
	release_all();
	cr_expect_eq(got.ok, 301);
	cr_expect_eq(tell("count connections"), 2);
	cr_expect_leq(tell("count most"), 100);
}

Test(h2, kept_while_idle)
{
	warm_up();
	loop_turn(loop, 300);
	warm_up();
	cr_expect_eq(tell("count connections"), 1);
}

Test(h2, ping_while_idle)
{
	client_to("localhost", "h2", 1, TIMEOUT_MS, 100);
	warm_up();
	WAIT_FOR(loop, tell("count pings") >= 3);
	warm_up();
	cr_expect_eq(tell("count connections"), 1);
}

Test(h2, answer_too_long)
{
	warm_up();
	request("/bytes/65536");
	answers();
	cr_expect_eq(got.err, 0);
	cr_expect_eq(got.body, H2_ANSWER_MAX);
	request("/bytes/65537");
	answers();
	cr_expect_eq(got.err, -EPROTO);
	request("/bytes/9000000");
	answers();
	cr_expect_eq(got.err, -EPROTO);
	request("/ok");
	answers();
	cr_expect_eq(got.status, 200);
}

Test(h2, broken_answer)
{
	warm_up();
	request("/broken");
	answers();
	cr_expect_eq(got.err, -EPROTO);
	request("/ok");
	answers();
	cr_expect_eq(tell("count connections"), 1);
}

static int chained;

static void on_chained(void *arg, int err, const struct h2_response *r);

static void send_chained(void)
{
	h2_client_send(client, &(struct h2_request){ .method = "POST", .path = "/ok",
		.body = SLICE("{}"), .timeout_ms = TIMEOUT_MS }, on_chained, NULL);
}

static void on_chained(void *arg, int err, const struct h2_response *r)
{
	(void)arg;
	cr_assert_eq(err, 0);
	cr_assert_eq(r->status, 200);
	if (++chained < 50)
		send_chained();
}

Test(h2, send_from_callback)
{
	send_chained();
	WAIT_FOR(loop, chained == 50);
}

static double cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

/* Of our process, with a payload such as notifications have. */
Test(h2, cpu)
{
	enum { N = 20000, FLIGHT = 500 };
	static char body[1000];
	double us;

	memset(body, 'x', sizeof(body));
	tell("limit 500 500");
	warm_up();
	us = cpu_us();
	while (got.told < N) {
		while (got.sent < N && got.sent - got.told < FLIGHT)
			request_with("/ok", (struct slice){ body, sizeof(body) }, 30000);
		loop_turn(loop, 1);
	}
	us = (cpu_us() - us) / N;
	cr_expect_eq(got.ok, N);
	cr_log_warn("%.1f us of CPU a request", us);
	cr_expect_lt(us, 200);
}
