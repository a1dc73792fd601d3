/* What surrounds the sessions under test in fuzz_session.c: clients, their
 * streams (session_streams.c) and the application (session_app.c). */
#ifndef PW_FUZZ_SESSION_WORLD_H
#define PW_FUZZ_SESSION_WORLD_H

#include "tests/fuzz/fuzz.h"
#include "worker/engineio/session.h"
#include "worker/socketio/socket.h"
#include "worker/transport/transport.h"

#define CLIENTS 3
#define MARKS 256
#define ASKS 64
#define TAKES_ALL SIZE_MAX

struct client;

struct stream {
	struct transport t;
	struct client *c;
	bool polling;
	size_t takes;		/* packets until it blocks */
};

enum namespace { NSP_ROOT, NSP_CUSTOM, NSP__COUNT };

/* The application's end of a socket. */
struct member {
	struct client *c;
	struct sio_socket *k;
	enum namespace nsp;
	bool accepted;
	uint32_t confirmed;
	int64_t asked;			/* ids given out, and which came back */
	bool answered[ASKS];
};

struct client {
	struct eio_session *s;		/* NULL: there is none */
	void *up;			/* of its Socket.IO */
	char sid[SESSION_ID_LEN];
	struct stream *now, *candidate, *old;
	struct member *members[NSP__COUNT];
	bool greeted;			/* the open packet is out */
	uint32_t sent, taken;		/* numbered packets: queued, written */
	unsigned attachments;		/* that come next, of the last packet */
	uint32_t marks;
	uint32_t sent_at[MARKS];	/* by mark */
	uint32_t events, events_got, last_event;
	uint32_t pings, pongs;		/* written, answered */
	bool liar;			/* answered a ping that it did not get */
	bool joined;			/* a socket was accepted once */
	unsigned probes, answers, fives;
	int64_t opened_us, alive_us, candidate_us;
};

struct world {
	struct loop *loop;
	struct eio_sessions *sessions;
	struct sio_server *server;
	struct client clients[CLIENTS];
	bool calling;			/* within a transport's call upwards */
	unsigned opened, closed;
	uint8_t mode;			/* the application's, see session_app.c */
};
extern struct world w;

bool client_is_open(const struct client *c);
/* Notices that the session has moved to its candidate. */
void client_sync(struct client *c);

struct stream *stream_new(struct client *c, bool polling);
void stream_free(struct stream **st);

void app_start(void);
struct eio_ops app_eio_ops(void);
/* One numbered packet. */
void app_send(struct client *c, bool binary, size_t padding);
void app_mark(struct client *c);
/* A numbered event with two numbered attachments. */
void app_send_binary(struct client *c);
/* An event that is to be acknowledged. */
void app_ask(struct client *c);
/* Answers a connect that waits. */
void app_accept(struct client *c);
void app_refuse(struct client *c);
void app_disconnect(struct client *c);

#endif
