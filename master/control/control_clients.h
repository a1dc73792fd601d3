/* The clients of the control socket, by user: who has how many connections, who
 * must make room, whose turn it is. A user cannot take what is another's; root
 * and our own user have their share to themselves. */
#ifndef PW_CONTROL_CLIENTS_H
#define PW_CONTROL_CLIENTS_H

#include <sys/types.h>

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/loop/loop.h"

struct control;
struct ucred;

enum client_state { CLIENT_IDLE, CLIENT_ASKING, CLIENT_TAKING, CLIENT_WAITING };

/* One user with connections. */
struct owner {
	struct list node;
	uid_t uid;
	bool trusted;		/* root, or our own user */
	unsigned n;		/* clients, those that only wait to be freed too */
	size_t unread;		/* bytes of answers not taken yet */
	struct list clients;	/* the one served longest ago first */
};

struct client {
	struct list node;	/* owner->clients */
	struct list turn;	/* clients->waiting */
	struct clients *all;
	struct control *control;
	struct owner *owner;
	uint64_t id;
	pid_t pid;
	int fd;			/* -1: gone; freed when it is not busy */
	struct io io;
	struct timer limit;
	struct task reap;
	enum client_state state;
	int64_t since_ms;	/* monotonic; came, or was served last */
	uint64_t served;
	struct buf in;
	struct buf out;
	size_t sent;		/* of out */
	bool busy;		/* a command has its request, not answered yet */
	bool last;		/* no more requests: ends when all is answered */
	char *change;		/* the request's line for the log; or NULL */
	bool harmless;		/* control_harmless() */
};

struct clients {
	struct loop *loop;
	struct list owners;
	struct list waiting[2];	/* others', trusted */
	pid_t last_pid;		/* whose turn it was */
	unsigned others;	/* clients that are not trusted */
	uint64_t next_id;
};

void clients_init(struct clients *all, struct loop *l);
void clients_free(struct clients *all);

/* fd is taken. Somebody may have to go for it; NULL: there was no room, since all
 * that this user may have wait for their answers. io and limit are the
 * caller's to set up. */
struct client *clients_add(struct clients *all, const struct ucred *peer, int fd);
/* By id, also one that is gone and busy. */
struct client *clients_find(struct clients *all, uint64_t id);

/* Its request waits for its turn; again: nothing happens. */
void clients_queue(struct client *c);
/* Takes who is next: the trusted first, and processes in turn. NULL: nobody. */
struct client *clients_next(struct clients *all);
bool clients_waiting(const struct clients *all);
/* It is its turn now. */
void client_served(struct client *c);

/* An answer to be sent. What its user does not take elsewhere must go, once that
 * is too much. */
void client_put(struct client *c, struct slice text);
void client_sent(struct client *c, size_t n);
/* One that is connected; NULL: none is. */
struct client *clients_connected(struct clients *all);

/* Ends the connection. Freed at the end of the turn, or with the answer that a
 * command still owes it: so many are open for one user at once, no more. */
void client_close(struct client *c);
/* Gone, and answered now. */
void client_reap(struct client *c);

#endif
