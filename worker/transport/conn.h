/* A client's HTTP/1.1 connection, from accept (or hand-over) to its end, or
 * until it becomes a WebSocket or another worker's. One request at a time: the
 * next is looked at when the answer before it is written. Loop thread only.
 * (RFC 9112 9) */
#ifndef PW_CONN_H
#define PW_CONN_H

#include "common/base/buf.h"
#include "common/base/net_addr.h"
#include "common/loop/deadlines.h"
#include "worker/transport/partial.h"
#include "worker/transport/response.h"

struct conn;
struct conn_origin;
struct connect_rate;
struct cors;
struct eio_sessions;
struct farewells;
struct listener_conf;
struct net_list;
struct pollings;
struct ws;

/* What all connections of a worker share. */
struct conns {
	struct loop *loop;
	struct eio_sessions *sessions;
	struct ws *ws;
	struct pollings *pollings;
	struct farewells *farewells;
	struct cors *cors;
	struct net_list *trusted;	/* proxies: X-Forwarded-For */
	struct net_list *proxied;	/* these begin with a PROXY header */
	struct connect_rate *connect_rate;
	const char *path;
	size_t max_payload;
	struct partials partials;	/* of requests */
	/* A connection, as conn_adopt() takes it, is for another instance: fd
	 * is taken, read is borrowed. NULL: there is no hand-over. */
	void (*hand_over)(void *arg, uint32_t owner, int fd,
			  const struct conn_origin *from, struct slice read);
	void *hand_over_arg;
	uint32_t instance;
	struct list all;
	struct list gone;		/* until the end of the turn */
	struct task reap;
	struct deadlines heads;		/* a head must be whole by then */
	struct deadlines bodies;	/* a body; an answer taken */
	struct deadlines idles;		/* the next request begun */
	struct deadlines goodbyes;	/* an answered client must be gone */
	struct deadlines crossings;	/* a GET that was overtaken is here */
	struct deadlines agains;	/* next turn: requests read already */
	struct buf scratch;		/* one read */
	struct buf head;		/* of one answer */
	struct buf body;		/* of one request */
	bool draining;		/* see conns_drain() */
	bool stopping;		/* opens no more sessions: 503 */
	size_t count;
	size_t max;			/* with the WebSockets; past it some get
					 * a proper goodbye, the rest none */
};

/* max: connections. */
void conns_init(struct conns *cs, struct loop *l, struct eio_sessions *sessions,
		struct ws *ws, const struct listener_conf *c, size_t max);
/* Other times, origins, proxies and rate from now on; times also for connections
 * that are there. The rest of c does not count. */
void conns_set_conf(struct conns *cs, const struct listener_conf *c);
/* Ends sessions on polling, and closes all connections. */
void conns_free(struct conns *cs);

/* A worker that takes leave refuses nobody, and gets rid of whoever can be served
 * elsewhere just as well. A connection that it accepted itself is closed with its
 * next answer, whatever that is for: the client's next one is for a worker that
 * stays, which hands it over here as long as there is a session for it, and a
 * connection that came by hand-over goes home for a new session (exchange.c).
 * So a handshake on a connection that was kept alive is served here, once. */
void conns_drain(struct conns *cs);
/* Of the connections between two requests. They are told that nothing comes any
 * more, and may close; within two seconds they are gone. */
void conns_dismiss(struct conns *cs);

/* fd: accepted, non-blocking; taken. */
void conn_new(struct conns *cs, int fd, const struct net_addr *peer);

/* A connection that was another worker's, or could not be sent to it. read:
 * begins with the head of the request that it is here for; copied. */
enum conn_owner {
	CONN_OWNER_HERE,
	CONN_OWNER_GONE,	/* could not be sent: the session is unknown */
	CONN_OWNER_AWAY,	/* could not be sent: 503 */
};
void conn_adopt(struct conns *cs, int fd, const struct conn_origin *from,
		struct slice read, enum conn_owner owner);

/* --- for polling.c --- */
/* Answers the request that c holds. Reports polling_answered() before it
 * returns, or that or polling_lost() later. */
void conn_answer(struct conn *c, const struct response *r);
/* c serves no session any more: it reports nothing. */
void conn_detach(struct conn *c);
/* Detaches and closes without an answer. */
void conn_cut(struct conn *c);

#endif
