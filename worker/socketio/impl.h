/* Inside of Socket.IO: server.c (namespaces, and what the sessions say),
 * packets.c (what a client sent), socket.c (what the application asks for). */
#ifndef PW_SIO_IMPL_H
#define PW_SIO_IMPL_H

#include "common/base/list.h"
#include "worker/socketio/asks.h"
#include "worker/socketio/assembly.h"
#include "worker/socketio/socket.h"

struct sio_nsp {
	struct list node;
	struct slice name;	/* owned */
	struct sio_ops ops;
};

struct sio_server {
	uint32_t instance;
	struct list namespaces;
	struct buf out;		/* a frame being composed */
};

/* One Engine.IO session. */
struct sio_conn {
	struct sio_server *sv;
	struct eio_session *session;
	struct list sockets;
	struct sio_assembly *assembly;	/* attachments are awaited */
	unsigned refused;	/* CONNECTs, by the application */
	unsigned connects;	/* in this second of clock_mono_ms() */
	uint32_t second;
};

struct sio_socket {
	struct list node;
	struct sio_conn *conn;
	struct sio_nsp *nsp;
	void *up;
	struct sio_asks *asks;	/* NULL: never asked for any */
	bool accepted;
	char id[SESSION_ID_LEN + 1];
};

/* server.c; NULL: none */
struct sio_nsp *sio_nsp_find(struct sio_server *sv, struct slice name);

/* packets.c */
void sio_got_text(struct sio_conn *c, struct slice text);
void sio_got_attachment(struct sio_conn *c, struct slice data);

/* socket.c */
struct sio_socket *sio_socket_new(struct sio_conn *c, struct sio_nsp *nsp);
void sio_socket_free(struct sio_socket *k);
struct sio_socket *sio_socket_find(struct sio_conn *c,
				   const struct sio_nsp *nsp);	/* or NULL */
/* Ends the connection. what: for the log. */
void sio_protocol_error(struct sio_conn *c, const char *what);
/* CONNECT_ERROR {"message":text,"data":data}; data: JSON text, or NULL. */
void sio_send_error(struct sio_conn *c, struct slice nsp, const char *text,
		    const char *data);

#endif
