#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "common/base/buf.h"
#include "worker/transport/request.h"

#define KNOWN "AAABknownknownknownk"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define V13 "Sec-WebSocket-Version: 13\r\n"
#define UPGRADE "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
#define WS UPGRADE V13 KEY
#define ENGINE "/socket.io/?EIO=4&transport=websocket"

static bool sid_known(void *arg, struct slice sid)
{
	(void)arg;
	return sid.n == strlen(KNOWN) && memcmp(sid.p, KNOWN, sid.n) == 0;
}

static const struct {
	const char *request;	/* method and target */
	const char *fields;
	unsigned status;	/* 0: becomes a WebSocket */
	const char *type;
	const char *body;
} table[] = {
	{ "GET " ENGINE, WS, 0, NULL, NULL },
	{ "GET /socket.io/?transport=websocket&t=x&EIO=4&b64=1", WS, 0, NULL, NULL },
	{ "GET /socket.io/zzz?EIO=4&transport=websocket", WS, 0, NULL, NULL },
	{ "GET " ENGINE "&sid=", WS, 0, NULL, NULL },
	{ "GET " ENGINE, "Connection: UPGRADE\r\nUpgrade: WebSocket\r\n" V13 KEY,
	  0, NULL, NULL },
	{ "GET " ENGINE, WS "Content-Length: 0\r\n", 0, NULL, NULL },
	/* the order of checks */
	{ "POST /socket.io/?sid=x", "", 400, "application/json",
	  "{\"code\":0,\"message\":\"Transport unknown\"}" },
	{ "GET /socket.io/?EIO=4&transport=abc", "", 400, "application/json",
	  "{\"code\":0,\"message\":\"Transport unknown\"}" },
	{ "GET /socket.io/?EIO=4&transport=polling", "", 400, "application/json",
	  "{\"code\":0,\"message\":\"Transport unknown\"}" },
	{ "GET /socket.io/", WS, 400, "text/html", "Transport unknown" },
	{ "GET " ENGINE "&sid=AAAA", "", 400, "application/json",
	  "{\"code\":1,\"message\":\"Session ID unknown\"}" },
	{ "GET " ENGINE "&sid=AAAA", WS, 400, "text/html", "Session ID unknown" },
	{ "POST " ENGINE "&sid=AAAA", "", 400, "application/json",
	  "{\"code\":1,\"message\":\"Session ID unknown\"}" },
	{ "GET " ENGINE "&sid=" KNOWN, WS, 400, "text/html", "Bad request" },
	{ "GET " ENGINE "&sid=" KNOWN, "", 400, "application/json",
	  "{\"code\":3,\"message\":\"Bad request\"}" },
	{ "POST " ENGINE, "", 400, "application/json",
	  "{\"code\":2,\"message\":\"Bad handshake method\"}" },
	{ "HEAD " ENGINE, "", 400, "application/json",
	  "{\"code\":2,\"message\":\"Bad handshake method\"}" },
	{ "OPTIONS " ENGINE, WS, 400, "text/html", "Bad handshake method" },
	{ "GET " ENGINE, "", 400, "application/json",
	  "{\"code\":3,\"message\":\"Bad request\"}" },
	{ "GET " ENGINE, "Upgrade: websocket\r\n" V13 KEY, 400, "application/json",
	  "{\"code\":3,\"message\":\"Bad request\"}" },
	{ "GET " ENGINE, "Connection: Upgrade\r\nUpgrade: h2c\r\n" V13 KEY, 400,
	  "application/json", "{\"code\":3,\"message\":\"Bad request\"}" },
	{ "GET /socket.io/?EIO=3&transport=websocket", WS, 400, "text/html",
	  "Unsupported protocol version" },
	{ "GET /socket.io/?transport=websocket", WS, 400, "text/html",
	  "Unsupported protocol version" },
	{ "GET /socket.io/?EIO=3&transport=websocket", "", 400, "application/json",
	  "{\"code\":3,\"message\":\"Bad request\"}" },
	/* the WebSocket's own */
	{ "GET " ENGINE, UPGRADE KEY, 400, "text/html", "Bad request" },
	{ "GET " ENGINE, UPGRADE KEY "Sec-WebSocket-Version: 8\r\n", 400,
	  "text/html", "Bad request" },
	{ "GET " ENGINE, UPGRADE V13, 400, "text/html", "Bad request" },
	{ "GET " ENGINE, UPGRADE V13 KEY KEY, 400, "text/html", "Bad request" },
	{ "GET " ENGINE, UPGRADE V13 "Sec-WebSocket-Key: short==\r\n", 400,
	  "text/html", "Bad request" },
	{ "GET " ENGINE, UPGRADE V13
	  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=!\r\n", 400,
	  "text/html", "Bad request" },
	{ "GET " ENGINE, UPGRADE V13
	  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j.Q==\r\n", 400,
	  "text/html", "Bad request" },
	{ "GET " ENGINE, WS "Content-Length: 5\r\n", 400, "text/html",
	  "Bad request" },
	{ "GET " ENGINE, WS "Transfer-Encoding: chunked\r\n", 400, "text/html",
	  "Bad request" },
	/* everything else */
	{ "GET /healthz", "", 200, "text/plain; charset=UTF-8", "ok" },
	{ "GET /healthz?x=1", "", 200, "text/plain; charset=UTF-8", "ok" },
	{ "POST /healthz", "", 405, "text/plain; charset=UTF-8",
	  "Method not allowed\n" },
	{ "GET /socket.io?EIO=4&transport=websocket", WS, 404,
	  "text/plain; charset=UTF-8", "Not found\n" },
	{ "GET /", "", 404, "text/plain; charset=UTF-8", "Not found\n" },
	{ "GET /socket.iox/", WS, 404, "text/plain; charset=UTF-8",
	  "Not found\n" },
};

