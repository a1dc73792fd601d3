/* A connection from accept to its first request: the head is read, then it is
 * answered and closed, or handed to the WebSocket transport. */
#ifndef PW_CONN_H
#define PW_CONN_H

#include "common/base/buf.h"
#include "common/loop/deadlines.h"
#include "worker/transport/request.h"

struct eio_sessions;
struct ws;

/* What all connections of a worker share. */
struct conns {
	struct loop *loop;
	struct ws *ws;
	struct request_env env;
	struct list all;
	struct deadlines heads;		/* a head must be whole by then */
	struct deadlines goodbyes;	/* an answered client must be gone */
	struct buf scratch;		/* one read */
	size_t count;
	size_t max;			/* with the WebSockets; past it some get
					 * a proper goodbye, the rest none */
};

void conns_init(struct conns *cs, struct loop *l, struct eio_sessions *sessions,
		struct ws *ws, unsigned head_timeout_ms, size_t max);
/* Closes them all. */
void conns_free(struct conns *cs);
/* fd: accepted, non-blocking; taken. */
void conn_new(struct conns *cs, int fd);

#endif
