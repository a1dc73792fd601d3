#include "worker/transport/request.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "worker/transport/ws.h"

#define ENGINE_PATH "/socket.io/"

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

static const struct {
	unsigned status;
	const char *reason;
} reasons[] = {
	{ 200, "OK" },
	{ 400, "Bad Request" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 408, "Request Timeout" },
	{ 431, "Request Header Fields Too Large" },
	{ 503, "Service Unavailable" },
};

const char *request_reason(unsigned status)
{
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		if (reasons[i].status == status)
			return reasons[i].reason;
	}
	return "Error";
}

static bool equals(struct slice s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

struct request_verdict request_answer(unsigned status, const char *body)
{
	return (struct request_verdict){
		.action = REQUEST_ANSWER,
		.status = status,
		.type = "text/plain; charset=UTF-8",
		.fields = "",
		.body = body,
	};
}

struct request_verdict request_unreadable(long err)
{
	return err == -E2BIG ? request_answer(431, "Request head too large\n")
			     : request_answer(400, "Bad request\n");
}

/* On an upgrade request the client's library shows the text only. */
static struct request_verdict eio_refusal(enum eio_error e, bool upgrade)
{
	struct request_verdict v = request_answer(400, eio_errors[e].json);

	v.type = "application/json";
	if (upgrade) {
		v.type = "text/html";
		v.body = eio_errors[e].text;
	}
	return v;
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

/* A body behind an upgrade could be taken for frames. */
static bool has_body(const struct http_head *h)
{
	struct slice length = http_head_field(h, "Content-Length", NULL);
	struct slice coding = http_head_field(h, "Transfer-Encoding", NULL);

	return coding.p != NULL || (length.p != NULL && !equals(length, "0"));
}

/* RFC 6455 4.2.1 */
static struct request_verdict judge_websocket(const struct http_head *h)
{
	struct slice version = http_head_field(h, "Sec-WebSocket-Version", NULL);
	size_t keys;
	struct slice key = http_head_field(h, "Sec-WebSocket-Key", &keys);

	if (!equals(version, "13")) {
		struct request_verdict v = eio_refusal(EIO_BAD_REQUEST, true);

		v.fields = "Sec-WebSocket-Version: 13\r\n";
		return v;
	}
	if (keys != 1 || !key_ok(key) || h->minor < 1 || has_body(h))
		return eio_refusal(EIO_BAD_REQUEST, true);
	return (struct request_verdict){
		.action = REQUEST_WEBSOCKET, .key = key,
	};
}

static struct request_verdict judge_engine(const struct http_head *h,
					   const struct request_env *env)
{
	bool upgrade = http_head_list_has(h, "Connection", "upgrade") &&
		       http_head_list_has(h, "Upgrade", "websocket");
	struct slice sid = http_query_get(h->query, "sid");

	if (!equals(http_query_get(h->query, "transport"), "websocket"))
		return eio_refusal(EIO_TRANSPORT_UNKNOWN, upgrade);
	if (sid.n != 0) {
		/* All sessions are on their WebSocket already. */
		return eio_refusal(env->sid_known(env->arg, sid)
					   ? EIO_BAD_REQUEST : EIO_SID_UNKNOWN,
				   upgrade);
	}
	if (!equals(h->method, "GET"))
		return eio_refusal(EIO_BAD_METHOD, upgrade);
	if (!upgrade)
		return eio_refusal(EIO_BAD_REQUEST, false);
	if (!equals(http_query_get(h->query, "EIO"), "4"))
		return eio_refusal(EIO_BAD_VERSION, true);
	return judge_websocket(h);
}

static struct request_verdict judge_health(const struct http_head *h)
{
	struct request_verdict v;

	if (equals(h->method, "GET"))
		return request_answer(200, "ok");
	v = request_answer(405, "Method not allowed\n");
	v.fields = "Allow: GET\r\n";
	return v;
}

struct request_verdict request_judge(const struct http_head *h,
				     const struct request_env *env)
{
	size_t prefix = sizeof(ENGINE_PATH) - 1;

	if (h->path.n >= prefix && memcmp(h->path.p, ENGINE_PATH, prefix) == 0)
		return judge_engine(h, env);
	if (equals(h->path, "/healthz"))
		return judge_health(h);
	return request_answer(404, "Not found\n");
}
