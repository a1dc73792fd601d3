/* The worker's listening sockets. What they accept becomes a connection
 * (conn.h), until it has said what it wants. Loop thread only. */
#ifndef PW_LISTENER_H
#define PW_LISTENER_H

#include "common/base/base.h"

struct eio_sessions;
struct listener;
struct loop;
struct ws;

/* head_timeout_ms: a request head may take this long. */
struct listener *listener_new(struct loop *l, struct eio_sessions *sessions,
			      struct ws *ws, unsigned head_timeout_ms);
/* With all connections that did not become a WebSocket. */
void listener_free(struct listener **li);

/* Accepts on fd, the own slot's listening socket. fd is taken. */
void listener_add(struct listener *li, int fd);
/* Accepts on a neighbour's as well, until it is taken back; fd is taken. Lent
 * twice, the later one counts. */
void listener_lend(struct listener *li, uint32_t slot, int fd);
void listener_unlend(struct listener *li, uint32_t slot);
/* Accepts no more at all; connections stay. Clients that were not accepted
 * wait in the socket's queue for whoever holds it next. */
void listener_drain(struct listener *li);

#endif
