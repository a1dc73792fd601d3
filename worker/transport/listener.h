/* The worker's listening sockets. What they accept becomes a connection
 * (conn.h), until it has said what it wants. Loop thread only. */
#ifndef PW_LISTENER_H
#define PW_LISTENER_H

#include "common/base/rate.h"

struct eio_sessions;
struct listener;
struct loop;
struct ws;

/* Texts are borrowed until listener_new() returned; they were checked with the
 * configuration. */
struct listener_conf {
	const char *path;	/* "/socket.io/"; borrowed for ever; NULL: that */
	unsigned head_timeout_ms, body_timeout_ms, keepalive_timeout_ms;
	size_t max_payload;	/* of a request's body */
	size_t connections_max;		/* past it clients get a 503; 0: as many
					 * as the descriptor limit allows */
	const char *allowed_origins;	/* cors.h; NULL: "" */
	bool cors_credentials;
	const char *trusted_proxies;	/* net_list_new(); NULL: "" */
	const char *proxy_protocol_from;
	struct rate_conf connect_rate;	/* all zero: no limit */
	uint32_t instance;	/* sessions of others are handed over */
	const char *run_dir;	/* their sockets are here; NULL: no hand-over */
	int handover_fd;	/* our own; taken */
};

struct listener *listener_new(struct loop *l, struct eio_sessions *sessions,
			      struct ws *ws, const struct listener_conf *c);
/* conns_set_conf() */
void listener_set_conf(struct listener *li, const struct listener_conf *c);
/* With all connections that did not become a WebSocket. */
void listener_free(struct listener **li);

/* Accepts on fd, a listening socket, which is taken: the own slot's, and those
 * that the master lends. False: the slot's is there already, and stays; or it
 * drains. */
bool listener_add(struct listener *li, uint32_t slot, int fd);
/* Accepts no more on that one; its connections stay. */
void listener_remove(struct listener *li, uint32_t slot);
/* Accepts no more at all, also on what is lent from then on; connections stay,
 * as conns_drain() says, and come by hand-over as before. Clients that were not
 * accepted wait in the socket's queue for whoever holds it next. */
void listener_drain(struct listener *li);
/* And opens no more sessions either: 503. */
void listener_stop(struct listener *li);

/* --- for one that drains and has no session any more --- */
/* Nobody is here any more, nor under way to another worker. WebSockets that are
 * closing count. */
bool listener_empty(const struct listener *li);
/* Clients on polling have not yet been told of their session's end: so many, for
 * 30 s at most (farewell.h). */
size_t listener_farewells(const struct listener *li);
/* Tells idle connections to go: conns_dismiss(). */
void listener_dismiss(struct listener *li);
/* handover_shut(): afterwards nobody comes any more. */
void listener_shut(struct listener *li);

#endif
