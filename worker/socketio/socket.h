/* Socket.IO v5: one socket per session and namespace; namespaces, connect,
 * events, acknowledgements. Upwards it speaks through ops, one set per
 * namespace. (socketio.md 7) */
#ifndef PW_SIO_SOCKET_H
#define PW_SIO_SOCKET_H

#include "common/protocol/sio_packet.h"
#include "worker/engineio/session.h"

#include <jansson.h>

struct sio_socket;
struct sio_server;

#define SIO_NAME_MAX 128
#define SIO_PID_MAX 128
#define SIO_OFFSET_MAX 1024

/* CONNECT; everything in it is borrowed. */
struct sio_connect {
	json_t *auth;		/* an object, empty when none was sent */
	/* Connection state recovery: what the client remembers of its former
	 * connection. Both; or neither, when one of them is missing, no string,
	 * or longer than any that we gave out. (socketio.md 8) */
	const char *pid, *offset;
};

/* An event of the client, or its acknowledgement of one of ours; everything in
 * it is borrowed. args is the array behind the name; NULL when the packet is
 * too large (ops.event_max), or came with attachments that nobody wants
 * (ops.attachments). A name that is a number comes as its decimal text, one
 * with a NUL in it as "". */
struct sio_event {
	const char *name;	/* NULL: an acknowledgement */
	json_t *args;
	int64_t ack;		/* SIO_NO_ACK: none wanted */
	bool too_large;		/* not parsed, perhaps no JSON at all; a name of
				 * more than SIO_NAME_MAX bytes, or that is no
				 * string, comes as "" */
	bool binary;		/* came with attachments; args have placeholders */
	const struct slice *attachments;	/* NULL unless ops.attachments */
	unsigned nattachments;
};

/* up: what the application attached with sio_socket_attach() (NULL before). */
struct sio_ops {
	/* CONNECT to this namespace. The application answers with sio_accept or
	 * sio_refuse, now or later (the socket may be gone by then: see
	 * disconnected). */
	void (*connect)(void *arg, struct sio_socket *k,
			const struct sio_connect *c);
	void (*event)(void *up, struct sio_socket *k, const struct sio_event *e);
	/* The answer to an event with an id of sio_ask(): e->ack is that id. At
	 * most once for each; never when the client does not answer. NULL for an
	 * application that asks for none. */
	void (*acked)(void *up, struct sio_socket *k, const struct sio_event *e);
	void (*confirmed)(void *up, struct sio_socket *k, uint32_t mark);
	/* eio_ops.busy; NULL: it never is. */
	bool (*busy)(void *up, struct sio_socket *k);
	/* Last call for this socket; also for one that was never accepted
	 * (up NULL then, unless attached). */
	void (*disconnected)(void *up, struct sio_socket *k, enum close_reason why);
	void *arg;
	/* Keep packets with attachments, and those, for event() and acked();
	 * otherwise they are checked, counted and dropped, and cost no memory. */
	bool attachments;
	/* Bytes of a packet's JSON text; 0: no limit. A tree of small values
	 * weighs 70 times its text, and takes a tenth of a second per MB. A
	 * longer event or acknowledgement comes as too_large, a longer CONNECT
	 * ends the connection. */
	size_t event_max;
};

struct sio_server *sio_server_new(uint32_t instance);
void sio_server_free(struct sio_server **sv);
/* name "/", "/custom". Unknown namespaces are refused ("Invalid namespace"). Again:
 * other ops. */
void sio_server_namespace(struct sio_server *sv, const char *name,
			  const struct sio_ops *ops);
/* What the Engine.IO sessions are given. */
struct eio_ops sio_server_eio_ops(struct sio_server *sv);

void sio_socket_attach(struct sio_socket *k, void *up);
const char *sio_socket_id(const struct sio_socket *k);	/* SIO sid */
struct eio_session *sio_socket_session(const struct sio_socket *k);
const char *sio_socket_namespace(const struct sio_socket *k);	/* "/" */
/* Connection state recovery, before sio_accept(): gives the socket the id that
 * it had. 0, or -EINVAL when that is no session id. What the client missed is
 * sent before it is accepted, too: it keeps such events until the answer. */
int sio_restore(struct sio_socket *k, const char *sid) MUST_CHECK;
/* Answers CONNECT with the socket's id; the client's events flow from here on.
 * pid: the client comes back with it (at most SIO_PID_MAX bytes), and with the
 * last string argument of the last event as its offset; NULL: no recovery. */
void sio_accept(struct sio_socket *k, const char *pid);
/* A token costs 80 us to check, and a message holds thousands of CONNECTs: with
 * more than this many within a second, whoever leaves in between, the connection is
 * closed before connect() is called. */
#define SIO_CONNECTS_MAX 16
/* CONNECT_ERROR {"message":…}; the socket is gone after this, the connection
 * stays open (the client closes it), but for one that was refused SIO_REFUSALS_MAX
 * times. disconnected() is not called. */
#define SIO_REFUSALS_MAX 16
void sio_refuse(struct sio_socket *k, const char *message);
/* The same with "data": json. The client's error has it as err.data. */
void sio_refuse_data(struct sio_socket *k, const char *message,
		     const char *json);
/* A whole text frame ("42[…]"). In another namespace than the root the caller
 * writes its name into it (sio_head_write). True: queued; false: dropped, the
 * connection is closing. */
bool sio_send(struct sio_socket *k, struct slice frame);
/* The same for a frame in n pieces. */
bool sio_send_pieces(struct sio_socket *k, const struct slice *pieces, size_t n);
/* The same with 1 to SIO_ATTACHMENTS_MAX attachments, as its head says;
 * nothing comes between them. */
bool sio_send_binary(struct sio_socket *k, struct slice frame,
		     const struct slice *attachments, unsigned n);
/* An id for the head of the next event, so that the client acknowledges it:
 * ops.acked. The answer to the last SIO_ASKS_MAX is awaited. */
int64_t sio_ask(struct sio_socket *k);
/* Answers e->ack: json is the array's inside ('{"ok":true}'). No-op for
 * SIO_NO_ACK. */
void sio_ack(struct sio_socket *k, int64_t ack, struct slice json);
/* The same; json has a placeholder for each of n attachments. */
void sio_ack_binary(struct sio_socket *k, int64_t ack, struct slice json,
		    const struct slice *attachments, unsigned n);
/* As eio_session_mark, for confirmed(). */
uint32_t sio_mark(struct sio_socket *k);
/* DISCONNECT packet to all sockets of the connection, then it ends: the stock
 * client does not come back by itself ("io server disconnect").
 * disconnected() comes later in this turn. */
void sio_disconnect(struct sio_socket *k, enum close_reason why);

#endif
