/* A connection from within: shared by conn.c (its bytes and times) and
 * exchange.c (its requests) only. */
#ifndef PW_CONN_IMPL_H
#define PW_CONN_IMPL_H

#include "common/protocol/http_body.h"
#include "worker/transport/conn.h"
#include "worker/transport/handover.h"
#include "worker/transport/polling.h"

enum conn_state {
	CONN_NEW,
	CONN_IDLE,	/* between requests */
	CONN_HEAD,	/* a head has begun, or is awaited for the first time */
	CONN_BODY,
	CONN_HELD,	/* a GET that waits; a POST that waits for one */
	CONN_ANSWER,	/* does not take it all at once */
	CONN_GOODBYE,	/* answered; reading until it closes */
	CONN_DEAD,	/* to be ended next turn */
	CONN_GONE,	/* descriptor and all; memory until the end of the turn */
};

struct conn {
	struct list node;
	struct conns *cs;
	struct io io;		/* io.ev NULL: nothing had to be waited for */
	struct deadline deadline;
	struct polling *polling;	/* whose request this is */
	struct buf in;		/* read, not yet looked at */
	struct buf body;	/* of a request, as far as it has come */
	struct buf out;		/* the answer's rest */
	size_t sent;		/* of it */
	struct buf fields;	/* for this request's answer */
	struct http_body framing;
	struct conn_origin from;
	size_t looked;		/* so much of `in` holds no end of a head */
	size_t counted;		/* of in and body, in partials */
	size_t drained;
	int fd;
	uint8_t state;		/* enum conn_state */
	uint8_t watched;
	uint8_t owner;		/* enum conn_owner; for the first request */
	uint8_t then;		/* enum response_then; for this request */
	bool no_body : 1;	/* HEAD */
	bool proxied : 1;	/* its PROXY header is to come */
	bool reading : 1;	/* conn.c will look at what comes next */
};

void conn_enter(struct conn *c, enum conn_state to);
/* Answers and closes. */
void conn_refuse(struct conn *c, const struct response *r);
/* Without the polling hearing of it. Gives the descriptor up. */
int conn_release(struct conn *c);

/* --- exchange.c: of `in`, which is not empty, uses what it gives --- */
/* A PROXY header; 0: it is not whole. */
size_t exchange_proxy_header(struct conn *c, struct slice in);
/* A head; 0: it is not whole. */
size_t exchange_head(struct conn *c, struct slice in);
size_t exchange_body(struct conn *c, struct slice in);
/* The GET that a held POST waits for does not come. */
void exchange_alone(struct conn *c);

#endif
