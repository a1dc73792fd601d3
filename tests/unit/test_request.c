#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "common/base/buf.h"
#include "worker/transport/request.h"

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define V13 "Sec-WebSocket-Version: 13\r\n"
#define UPGRADE "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
#define WS UPGRADE V13 KEY
#define ENGINE "/socket.io/?EIO=4&transport=websocket"
#define POLLING "/socket.io/?EIO=4&transport=polling"
#define JSON "application/json"
#define HTML "text/html"
#define PLAIN "text/plain; charset=UTF-8"
#define CODE(n, text) "{\"code\":" #n ",\"message\":\"" text "\"}"
#define C0 CODE(0, "Transport unknown")
#define C1 CODE(1, "Session ID unknown")
#define C2 CODE(2, "Bad handshake method")
#define C3 CODE(3, "Bad request")
#define C5 CODE(5, "Unsupported protocol version")

#define TO(action) REQUEST_##action, 0, NULL, ""

/* A sid is the name of its state. */
static enum sid_state find(void *arg, struct slice sid, uint32_t *owner_out)
{
	static const struct {
		const char *sid;
		enum sid_state state;
	} known[] = {
		{ "poll", SID_POLLING }, { "ws", SID_WEBSOCKET },
		{ "leaving", SID_LEAVING }, { "elsewhere", SID_ELSEWHERE },
		{ "unreachable", SID_UNREACHABLE },
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (sid.n != strlen(known[i].sid) ||
		    memcmp(sid.p, known[i].sid, sid.n) != 0)
			continue;
		if (known[i].state == SID_ELSEWHERE)
			*owner_out = 77;
		return known[i].state;
	}
	return SID_UNKNOWN;
}

static const struct request_env env = { "/socket.io/", find, NULL };

