#include "worker/transport/request.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "worker/transport/ws.h"

enum eio_error {
	EIO_TRANSPORT_UNKNOWN, EIO_SID_UNKNOWN, EIO_BAD_METHOD,
	EIO_BAD_REQUEST, EIO_FORBIDDEN, EIO_BAD_VERSION,
};

static const struct {
	const char *json;
	const char *text;
} eio_errors[] = {
	[EIO_TRANSPORT_UNKNOWN] = {
		"{\"code\":0,\"message\":\"Transport unknown\"}",
		"Transport unknown" },
	[EIO_SID_UNKNOWN] = {
		"{\"code\":1,\"message\":\"Session ID unknown\"}",
		"Session ID unknown" },
	[EIO_BAD_METHOD] = {
		"{\"code\":2,\"message\":\"Bad handshake method\"}",
		"Bad handshake method" },
	[EIO_BAD_REQUEST] = {
		"{\"code\":3,\"message\":\"Bad request\"}",
		"Bad request" },
	[EIO_FORBIDDEN] = {
		"{\"code\":4,\"message\":\"Forbidden\"}",
		"Forbidden" },
	[EIO_BAD_VERSION] = {
		"{\"code\":5,\"message\":\"Unsupported protocol version\"}",
		"Unsupported protocol version" },
};

static bool equals(struct slice s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

static struct request_verdict answer(unsigned status, const char *body)
{
	return (struct request_verdict){
		.action = REQUEST_ANSWER, .answer = response_text(status, body),
	};
}

struct response request_unreadable(long err)
{
	return err == -E2BIG ? response_text(431, "Request head too large\n")
			     : response_text(400, "Bad request\n");
}

/* On an upgrade request the client's library shows the text only. */
static struct request_verdict refuse(enum eio_error e, bool upgrade)
{
	unsigned status = e == EIO_FORBIDDEN ? 403 : 400;
	struct request_verdict v = answer(status, upgrade ? eio_errors[e].text
						       : eio_errors[e].json);

	v.answer.type = upgrade ? "text/html" : "application/json";
	return v;
}

struct response request_bad(void)
{
	return refuse(EIO_BAD_REQUEST, false).answer;
}

struct response request_foreign(void)
{
	return refuse(EIO_FORBIDDEN, true).answer;
}

/* Base64 of 16 bytes: 22 digits and "==". */
static bool key_ok(struct slice key)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"abcdefghijklmnopqrstuvwxyz0123456789+/";

	if (key.n != WS_KEY_LEN || memcmp(key.p + 22, "==", 2) != 0)
		return false;
	for (size_t i = 0; i < 22; i++) {
		if (key.p[i] == '\0' || strchr(digits, key.p[i]) == NULL)
			return false;
	}
	return true;
}

bool request_has_body(const struct http_head *h)
{
	struct slice length = http_head_field(h, "Content-Length", NULL);
	struct slice coding = http_head_field(h, "Transfer-Encoding", NULL);
	size_t zeros = 0;

	while (zeros < length.n && length.p[zeros] == '0')
		zeros++;
	return coding.p != NULL || zeros != length.n;
}

/* RFC 6455 4.2.1. A body behind the request could be taken for frames. */
static struct request_verdict judge_websocket(const struct http_head *h,
					      struct slice sid)
{
	struct slice version = http_head_field(h, "Sec-WebSocket-Version", NULL);
	size_t keys;
	struct slice key = http_head_field(h, "Sec-WebSocket-Key", &keys);

	if (!equals(version, "13")) {
		struct request_verdict v = refuse(EIO_BAD_REQUEST, true);

		v.answer.fields = "Sec-WebSocket-Version: 13\r\n";
		return v;
	}
	if (keys != 1 || !key_ok(key) || h->minor < 1 || request_has_body(h) ||
	    !equals(h->method, "GET"))
		return refuse(EIO_BAD_REQUEST, true);
	return (struct request_verdict){
		.action = REQUEST_WEBSOCKET, .sid = sid, .key = key,
	};
}

static bool is_octets(const struct http_head *h)
{
	return http_head_list_has(h, "Content-Type", "application/octet-stream");
}

/* A request of a session that is on polling, here. */
static struct request_verdict judge_polling(const struct http_head *h,
					    struct slice sid)
{
	struct request_verdict v = { .sid = sid };

