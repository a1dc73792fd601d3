/* Socket.IO v4 clients over WebSocket, as many as wanted on one loop. An idle
 * client costs its struct and a libevent event: read buffers are shared, and
 * what a client buffers for itself (part of a frame, bytes the socket does not
 * take yet) is given back once it is used. Loop thread only. */
#ifndef PW_BENCH_CLIENT_H
#define PW_BENCH_CLIENT_H

#include "bench/target.h"
#include "common/base/buf.h"

struct loop;
struct client;
struct clients;

enum client_end {
	CLIENT_UNREACHABLE,	/* no TCP connection */
	CLIENT_NOT_UPGRADED,	/* TCP, but no WebSocket */
	CLIENT_REFUSED,		/* connect_error: the text is its message */
	CLIENT_TIMEOUT,		/* not joined in time, or no ping any more */
	CLIENT_PROTOCOL,	/* the server sent what is no packet */
	CLIENT_KICKED,		/* the server disconnected the namespace */
	CLIENT_CLOSED,		/* the connection ended */
};

/* arg: the client's own. */
struct client_ops {
	/* The namespace is joined; events may be sent. */
	void (*joined)(struct client *c, void *arg);
	/* An event: its JSON array, with the name in front. ack: the id the
	 * server wants acknowledged, or SIO_NO_ACK. Borrowed. */
	void (*event)(struct client *c, void *arg, struct slice json, int64_t ack);
	/* The acknowledgement of what was sent with this id. May be NULL. */
	void (*ack)(struct client *c, void *arg, struct slice json, int64_t id);
	/* The connection ended, and not by client_close(); text says why, for a
	 * reader. The last call for c, which is gone when it returns. At the end
	 * of the loop's turn, never from within a call down here. */
	void (*ended)(struct client *c, void *arg, enum client_end why,
		      const char *text);
};

/* target and ops stay the caller's and must outlive the clients; target's
 * preferred address is kept up to date. timeout_ms: from client_new() until
 * joined. */
struct clients *clients_new(struct loop *l, struct target *target,
			    const struct client_ops *ops, unsigned timeout_ms);
/* Drops all clients without calling ended(). NULLs *cs. */
void clients_free(struct clients **cs);

/* Starts to connect; token (copied) goes into the auth of CONNECT. */
struct client *client_new(struct clients *cs, const char *token, void *arg);
/* Sends an event: its JSON array with the name in front. ack: an id the server
 * shall acknowledge, or SIO_NO_ACK. Dropped unless joined. */
void client_emit(struct client *c, struct slice json, int64_t ack);
/* Leaves politely; no more calls, c is gone (its socket lingers until the
 * server has closed it too, at most a second). */
void client_close(struct client *c);
/* Closes all; left() is called once when all sockets are closed, at the end of
 * a turn of the loop. */
void clients_leave(struct clients *cs, void (*left)(void *arg), void *arg);

#endif
