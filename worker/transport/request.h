/* What to do with an HTTP request: the checks of an Engine.IO server in its
 * order, with its answers. No input or output. (socketio.md 1) */
#ifndef PW_REQUEST_H
#define PW_REQUEST_H

#include "common/protocol/http_head.h"

/* The session a sid stands for, if any. */
struct request_env {
	bool (*sid_known)(void *arg, struct slice sid);
	void *arg;
};

enum request_action {
	REQUEST_ANSWER,		/* status, type, body; then close */
	REQUEST_WEBSOCKET,	/* switch protocols: key */
};

struct request_verdict {
	enum request_action action;
	unsigned status;
	const char *type;	/* Content-Type */
	const char *fields;	/* more header lines, each with CRLF; or "" */
	const char *body;
	struct slice key;	/* Sec-WebSocket-Key; points into the head */
};

struct request_verdict request_judge(const struct http_head *h,
				     const struct request_env *env);
/* For a head that could not be read: err of http_head_parse(). */
struct request_verdict request_unreadable(long err);
/* A plain answer. */
struct request_verdict request_answer(unsigned status, const char *body);
/* "Bad Request" */
const char *request_reason(unsigned status);

#endif