	if (equals(h->method, "GET") && !request_has_body(h)) {
		v.action = REQUEST_POLL;
	} else if (equals(h->method, "GET")) {
		return refuse(EIO_BAD_REQUEST, false);
	} else if (!equals(h->method, "POST")) {
		v.answer.status = 500;
	} else if (is_octets(h)) {
		v.action = REQUEST_MISUSE;
		v.answer.status = 400;
	} else {
		v.action = REQUEST_POST;
	}
	return v;
}

/* Its client does not know yet that it is closed: what it still sends is
 * taken, for its next GET is to tell it why. */
static struct request_verdict judge_leaving(const struct http_head *h,
					    struct slice sid)
{
	struct request_verdict v = answer(200, "ok");

	v.answer.type = "text/html";
	if (equals(h->method, "POST"))
		return v;
	if (!equals(h->method, "GET") || request_has_body(h))
		return refuse(EIO_SID_UNKNOWN, false);
	return (struct request_verdict){ .action = REQUEST_LAST, .sid = sid };
}

static struct request_verdict judge_session(const struct http_head *h,
					    const struct request_env *env,
					    struct slice sid, bool websocket,
					    bool upgrade)
{
	struct request_verdict v = { .action = REQUEST_ELSEWHERE };

	switch (env->find(env->arg, sid, &v.owner)) {
	case SID_ELSEWHERE:
		return v;
	case SID_UNREACHABLE:
		return answer(503, "Try again\n");
	case SID_POLLING:
		if (upgrade && websocket)
			return judge_websocket(h, sid);
		if (upgrade || websocket)
			break;
		return judge_polling(h, sid);
	case SID_WEBSOCKET:
		if (upgrade && websocket)
			return judge_websocket(h, sid);
		break;
	case SID_LEAVING:
		if (!upgrade && !websocket)
			return judge_leaving(h, sid);
		/* fall through */
	case SID_UNKNOWN:
		return refuse(EIO_SID_UNKNOWN, upgrade);
	}
	return refuse(EIO_BAD_REQUEST, upgrade);
}

static struct request_verdict judge_engine(const struct http_head *h,
					   const struct request_env *env)
{
	bool upgrade = http_head_list_has(h, "Connection", "upgrade") &&
		       http_head_list_has(h, "Upgrade", "websocket");
	struct slice transport = http_query_get(h->query, "transport");
	struct slice sid = http_query_get(h->query, "sid");
	bool websocket = equals(transport, "websocket");

	if (!websocket && !equals(transport, "polling"))
		return refuse(EIO_TRANSPORT_UNKNOWN, upgrade);
	if (sid.n != 0)
		return judge_session(h, env, sid, websocket, upgrade);
	if (!equals(h->method, "GET"))
		return refuse(EIO_BAD_METHOD, upgrade);
	if (websocket != upgrade)
		return refuse(EIO_BAD_REQUEST, upgrade);
	if (!equals(http_query_get(h->query, "EIO"), "4"))
		return refuse(EIO_BAD_VERSION, upgrade);
	if (upgrade)
		return judge_websocket(h, sid);
	if (request_has_body(h))
		return refuse(EIO_BAD_REQUEST, false);
	return (struct request_verdict){ .action = REQUEST_OPEN };
}

static struct request_verdict judge_health(const struct http_head *h)
{
	struct request_verdict v;

	if (equals(h->method, "GET") || equals(h->method, "HEAD"))
		return answer(200, "ok");
	v = answer(405, "Method not allowed\n");
	v.answer.fields = "Allow: GET, HEAD\r\n";
	return v;
}

/* RFC 9110 10.1.1; an HTTP/1.0 client's is to be ignored. */
static bool expects_too_much(const struct http_head *h)
{
	struct slice what = http_head_field(h, "Expect", NULL);

	return h->minor > 0 && what.p != NULL &&
	       !http_head_list_has(h, "Expect", "100-continue");
}

bool request_is_engine(const struct http_head *h, const char *path)
{
	size_t prefix = strlen(path);

	return h->path.n >= prefix && memcmp(h->path.p, path, prefix) == 0;
}

struct request_verdict request_judge(const struct http_head *h,
				     const struct request_env *env)
{
	if (expects_too_much(h))
		return answer(417, "Expectation failed\n");
	if (request_is_engine(h, env->path))
		return judge_engine(h, env);
	if (equals(h->path, "/healthz"))
		return judge_health(h);
	return answer(404, "Not found\n");
}
