/* The client's side of the WebSocket opening handshake (RFC 6455 4.1). Pure. */
#ifndef PW_BENCH_UPGRADE_H
#define PW_BENCH_UPGRADE_H

#include "common/base/buf.h"

/* Appends the request for an Engine.IO v4 WebSocket at host; accept gets what
 * the server must answer it with. */
void upgrade_request(struct buf *out, const char *host,
		     const unsigned char random[16], char accept[29]);
/* Reads the answer. Its length when the server agreed; 0: more bytes are
 * needed; -EPROTO with a message in err. */
long upgrade_answer(struct slice in, const char accept[29], char err[256])
	MUST_CHECK;

#endif
