/* Servers that a client has to refuse or cannot reach, and its own end. */
#include "tests/servers/fake_h2.h"

#include <netinet/in.h>
#include <sys/socket.h>

static FILE *log_file;	/* what the test's process logs */

static void setup_with_log(void)
{
	setup();
	log_file = tmpfile();
	dup2(fileno(log_file), 2);
}

static void teardown_with_log(void)
{
	teardown();
	fclose(log_file);
}

TestSuite(h2_ends, .init = setup_with_log, .fini = teardown_with_log, .timeout = 240);

/* Lines with this text. */
static int logged(const char *text)
{
	char line[1024];
	int n = 0;

	rewind(log_file);
	while (fgets(line, sizeof(line), log_file) != NULL)
		n += strstr(line, text) != NULL;
	return n;
}

/* One that is tried until the request's deadline, with one line that says why:
 * at the end of that attempt, which may be later, for one that takes timeout_ms. */
static void expect_refused(const char *kind, unsigned timeout_ms, const char *why)
{
	int64_t start = clock_mono_ms();
	int before = logged(why);

	client_to("localhost", kind, 1, timeout_ms, PING_MS);
	request_with("/ok", SLICE("{}"), 1200);
	answers();
	cr_expect_eq(got.err, -ENOTCONN, "%s: %d", kind, got.err);
	cr_expect_geq(clock_mono_ms() - start, 1190);
	WAIT_FOR(loop, logged(why) > before);
	cr_expect_eq(logged(why) - before, 1, "%s: not one line \"%s\"", kind, why);
}

Test(h2_ends, certificates)
{
	expect_refused("wrong-name", TIMEOUT_MS, "certificate is refused: hostname mismatch");
	expect_refused("expired", TIMEOUT_MS, "certificate is refused: certificate has expired");
}

Test(h2_ends, unknown_ca)
{
	fake.ca[0] = '\0';	/* the system's */
	expect_refused("h2", TIMEOUT_MS, "certificate is refused: ");
}

/* Requests that go on coming are no reason to knock more often. */
Test(h2_ends, backoff)
{
	int attempts;

	fake.ca[0] = '\0';
	client_to("localhost", "h2", 1, TIMEOUT_MS, PING_MS);
	for (int i = 0; i < 400 || tell("count accepted") < 2; i++) {
		request_with("/ok", SLICE("{}"), 500);
		loop_turn(loop, 2);
	}
	answers();
	cr_expect_eq(got.not_connected, got.sent);
	attempts = tell("count accepted");
	cr_expect_leq(attempts, 40, "%d attempts", attempts);
}

Test(h2_ends, not_http2)
{
	expect_refused("no-alpn", TIMEOUT_MS, "does not speak HTTP/2");
	expect_refused("no-settings", 3000, "no SETTINGS within 3000 ms");
	expect_refused("old-tls", TIMEOUT_MS, "reason=\"TLS: tlsv1 alert protocol version\"");
	expect_refused("silent", 500, "no TLS handshake within 500 ms");
}

Test(h2_ends, nobody_listens)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	fake.ports[0].port = ntohs(a.sin_port);
	expect_refused(fake.ports[0].kind, TIMEOUT_MS, "reason=\"Connection refused\"");
	close(fd);
}

/* Not there at first: the request waits for it. */
Test(h2_ends, server_comes_later)
{
	client_to("localhost", "h2", 1, 1000, PING_MS);
	tell("stall");
	request("/ok");
	WAIT_FOR(loop, logged("no TLS handshake within 1000 ms") == 1);
	cr_expect_eq(got.told, 0);
	tell("flow");
	answers();
	cr_expect_eq(got.status, 200);
	cr_expect_eq(logged("connected"), 1);
}

Test(h2_ends, bad_conf)
{
	const struct h2_client_conf good = { .name = "x", .url = "https://x",
		.connections = 1, .timeout_ms = 1, .ping_ms = 1 };
	struct h2_client_conf c = good;
	struct h2_client *made;
	char err[256] = "";

	c.url = "http://x";
	cr_expect_null(h2_client_new(loop, &c, err));
	cr_expect_not_null(strstr(err, "http://x"));
	c = good;
	c.ca_file = "/nonexistent/ca.pem";
	cr_expect_null(h2_client_new(loop, &c, err));
	cr_expect_not_null(strstr(err, "/nonexistent/ca.pem: "), "%s", err);
	made = h2_client_new(loop, &good, err);
	cr_expect_not_null(made, "%s", err);
	h2_client_free(&made);
	cr_expect_null(made);
	h2_client_free(&made);
}