static const struct {
	const char *request;	/* method and target */
	const char *fields;
	enum request_action action;
	unsigned status;
	const char *type;
	const char *body;
} table[] = {
	{ "GET " ENGINE, WS, TO(WEBSOCKET) },
	{ "GET /socket.io/?transport=websocket&t=x&EIO=4&b64=1", WS,
	  TO(WEBSOCKET) },
	{ "GET /socket.io/zzz?EIO=4&transport=websocket", WS, TO(WEBSOCKET) },
	{ "GET " ENGINE "&sid=", WS, TO(WEBSOCKET) },
	{ "GET " ENGINE, "Connection: UPGRADE\r\nUpgrade: WebSocket\r\n" V13 KEY,
	  TO(WEBSOCKET) },
	{ "GET " ENGINE, WS "Content-Length: 0\r\n", TO(WEBSOCKET) },
	{ "GET " POLLING, "", TO(OPEN) },
	{ "GET " POLLING "&sid=&b64=1", "", TO(OPEN) },
	{ "GET " POLLING, "Upgrade: h2c\r\nConnection: Upgrade\r\n", TO(OPEN) },
	{ "GET " POLLING, "Content-Length: 000\r\n", TO(OPEN) },
	/* the order of checks */
	{ "POST /socket.io/?sid=x", "", 0, 400, JSON, C0 },
	{ "GET /socket.io/?EIO=4&transport=abc", "", 0, 400, JSON, C0 },
	{ "GET /socket.io/?EIO=4&transport=", "", 0, 400, JSON, C0 },
	{ "GET /socket.io/", WS, 0, 400, HTML, "Transport unknown" },
	{ "GET " ENGINE "&sid=AAAA", "", 0, 400, JSON, C1 },
	{ "GET " ENGINE "&sid=AAAA", WS, 0, 400, HTML, "Session ID unknown" },
	{ "POST " ENGINE "&sid=AAAA", "", 0, 400, JSON, C1 },
	{ "POST " POLLING "&sid=AAAA", "", 0, 400, JSON, C1 },
	{ "PUT /socket.io/?transport=polling&sid=AAAA", "", 0, 400, JSON, C1 },
	{ "POST " ENGINE, "", 0, 400, JSON, C2 },
	{ "HEAD " ENGINE, "", 0, 400, JSON, C2 },
	{ "POST " POLLING, "Content-Length: 3\r\n", 0, 400, JSON, C2 },
	{ "HEAD /socket.io/?EIO=3&transport=polling", "", 0, 400, JSON, C2 },
	{ "OPTIONS " POLLING, "", 0, 400, JSON, C2 },
	{ "OPTIONS " ENGINE, WS, 0, 400, HTML, "Bad handshake method" },
	{ "GET " ENGINE, "", 0, 400, JSON, C3 },
	{ "GET " ENGINE, "Upgrade: websocket\r\n" V13 KEY, 0, 400, JSON, C3 },
	{ "GET " ENGINE, "Connection: Upgrade\r\nUpgrade: h2c\r\n" V13 KEY, 0, 400,
	  JSON, C3 },
	{ "GET " POLLING, WS, 0, 400, HTML, "Bad request" },
	{ "GET /socket.io/?EIO=3&transport=websocket", WS, 0, 400, HTML,
	  "Unsupported protocol version" },
	{ "GET /socket.io/?transport=websocket", WS, 0, 400, HTML,
	  "Unsupported protocol version" },
	{ "GET /socket.io/?EIO=3&transport=websocket", "", 0, 400, JSON, C3 },
	{ "GET /socket.io/?EIO=3&transport=polling", "", 0, 400, JSON, C5 },
	{ "GET /socket.io/?transport=polling", "", 0, 400, JSON, C5 },
	{ "GET /socket.io/?transport=polling&EIO=44", "", 0, 400, JSON, C5 },
	{ "GET " POLLING, "Content-Length: 1\r\n", 0, 400, JSON, C3 },
	{ "GET " POLLING, "Transfer-Encoding: chunked\r\n", 0, 400, JSON, C3 },
	/* a session on polling; its EIO is not looked at */
	{ "GET " POLLING "&sid=poll", "", TO(POLL) },
	{ "GET /socket.io/?transport=polling&sid=poll&EIO=3", "", TO(POLL) },
	{ "GET " POLLING "&sid=poll", "Content-Length: 3\r\n", 0, 400, JSON, C3 },
	{ "POST " POLLING "&sid=poll", "Content-Length: 3\r\n", TO(POST) },
	{ "POST " POLLING "&sid=poll", "Transfer-Encoding: chunked\r\n",
	  TO(POST) },
	{ "POST " POLLING "&sid=poll", "Expect: 100-Continue\r\n", TO(POST) },
	{ "POST " POLLING "&sid=poll", "Expect: more\r\n", 0, 417, PLAIN,
	  "Expectation failed\n" },
	{ "POST " POLLING "&sid=poll",
	  "Content-Type: application/octet-stream\r\nContent-Length: 1\r\n",
	  REQUEST_MISUSE, 400, NULL, "" },
	{ "PUT " POLLING "&sid=poll", "Content-Length: 3\r\n", 0, 500, NULL, "" },
	{ "DELETE " POLLING "&sid=poll", "", 0, 500, NULL, "" },
	{ "HEAD " POLLING "&sid=poll", "", 0, 500, NULL, "" },
	{ "GET " ENGINE "&sid=poll", "", 0, 400, JSON, C3 },
	{ "POST " ENGINE "&sid=poll", "", 0, 400, JSON, C3 },
	{ "GET " ENGINE "&sid=poll", WS, TO(WEBSOCKET) },
	{ "POST " ENGINE "&sid=poll", WS, 0, 400, HTML, "Bad request" },
	{ "GET " POLLING "&sid=poll", WS, 0, 400, HTML, "Bad request" },
	{ "GET " ENGINE "&sid=poll", UPGRADE KEY, 0, 400, HTML, "Bad request" },
	/* on its WebSocket */
	{ "GET " POLLING "&sid=ws", "", 0, 400, JSON, C3 },
	{ "POST " POLLING "&sid=ws", "", 0, 400, JSON, C3 },
	{ "GET " ENGINE "&sid=ws", "", 0, 400, JSON, C3 },
	{ "GET " ENGINE "&sid=ws", WS, TO(WEBSOCKET) },
	{ "GET " POLLING "&sid=ws", WS, 0, 400, HTML, "Bad request" },
	/* closed, and its client does not know */
	{ "GET " POLLING "&sid=leaving", "", TO(LAST) },
	{ "POST " POLLING "&sid=leaving", "Content-Length: 3\r\n", 0, 200, HTML,
	  "ok" },
	{ "HEAD " POLLING "&sid=leaving", "", 0, 400, JSON, C1 },
	{ "GET " ENGINE "&sid=leaving", WS, 0, 400, HTML, "Session ID unknown" },
	/* another worker's, whatever it is */
	{ "GET " POLLING "&sid=elsewhere", "", TO(ELSEWHERE) },
	{ "POST " POLLING "&sid=elsewhere", "", TO(ELSEWHERE) },
	{ "PUT " ENGINE "&sid=elsewhere", "", TO(ELSEWHERE) },
	{ "GET " ENGINE "&sid=elsewhere", UPGRADE, TO(ELSEWHERE) },
	{ "GET " POLLING "&sid=unreachable", "", 0, 503, PLAIN, "Try again\n" },
	/* the WebSocket's own */
	{ "GET " ENGINE, UPGRADE KEY, 0, 400, HTML, "Bad request" },
	{ "GET " ENGINE, UPGRADE KEY "Sec-WebSocket-Version: 8\r\n", 0, 400,
	  HTML, "Bad request" },
	{ "GET " ENGINE, UPGRADE V13, 0, 400, HTML, "Bad request" },
	{ "GET " ENGINE, UPGRADE V13 KEY KEY, 0, 400, HTML, "Bad request" },
	{ "GET " ENGINE, UPGRADE V13 "Sec-WebSocket-Key: short==\r\n", 0, 400,
	  HTML, "Bad request" },
	{ "GET " ENGINE, UPGRADE V13
	  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=!\r\n", 0, 400,
	  HTML, "Bad request" },
	{ "GET " ENGINE, UPGRADE V13
	  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j.Q==\r\n", 0, 400,
	  HTML, "Bad request" },
	{ "GET " ENGINE, WS "Content-Length: 5\r\n", 0, 400, HTML,
	  "Bad request" },
	{ "GET " ENGINE, WS "Transfer-Encoding: chunked\r\n", 0, 400, HTML,
	  "Bad request" },
	/* everything else */
	{ "GET /healthz", "", 0, 200, PLAIN, "ok" },
	{ "HEAD /healthz", "", 0, 200, PLAIN, "ok" },
	{ "GET /healthz?x=1", "", 0, 200, PLAIN, "ok" },
	{ "POST /healthz", "", 0, 405, PLAIN,
	  "Method not allowed\n" },
	{ "GET /socket.io?EIO=4&transport=websocket", WS, 0, 404,
	  PLAIN, "Not found\n" },
	{ "GET /socket.io?EIO=4&transport=polling", "", 0, 404, PLAIN,
	  "Not found\n" },
	{ "GET /", "", 0, 404, PLAIN, "Not found\n" },
	{ "GET /socket.iox/", WS, 0, 404, PLAIN,
	  "Not found\n" },
};

