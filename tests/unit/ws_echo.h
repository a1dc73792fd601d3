/* A listener on loopback whose sessions send every message back, and clients
 * that speak bytes, in one loop. */
#ifndef PW_TEST_WS_ECHO_H
#define PW_TEST_WS_ECHO_H

#include "common/base/buf.h"
#include "common/protocol/ws_frame.h"
#include "tests/unit/eio_echo.h"
#include "tests/unit/fake_transport.h"
#include "worker/transport/listener.h"
#include "worker/transport/ws.h"

extern struct loop *loop;
extern struct eio_sessions *sessions;
extern struct ws *ws;
extern struct listener *listener;
extern unsigned short port;

/* connections_max 0: as many as descriptors. */
void start(unsigned head_timeout_ms, size_t connections_max);
void finish(void);
/* One more; its port is `port` from then on. */
int listening_socket(void);

struct client {
	int fd;
	struct buf in;
	bool eof;
	const char *want;	/* for run_until */
	size_t want_n;
};

/* Connected, whether accepted or not. */
struct client dial(void);
void hang_up(struct client *c);
/* Sends all of it; the loop runs meanwhile if it has to. */
void say(struct client *c, const char *p, size_t n);
void say_text(struct client *c, const char *text);
/* Reads what is there. */
void pull(struct client *c);
/* The loop runs until that is in what came, or the end. */
void expect(struct client *c, const char *want, size_t n);
void expect_text(struct client *c, const char *want);
void expect_eof(struct client *c);

#define UPGRADE                                                     \
	"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"     \
	"Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"   \
	"Sec-WebSocket-Version: 13\r\n"                              \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

/* With its open packet read. */
struct client dial_websocket(void);
/* A masked frame; final as told. */
void say_frame(struct client *c, enum ws_opcode op, bool final, const void *p,
	       size_t n);
bool closed_once(void *arg);	/* a session, and no WebSocket is left */

#endif