Test(h2_ends, free_with_requests_everywhere)
{
	tell("limit 10 10");
	warm_up();
	requests(30, "/held");
	WAIT_FOR(loop, tell("count requests") == 11);
	tell("shutdown");		/* some on the old connection … */
	WAIT_FOR(loop, tell("count requests") == 12);
	requests(5, "/ok");		/* … some nowhere yet */
	cr_expect_eq(h2_client_pending(client), 35);
	h2_client_free(&client);
	cr_expect_null(client);
	cr_expect_eq(got.told, 36);
	cr_expect_eq(got.err, -ECANCELED);
	WAIT_FOR(loop, tell("count open") == 0);
}

Test(h2_ends, free_while_connecting)
{
	static const char *const kinds[] = { "h2", "silent", "no-settings" };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		for (int ms = 0; ms < 8; ms += 2) {
			client_to("localhost", kinds[i], 1, TIMEOUT_MS, PING_MS);
			request("/held");
			loop_turn(loop, ms);
			h2_client_free(&client);
			cr_expect_eq(got.told, got.sent);
			cr_expect_eq(got.err, -ECANCELED);
		}
	}
}

static struct task last;

static void on_last(void *arg)
{
	(void)arg;
	h2_client_free(&client);
}

static void on_one(void *arg, int err, const struct h2_response *r)
{
	int *n = arg;

	(void)err;
	(void)r;
	if (++*n == 1)
		loop_defer(loop, &last);
}

Test(h2_ends, free_from_a_reap_task)
{
	int n = 0;

	task_init(&last, LOOP_REAP, on_last, NULL);
	for (int i = 0; i < 20; i++)
		h2_client_send(client, &(struct h2_request){ .method = "POST",
			.path = "/ok", .timeout_ms = TIMEOUT_MS }, on_one, &n);
	WAIT_FOR(loop, n == 20);
	cr_expect_null(client);
}

Test(h2_ends, ping_not_answered)
{
	client_to("localhost", "h2", 1, 3000, 200);
	warm_up();
	tell("stall");
	WAIT_FOR(loop, logged("lost host=localhost") == 1);
	cr_expect_eq(logged("reason=\"PING was not answered within 3000 ms\""), 1);
	tell("flow");
	warm_up();
	cr_expect_eq(tell("count connections"), 2);
}

/* A line for each change: not for each of the requests that it ended. */
Test(h2_ends, log_of_a_cut)
{
	warm_up();
	requests(50, "/held");
	WAIT_FOR(loop, tell("count requests") == 51);
	tell("drop");
	answers();
	request("/ok");
	answers();
	cr_expect_eq(got.status, 200);
	cr_expect_eq(logged("connection lost host=localhost"), 1);
	cr_expect_eq(logged("reason=\"Connection reset by peer\""), 1);
	cr_expect_eq(logged("connected"), 2);
	cr_expect_eq(logged("h2 test: "), 3);
}

/* One after another that is of no use: one line says why, and one when it is over. */
static void expect_told_once(const char *why)
{
	WAIT_FOR(loop, tell("count connections") >= 4);
	tell("limit 100 100");
	tell("leave no");
	answers_at_last();
	cr_expect_eq(got.status, 200);
	cr_expect_geq(logged(why), 1);
	cr_expect_leq(logged(why), 1 + logged("cannot connect"));
	cr_expect_eq(logged("connected"), 1);
	cr_expect_eq(logged("answers again"), 1);
	cr_expect_eq(logged("connection closed"), 0);
}

Test(h2_ends, log_of_one_that_goes_away_at_once)
{
	tell("leave greeting");
	request_with("/ok", SLICE("{}"), 40000);
	expect_told_once("GOAWAY NO_ERROR: {'reason':'Shutdown'}");
}

Test(h2_ends, log_of_one_that_allows_no_requests)
{
	client_to("localhost", "h2", 1, 1000, PING_MS);
	tell("limit 0 0");
	request_with("/ok", SLICE("{}"), 40000);
	expect_told_once("it allows no requests");
}

/* Neither headers nor bodies. */
Test(h2_ends, no_token_in_the_log)
{
	log_configure(LOG_LVL_DEBUG);
	warm_up();
	requests(3, "/held");
	WAIT_FOR(loop, tell("count requests") == 4);
	tell("goaway 1");
	WAIT_FOR(loop, logged("GOAWAY NO_ERROR: {'reason':'Shutdown'}") == 1);
	tell("drop");
	WAIT_FOR(loop, logged("reset by peer") > 0);
	cr_expect_eq(logged("0123456789"), 0);
	cr_expect_eq(logged("held"), 0);
}