static void parse(struct buf *text, const char *request, const char *fields,
		  struct http_head *out)
{
	buf_clear(text);
	buf_printf(text, "%s HTTP/1.1\r\nHost: x\r\n%s\r\n", request, fields);
	cr_assert_eq(http_head_parse(text->p, text->len, out), (long)text->len,
		     "%s", request);
}

static void check(size_t i, const struct request_verdict *v)
{
	const struct response *r = &v->answer;

	cr_assert_eq(v->action, table[i].action, "%s %s: %d", table[i].request,
		     table[i].fields, (int)v->action);
	if (v->action == REQUEST_WEBSOCKET) {
		cr_assert_eq(v->key.n, 24);
		cr_assert_eq(memcmp(v->key.p, "dGhlIHNhbXBsZSBub25jZQ==", 24),
			     0);
	}
	if (v->action == REQUEST_ELSEWHERE)
		cr_assert_eq(v->owner, 77);
	if (v->action != REQUEST_ANSWER && v->action != REQUEST_MISUSE)
		return;
	cr_assert_eq(r->status, table[i].status, "%s %s: %u", table[i].request,
		     table[i].fields, r->status);
	cr_assert_eq(r->body.n, strlen(table[i].body), "%s %s",
		     table[i].request, table[i].fields);
	cr_assert_eq(memcmp(r->body.p != NULL ? r->body.p : "", table[i].body,
			    r->body.n), 0, "%s %s", table[i].request,
		     table[i].fields);
	if (table[i].type != NULL)
		cr_assert_str_eq(r->type, table[i].type);
	else
		cr_assert_null(r->type);
}

