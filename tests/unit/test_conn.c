/* HTTP/1.1 connections over loopback: requests, bodies, times. */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/clock.h"
#include "common/ipc/stats.h"
#include "tests/unit/wire.h"

#define MISSING "GET /missing HTTP/1.1\r\nHost: x\r\n\r\n"

static const struct wire_conf defaults;

/* --- one request after the other --- */

Test(conn, stays)
{
	struct client c;

	wire_start(&defaults);
	c = dial();
	for (int i = 0; i < 3; i++) {
		say_text(&c, HEALTH);
		expect_answer(&c, 200, "ok");
		say_text(&c, MISSING);
		expect_answer(&c, 404, "Not found\n");
	}
	cr_assert_eq(stats_get(STAT_http_requests), 6);
	cr_assert_eq(stats_get(STAT_http_refused), 3);
	hang_up(&c);
	WAIT_FOR(wire.conns.count == 0);
	wire_finish();
}

Test(conn, stays_or_closes)
{
	static const struct {
		const char *request;
		bool closes;
		const char *says;
	} table[] = {
		{ "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		  true, "Connection: close\r\n" },
		{ "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: a, CLOSE\r\n"
		  "\r\n", true, "Connection: close\r\n" },
		{ "GET /healthz HTTP/1.0\r\n\r\n", true, "Connection: close\r\n" },
		{ "GET /healthz HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
		  false, "Connection: keep-alive\r\n" },
		{ "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: x\r\n\r\n",
		  false, NULL },
		/* a body that nobody wants */
		{ "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n", true,
		  "Connection: close\r\n" },
		{ "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
		  false, NULL },
		/* one that is there already */
		{ "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx",
		  false, NULL },
		{ "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
		  "\r\n1\r\nx\r\n0\r\n\r\n", false, NULL },
		{ "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
		  "\r\nx\r\n", true, "Connection: close\r\n" },
		/* refused */
		{ "GET /socket.io/?EIO=3&transport=polling HTTP/1.1\r\nHost: x\r\n"
		  "\r\n", false, NULL },
		{ "GET /socket.io/?EIO=3&transport=websocket HTTP/1.1\r\nHost: x\r\n"
		  "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", true,
		  "Connection: close\r\n" },
	};

	wire_start(&defaults);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const char *head, *body;
		struct client c = dial();

		say_text(&c, table[i].request);
		cr_assert_gt(answer(&c, &head, &body), 0);
		if (table[i].says != NULL)
			cr_assert_not_null(strstr(head, table[i].says), "%s",
					   table[i].request);
		else
			cr_assert_null(strstr(head, "Connection:"));
		if (table[i].closes)
			expect_eof(&c);
		else
			expect_silence(&c);
		hang_up(&c);
	}
	wire_finish();
}

Test(conn, pipelined)
{
	enum { COUNT = 400 };	/* more than one turn's, and one read's */
	struct buf b = { 0 };
	struct client c;

	wire_start(&defaults);
	c = dial();
	for (int i = 0; i < COUNT; i++)
		buf_printf(&b, "GET /%s?%0*d HTTP/1.1\r\nHost: x\r\n\r\n",
			   i % 2 ? "healthz" : "missing", i % 97 + 1, i);
	say(&c, b.p, b.len);
	for (int i = 0; i < COUNT; i++)
		expect_answer(&c, i % 2 ? 200 : 404, NULL);
	expect_silence(&c);
	buf_free(&b);
	hang_up(&c);
	wire_finish();
}

/* The next request is looked at when the one before it is answered. */
Test(conn, pipelined_behind_one_that_waits)
{
	struct client c;
	struct buf b = { 0 };
	const char *sid;

	wire_start(&defaults);
	c = dial();
	sid = handshake(&c);
	say_poll(&c, sid);
	buf_adds(&b, HEALTH);
	buf_adds(&b, post_head(sid, "Content-Length: 6\r\n"));
	buf_adds(&b, "4hello");
	buf_adds(&b, MISSING);
	say(&c, b.p, b.len);
	expect_silence(&c);
	eio_session_send(echoed.latest, SLICE("4x"), false);
	expect_answer(&c, 200, "4x");
	expect_answer(&c, 200, "ok");	/* /healthz */
	expect_answer(&c, 200, "ok");
	expect_answer(&c, 404, NULL);
	say_poll(&c, sid);
	expect_answer(&c, 200, "4hello");
	buf_free(&b);
	hang_up(&c);
	wire_finish();
}