Test(request, verdicts)
{
	struct request_env env = { sid_known, NULL };

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct buf text = { 0 };
		struct http_head h;
		struct request_verdict v;

		buf_printf(&text, "%s HTTP/1.1\r\nHost: x\r\n%s\r\n",
			   table[i].request, table[i].fields);
		cr_assert_eq(http_head_parse(text.p, text.len, &h),
			     (long)text.len, "%s", table[i].request);
		v = request_judge(&h, &env);
		if (table[i].status == 0) {
			cr_assert_eq(v.action, REQUEST_WEBSOCKET, "%s %s",
				     table[i].request, table[i].fields);
			cr_assert_eq(v.key.n, 24);
			cr_assert_eq(memcmp(v.key.p, "dGhlIHNhbXBsZSBub25jZQ==",
					    24), 0);
		} else {
			cr_assert_eq(v.action, REQUEST_ANSWER, "%s %s",
				     table[i].request, table[i].fields);
			cr_assert_eq(v.status, table[i].status, "%s %s",
				     table[i].request, table[i].fields);
			cr_assert_str_eq(v.type, table[i].type);
			cr_assert_str_eq(v.body, table[i].body);
		}
		buf_free(&text);
	}
}

Test(request, version_is_named_when_it_is_wrong)
{
	static const char text[] = "GET " ENGINE " HTTP/1.1\r\nHost: x\r\n"
				   UPGRADE KEY "\r\n";
	struct request_env env = { sid_known, NULL };
	struct http_head h;

	cr_assert_gt(http_head_parse(text, sizeof(text) - 1, &h), 0);
	cr_assert_str_eq(request_judge(&h, &env).fields,
			 "Sec-WebSocket-Version: 13\r\n");
}

Test(request, old_http_cannot_switch)
{
	static const char text[] = "GET " ENGINE " HTTP/1.0\r\nHost: x\r\n"
				   WS "\r\n";
	struct request_env env = { sid_known, NULL };
	struct http_head h;

	cr_assert_gt(http_head_parse(text, sizeof(text) - 1, &h), 0);
	cr_assert_eq(request_judge(&h, &env).status, 400);
}

Test(request, unreadable)
{
	cr_assert_eq(request_unreadable(-EBADMSG).status, 400);
	cr_assert_eq(request_unreadable(-E2BIG).status, 431);
	cr_assert_str_eq(request_reason(431), "Request Header Fields Too Large");
	cr_assert_str_eq(request_reason(999), "Error");
}
