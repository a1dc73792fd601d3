/* The worker's listening sockets. What they accept becomes a connection
 * (conn.h), until it has said what it wants. Loop thread only. */
#ifndef PW_LISTENER_H
#define PW_LISTENER_H

#include "common/base/base.h"

struct eio_sessions;
struct listener;
struct loop;
struct ws;

struct listener_conf {
	unsigned head_timeout_ms;	/* a request head may take this long */
	size_t connections_max;		/* past it clients get a 503; 0: as many
					 * as the descriptor limit allows */
};

struct listener *listener_new(struct loop *l, struct eio_sessions *sessions,
			      struct ws *ws, const struct listener_conf *c);
/* With all connections that did not become a WebSocket. */
void listener_free(struct listener **li);

/* Accepts on fd, a listening socket, which is taken: the own slot's, and those
 * that the master lends. False: the slot's is there already, and stays. */
bool listener_add(struct listener *li, uint32_t slot, int fd);
/* Accepts no more on that one; its connections stay. */
void listener_remove(struct listener *li, uint32_t slot);
/* Accepts no more at all; connections stay. Clients that were not accepted
 * wait in the socket's queue for whoever holds it next. */
void listener_drain(struct listener *li);

#endif