/* A whole conversation, cut anywhere. */
Test(conn, every_split)
{
	struct buf b = { 0 };
	struct client c;
	const char *sid;

	wire_start(&defaults);
	c = dial();
	sid = handshake(&c);
	buf_adds(&b, post_head(sid, "Transfer-Encoding: chunked\r\n"));
	buf_adds(&b, "3\r\n4he\r\n3;a=b\r\nllo\r\n0\r\nA: b\r\n\r\n");
	buf_adds(&b, post_head(sid, "Content-Length: 6\r\n"));
	buf_adds(&b, "4again");
	buf_printf(&b, "GET /socket.io/?EIO=4&transport=polling&sid=%s "
		       "HTTP/1.1\r\nHost: x\r\n\r\n", sid);
	for (size_t cut = 1; cut < b.len; cut++) {
		say(&c, b.p, cut);
		run_turn(wire.loop);
		run_turn(wire.loop);
		say(&c, b.p + cut, b.len - cut);
		expect_answer(&c, 200, "ok");
		expect_answer(&c, 200, "ok");
		expect_answer(&c, 200, "4hello\x1e" "4again");
	}
	for (size_t i = 0; i < b.len; i++) {
		say(&c, b.p + i, 1);
		run_turn(wire.loop);
	}
	expect_answer(&c, 200, "ok");
	expect_answer(&c, 200, "ok");
	expect_answer(&c, 200, "4hello\x1e" "4again");
	buf_free(&b);
	hang_up(&c);
	wire_finish();
}

Test(conn, head_has_no_body)
{
	const char *head, *body;
	struct client c;

	wire_start(&defaults);
	c = dial();
	say_text(&c, "HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
	WAIT_FOR((pull(&c), c.in.len > 4));
	cr_assert_not_null(strstr(buf_str(&c.in), "Content-Length: 2\r\n"));
	cr_assert_eq(memcmp(c.in.p + c.in.len - 4, "\r\n\r\n", 4), 0);
	buf_clear(&c.in);
	say_text(&c, HEALTH);
	cr_assert_eq(answer(&c, &head, &body), 200);
	hang_up(&c);
	wire_finish();
}

/* --- what must not be taken for a second request --- */

Test(conn, smuggling)
{
	static const char *const requests[] = {
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
		"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
		"Content-Length: 0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
		"Content-Length: 0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0,0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
		"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, x\r\n"
		"\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0b" "chunked"
		"\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n"
		"\r\n0\r\n\r\n",
		"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\n A: b\r\n\r\n",
		"GET / HTTP/1.1\nHost: x\n\n",
		"GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
		"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
		"GET /\r\n\r\n",
		"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
	};

	wire_start(&defaults);
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		const char *head, *body;
		struct buf b = { 0 };
		struct client c = dial();

		buf_adds(&b, HEALTH);
		buf_adds(&b, requests[i]);
		buf_adds(&b, HEALTH HEALTH);
		say(&c, b.p, b.len);
		expect_answer(&c, 200, "ok");
		cr_assert_eq(answer(&c, &head, &body), 400, "%s", requests[i]);
		cr_assert_not_null(strstr(head, "Connection: close\r\n"));
		expect_eof(&c);
		buf_free(&b);
		hang_up(&c);
	}
	wire_finish();
}

/* Framing that breaks within the body of a session's POST ends both. */
Test(conn, bad_chunks)
{
	static const char *const bodies[] = {
		"x\r\n", "3\n4he\r\n0\r\n\r\n", "3\r\n4hello\r\n0\r\n\r\n",
		"0003 \r\n4he\r\n0\r\n\r\n", "000000003\r\n4he\r\n0\r\n\r\n",
		"3\r\n4he\r\n0\r\n\n", "3\r\n4he\r\n0\r\n A: b\r\n\r\n", "\r\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		struct client c;

		wire_start(&defaults);
		echoed.closes = 0;
		c = dial();
		say_text(&c, post_head(handshake(&c),
				       "Transfer-Encoding: chunked\r\n"));
		say_text(&c, bodies[i]);
		say_text(&c, HEALTH);
		expect_answer(&c, 400, NULL);
		expect_eof(&c);
		WAIT_FOR(echoed.closes == 1);
		cr_assert_eq(echoed.got.len, 0);
		hang_up(&c);
		wire_finish();
	}
}

