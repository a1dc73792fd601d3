/* The worker's listening sockets, and its connections until they have said
 * what they want: each is answered and closed, or goes to the WebSocket
 * transport. Loop thread only. */
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
void listener_free(struct listener **li);

/* Accepts on fd, a listening socket, which is taken. Several at once: its own
 * slot's and those lent by the master. A slot that is there already is
 * replaced. */
void listener_add(struct listener *li, uint32_t slot, int fd);
/* Accepts no more on that one; its connections stay. */
void listener_remove(struct listener *li, uint32_t slot);
/* Accepts no more at all; connections stay. */
void listener_drain(struct listener *li);

#endif
