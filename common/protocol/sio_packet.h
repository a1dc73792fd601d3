/* Socket.IO v5 packets (inside Engine.IO messages). Pure; the JSON payload is
 * left as text. (socketio.md 7) */
#ifndef PW_SIO_PACKET_H
#define PW_SIO_PACKET_H

#include "common/base/buf.h"

enum sio_type {
	SIO_CONNECT = 0, SIO_DISCONNECT, SIO_EVENT, SIO_ACK, SIO_CONNECT_ERROR,
	SIO_BINARY_EVENT, SIO_BINARY_ACK
};

#define SIO_ATTACHMENTS_MAX 10
#define SIO_NO_ACK (-1)

struct sio_packet {
	enum sio_type type;
	unsigned attachments;	/* binary types: 1..SIO_ATTACHMENTS_MAX */
	struct slice nsp;	/* "/" when omitted */
	int64_t ack;		/* SIO_NO_ACK: none */
	struct slice json;	/* may be empty */
};

/* Checks the frame of the packet and that the payload begins as its type
 * demands ('[' or '{' or nothing); not the JSON itself. 0 or -EBADMSG. */
int sio_packet_parse(struct slice text, struct sio_packet *out) MUST_CHECK;
/* Everything before the JSON: "52-/nsp,17", with the Engine.IO '4' in front.
 * attachments: of the binary types, else 0. */
void sio_head_write(struct buf *out, enum sio_type type, unsigned attachments,
		    struct slice nsp, int64_t ack);
/* True for the event names a client may not send. */
bool sio_event_reserved(const char *name);

#endif