Test(conn, codings_we_do_not_have)
{
	struct client c;

	wire_start(&defaults);
	c = dial();
	say_text(&c, "POST / HTTP/1.1\r\nHost: x\r\n"
		     "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" HEALTH);
	expect_answer(&c, 501, NULL);
	expect_eof(&c);
	hang_up(&c);
	wire_finish();
}

/* --- Expect --- */

Test(conn, expectations)
{
	struct client c;
	const char *sid;

	wire_start(&defaults);
	c = dial();
	sid = handshake(&c);
	say_text(&c, post_head(sid, "Expect: 100-continue\r\n"
				    "Content-Length: 6\r\n"));
	expect_answer(&c, 100, "");
	expect_silence(&c);
	say_text(&c, "4hello");
	expect_answer(&c, 200, "ok");
	/* the body comes along: no need to ask */
	say_text(&c, post_head(sid, "Expect: 100-continue\r\n"
				    "Content-Length: 6\r\n"));
	say_text(&c, "4again");
	WAIT_FOR((pull(&c), c.in.len > 20));
	if (memcmp(c.in.p, "HTTP/1.1 100", 12) == 0)	/* two reads */
		expect_answer(&c, 100, "");
	expect_answer(&c, 200, "ok");
	/* nothing to continue with */
	say_text(&c, post_head(sid, "Expect: 100-continue\r\n"));
	expect_answer(&c, 200, "ok");
	hang_up(&c);
	wire_finish();
}

Test(conn, expectations_refused)
{
	static const struct {
		const char *more;
		bool known;
		unsigned status;
	} table[] = {
		{ "Expect: 100-continue\r\nContent-Length: 6\r\n", false, 400 },
		{ "Expect: 100-continue\r\nContent-Length: 100001\r\n", true, 413 },
		{ "Expect: miracles\r\nContent-Length: 6\r\n", true, 417 },
	};

	wire_start(&defaults);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct client c = dial();
		const char *sid = handshake(&c);

		say_text(&c, post_head(table[i].known ? sid : "nobody",
				       table[i].more));
		expect_answer(&c, table[i].status, NULL);
		expect_eof(&c);
		hang_up(&c);
	}
	cr_assert_eq(echoed.closes, 0);
	wire_finish();
}

/* --- times --- */

/* Each answer begins it anew. When the last one was asked for; 0: its end came
 * before that, for we stood still. */
static int64_t keep_alive(struct client *c)
{
	const char *head, *body;
	int64_t at = clock_mono_ms();

	for (int i = 0; i < 3; i++) {
		int64_t before = at;

		at = clock_mono_ms();
		say_text(c, HEALTH);
		if (answer(c, &head, &body) == 0) {
			cr_assert_geq(clock_mono_ms() - before, 60);
			return 0;
		}
		cr_assert_str_eq(body, "ok");
		if (i < 2)
			run_for(wire.loop, 40);
	}
	return at;
}

Test(conn, idle)
{
	struct wire_conf conf = { .idle = 60 };
	struct client c;
	int64_t at;

	wire_start(&conf);
	c = dial();
	while ((at = keep_alive(&c)) == 0) {
		hang_up(&c);
		c = dial();
	}
	expect_eof(&c);
	cr_assert_geq(clock_mono_ms() - at, 60);
	cr_assert_eq(stats_get(STAT_http_timeouts), 0);
	hang_up(&c);
	wire_finish();
}

