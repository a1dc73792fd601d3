/* Engine.IO v4 packets as text or binary frames. Pure. (socketio.md 3) */
#ifndef PW_EIO_PACKET_H
#define PW_EIO_PACKET_H

#include "common/base/buf.h"

enum eio_type {
	EIO_OPEN = 0, EIO_CLOSE, EIO_PING, EIO_PONG, EIO_MESSAGE, EIO_UPGRADE,
	EIO_NOOP
};

struct eio_packet {
	enum eio_type type;
	bool binary;		/* EIO_MESSAGE only */
	struct slice data;	/* behind the type digit; binary: the bytes */
};

/* One text frame. A "b…" base64 message is not accepted here but in payloads
 * (polling). 0 or -EBADMSG. data points into `frame`. */
int eio_packet_parse(struct slice frame, struct eio_packet *out) MUST_CHECK;
/* `0{"sid":…}`: the open packet. upgrades: offer "websocket". */
void eio_open_write(struct buf *out, const char *sid, bool upgrades,
		    unsigned ping_interval_ms, unsigned ping_timeout_ms,
		    size_t max_payload);

#endif