Test(request, verdicts)
{
	struct buf text = { 0 };
	struct http_head h;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct request_verdict v;

		parse(&text, table[i].request, table[i].fields, &h);
		v = request_judge(&h, &env);
		check(i, &v);
	}
	buf_free(&text);
}

Test(request, sid_is_handed_on)
{
	static const char *const requests[] = {
		"GET " POLLING "&sid=poll", "POST " POLLING "&sid=poll",
		"GET " POLLING "&sid=leaving", "GET " ENGINE "&sid=poll",
	};
	struct buf text = { 0 };
	struct http_head h;

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		struct request_verdict v;

		parse(&text, requests[i], i == 3 ? WS : "", &h);
		v = request_judge(&h, &env);
		cr_assert_eq(memcmp(v.sid.p, i == 2 ? "leaving" : "poll",
				    v.sid.n), 0, "%s", requests[i]);
		cr_assert_gt(v.sid.n, 0);
	}
	buf_free(&text);
}

Test(request, another_path)
{
	struct request_env own = { "/engine.io/", find, NULL };
	struct buf text = { 0 };
	struct http_head h;

	parse(&text, "GET /engine.io/?EIO=4&transport=polling", "", &h);
	cr_assert_eq(request_judge(&h, &own).action, REQUEST_OPEN);
	cr_assert_eq(request_judge(&h, &env).answer.status, 404);
	parse(&text, "GET " POLLING, "", &h);
	cr_assert_eq(request_judge(&h, &own).answer.status, 404);
	buf_free(&text);
}

Test(request, version_is_named_when_it_is_wrong)
{
	struct buf text = { 0 };
	struct http_head h;

	parse(&text, "GET " ENGINE, UPGRADE KEY, &h);
	cr_assert_str_eq(request_judge(&h, &env).answer.fields,
			 "Sec-WebSocket-Version: 13\r\n");
	buf_free(&text);
}

Test(request, old_http)
{
	static const char upgrade[] = "GET " ENGINE " HTTP/1.0\r\nHost: x\r\n"
				      WS "\r\n";
	static const char expect[] = "GET /healthz HTTP/1.0\r\n"
				     "Expect: more\r\n\r\n";
	struct http_head h;

	cr_assert_gt(http_head_parse(upgrade, sizeof(upgrade) - 1, &h), 0);
	cr_assert_eq(request_judge(&h, &env).answer.status, 400);
	cr_assert_gt(http_head_parse(expect, sizeof(expect) - 1, &h), 0);
	cr_assert_eq(request_judge(&h, &env).answer.status, 200);
}

Test(request, unreadable)
{
	cr_assert_eq(request_unreadable(-EBADMSG).status, 400);
	cr_assert_eq(request_unreadable(-E2BIG).status, 431);
	cr_assert_str_eq(response_reason(431), "Request Header Fields Too Large");
	cr_assert_str_eq(response_reason(999), "Error");
}

Test(response, heads)
{
	struct response r = response_text(200, "hello");
	struct buf b = { 0 };

	response_head(&b, &r, RESPONSE_CLOSE, (struct slice){ 0 });
	cr_assert_not_null(strstr(buf_str(&b), "HTTP/1.1 200 OK\r\nDate: "));
	cr_assert_not_null(strstr(buf_str(&b), " GMT\r\nConnection: close\r\n"
			"Content-Type: text/plain; charset=UTF-8\r\n"
			"Content-Length: 5\r\n\r\n"));
	buf_clear(&b);
	r.fields = "A: b\r\n";
	response_head(&b, &r, RESPONSE_KEEP, SLICE("C: d\r\n"));
	cr_assert_null(strstr(buf_str(&b), "Connection:"));
	cr_assert_not_null(strstr(buf_str(&b), "5\r\nA: b\r\nC: d\r\n\r\n"));
	buf_clear(&b);
	response_head(&b, &(struct response){ .status = 204 }, RESPONSE_KEEP_SAY,
		      (struct slice){ 0 });
	cr_assert_not_null(strstr(buf_str(&b), "Connection: keep-alive\r\n\r\n"));
	cr_assert_null(strstr(buf_str(&b), "Content-"));
	buf_free(&b);
}
