/* The clients of a Socket.IO echo in one process. With recovery they are
 * remembered when they go, and so are their last events. (socketio.md 8) */
#ifndef PW_ECHO_PEERS_H
#define PW_ECHO_PEERS_H

#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/loop/loop.h"
#include "worker/socketio/socket.h"

#define PEER_EVENTS_MAX 256	/* remembered of each */
#define PEERS_AWAY_MAX 1000

struct peer {
	struct list node;
	struct sio_socket *socket;	/* NULL: away */
	char nsp[32];
	char sid[SESSION_ID_LEN + 1];
	char pid[SESSION_ID_LEN + 1];
	struct list events;
	unsigned nevents;
	uint64_t last;		/* number of the last one; "o1" is the first */
	struct timer greeting;	/* the user's; freed with it */
	json_t *auth;
};

struct peers {
	struct list list;	/* those away the longest first */
	uint32_t instance;
	unsigned away;
	bool recovery;
};

void peers_init(struct peers *ps, uint32_t instance, bool recovery);
void peers_free(struct peers *ps);

/* Whom k, a socket to be accepted, was before, with its former id; or a new
 * one. What it missed is sent. */
struct peer *peer_enter(struct peers *ps, struct sio_socket *k,
			const struct sio_connect *from);
/* Without recovery p is gone after this. */
void peer_leave(struct peers *ps, struct peer *p);
/* Sends an event, when p is here, and remembers it. frame: without the closing
 * bracket, behind which its offset goes. */
void peer_send(const struct peers *ps, struct peer *p, struct buf *frame,
	       const struct slice *attachments, unsigned n);

#endif