/* Those that are there, and whoever comes. */
Test(conn, another_configuration)
{
	static const char page[] = "GET /socket.io/?EIO=4&transport=polling "
		"HTTP/1.1\r\nHost: x\r\nOrigin: https://a.example\r\n\r\n";
	struct listener_conf lc = {
		.head_timeout_ms = 60000, .body_timeout_ms = 60000,
		.keepalive_timeout_ms = 50,
		.allowed_origins = "https://a.example",
		.connect_rate = { 10000000, 0 },
		.trusted_proxies = "127.0.0.1",
	};
	struct client idle, c;
	const char *head, *body;

	wire_start(&defaults);
	idle = dial();
	c = dial();
	say_text(&idle, HEALTH);
	expect_answer(&idle, 200, "ok");
	say_text(&c, page);
	cr_assert_eq(answer(&c, &head, &body), 200);
	cr_assert_null(strstr(head, "Access-Control-Allow-Origin"));
	hang_up(&c);
	conns_set_conf(&wire.conns, &lc);
	expect_eof(&idle);
	hang_up(&idle);
	c = dial();
	say_text(&c, page);
	cr_assert_eq(answer(&c, &head, &body), 200);
	cr_assert_not_null(strstr(head, "Access-Control-Allow-Origin: "
					"https://a.example\r\n"));
	hang_up(&c);
	wire_finish();
}

/* A byte now and then buys no time. */
Test(conn, slow_head)
{
	struct wire_conf conf = { .head = 80 };
	struct client c;
	int64_t at;

	wire_start(&conf);
	c = dial();
	say_text(&c, HEALTH);
	expect_answer(&c, 200, "ok");
	at = clock_mono_ms();
	say_text(&c, "GET / HTTP/1.1\r\nHost: x\r\n");
	while (c.in.len == 0) {
		say_text(&c, "A: b\r\n");
		run_for(wire.loop, 5);
		pull(&c);
		cr_assert_lt(clock_mono_ms() - at, 60000);
	}
	expect_answer(&c, 408, NULL);
	expect_eof(&c);
	cr_assert_geq(clock_mono_ms() - at, 80);
	cr_assert_eq(stats_get(STAT_http_timeouts), 1);
	hang_up(&c);
	wire_finish();
}

/* What the request before it was does not matter. */
Test(conn, slow_head_behind_a_head)
{
	struct wire_conf conf = { .head = 40 };
	const char *end;
	struct client c;

	wire_start(&conf);
	c = dial();
	say_text(&c, "HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
	WAIT_FOR((pull(&c), c.in.len > 4));
	end = strstr(buf_str(&c.in), "\r\n\r\n");
	cr_assert_not_null(end);
	buf_clear(&c.in);
	say_text(&c, "GET / HT");
	expect_answer(&c, 408, "Request timeout\n");
	expect_eof(&c);
	hang_up(&c);
	wire_finish();
}

Test(conn, slow_body)
{
	struct wire_conf conf = { .body = 80 };
	struct client c;
	int64_t at;

	wire_start(&conf);
	c = dial();
	say_text(&c, post_head(handshake(&c), "Content-Length: 5000\r\n"));
	at = clock_mono_ms();
	while (c.in.len == 0) {
		say_text(&c, "4");
		run_for(wire.loop, 5);
		pull(&c);
		cr_assert_lt(clock_mono_ms() - at, 60000);
	}
	expect_answer(&c, 408, NULL);
	expect_eof(&c);
	cr_assert_geq(clock_mono_ms() - at, 80);
	cr_assert_eq(stats_get(STAT_http_timeouts), 1);
	WAIT_FOR(echoed.closes == 1);
	hang_up(&c);
	wire_finish();
}

/* A GET that waits has all the time of its session. */
Test(conn, waiting_is_not_slow)
{
	struct wire_conf conf = { .head = 300, .body = 300, .idle = 300 };
	struct client c;
	const char *sid;

	wire_start(&conf);
	c = dial();
	sid = handshake(&c);
	say_poll(&c, sid);
	run_for(wire.loop, 700);
	eio_session_send(echoed.latest, SLICE("4x"), false);
	expect_answer(&c, 200, "4x");
	hang_up(&c);
	wire_finish();
}

/* Memory and time of a head that comes byte by byte. */
Test(conn, head_too_long)
{
	struct client c;

	wire_start(&defaults);
	c = dial();
	say_text(&c, "GET / HTTP/1.1\r\nHost: x\r\nA: ");
	for (int i = 0; i < 16384; i++) {
		say_text(&c, "a");
		if (i % 64 == 0)
			run_turn(wire.loop);
	}
	expect_answer(&c, 431, NULL);
	expect_eof(&c);
	hang_up(&c);
	wire_finish();
}
