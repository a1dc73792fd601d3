/* What to do with an HTTP request: the checks of an Engine.IO server in its
 * order, with its answers. No input or output. (socketio.md 1, 3, 5) */
#ifndef PW_REQUEST_H
#define PW_REQUEST_H

#include "common/protocol/http_head.h"
#include "worker/transport/response.h"

/* Where the session of a sid is. */
enum sid_state {
	SID_UNKNOWN,
	SID_POLLING,
	SID_WEBSOCKET,
	SID_LEAVING,		/* closed; its last packets wait for a poll */
	SID_ELSEWHERE,		/* another worker of this host has it */
	SID_UNREACHABLE,	/* and cannot be reached now */
};

struct request_env {
	const char *path;	/* prefix of the engine's; others are 404 */
	/* owner_out is written for SID_ELSEWHERE. */
	enum sid_state (*find)(void *arg, struct slice sid, uint32_t *owner_out);
	void *arg;
};

enum request_action {
	REQUEST_ANSWER,		/* answer */
	REQUEST_WEBSOCKET,	/* switch protocols: key; sid: an upgrade */
	REQUEST_OPEN,		/* polling: a new session */
	REQUEST_POLL,		/* its GET: sid */
	REQUEST_POST,		/* its POST: sid; the body is wanted */
	REQUEST_LAST,		/* GET for what a closed session left: sid */
	REQUEST_MISUSE,		/* ends the session of sid; then answer */
	REQUEST_ELSEWHERE,	/* is for the worker instance owner */
};

/* Slices point into the head. */
struct request_verdict {
	enum request_action action;
	struct response answer;
	struct slice sid;
	struct slice key;	/* Sec-WebSocket-Key */
	uint32_t owner;
};

/* It is for the engine below path. */
bool request_is_engine(const struct http_head *h, const char *path);
struct request_verdict request_judge(const struct http_head *h,
				     const struct request_env *env);
/* For a head that could not be read: err of http_head_parse(). */
struct response request_unreadable(long err);
/* {"code":3,…}: not (any more) for this transport. */
struct response request_bad(void);
/* For a WebSocket that a foreign page wants. */
struct response request_foreign(void);
/* The request has, or announces, a body. */
bool request_has_body(const struct http_head *h);

#endif
