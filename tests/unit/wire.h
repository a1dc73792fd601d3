/* Connections over loopback, without a listener: a server on which every
 * message comes back, and clients that speak bytes, in one loop. */
#ifndef PW_TEST_WIRE_H
#define PW_TEST_WIRE_H

#include "common/base/buf.h"
#include "tests/unit/eio_echo.h"
#include "tests/unit/fake_transport.h"
#include "worker/transport/conn.h"
#include "worker/transport/listener.h"

/* All times in ms; 0 is a minute, or 100,000 bytes. */
struct wire_conf {
	unsigned head, body, idle, ping_interval, ping_timeout;
	size_t max_payload;
	bool hand_over;		/* our instance is 1; the others' come to wire */
};

struct wire {
	struct loop *loop;
	struct eio_sessions *sessions;
	struct ws *ws;
	struct conns conns;
	int listening;
	/* handed over */
	uint32_t owner, home;
	int given_fd;
	struct buf given;
};
extern struct wire wire;

void wire_start(const struct wire_conf *c);
/* Also checks that no connection and no session is left. */
void wire_finish(void);

struct client {
	int fd;
	struct buf in;
	bool eof;
};

/* Connected and accepted. */
struct client dial(void);
void hang_up(struct client *c);
/* Sends all of it; the loop runs meanwhile if it has to. */
void say(struct client *c, const char *p, size_t n);
void say_text(struct client *c, const char *text);
/* Reads what is there. */
void pull(struct client *c);
/* The next answer: its status, or 0 when the connection ends before it is
 * whole. head_out, body_out: NUL-terminated copies, valid until the next call. */
unsigned answer(struct client *c, const char **head_out, const char **body_out);
/* The next answer is this one; body NULL: any. */
void expect_answer(struct client *c, unsigned status, const char *body);
void expect_eof(struct client *c);
/* The server has nothing (more) to say to it now. */
void expect_silence(struct client *c);
/* Until cond() or the test's deadline. */
#define WAIT_FOR(expr)                                                        \
	do {                                                                  \
		int64_t until_ = clock_mono_ms() + 60000;                     \
		while (!(expr) && clock_mono_ms() < until_)                   \
			run_turn(wire.loop);                                  \
		cr_assert((expr), "%s did not come true", #expr);             \
	} while (0)

/* GET of the engine's path; more: of the query. */
void say_get(struct client *c, const char *more);
void say_post(struct client *c, const char *sid, const char *body);
/* GET with a sid. */
void say_poll(struct client *c, const char *sid);
/* Handshake on c: the sid, valid until the next call but three. */
const char *handshake(struct client *c);

/* A POST of five bytes, of which three come: "4he". */
void say_half_post(struct client *c, const char *sid);

/* wire_start() with all defaults, two connections, a handshake on the first: the
 * sid; and their end. */
const char *pair_start(struct client *get_out, struct client *post_out);
void pair_finish(struct client *get, struct client *post);

/* Sent to the client of the latest session. */
void send_from_server(const char *packet);

/* As for an unknown session, on a connection of its own. */
void expect_gone(const char *sid);
#define UNKNOWN "{\"code\":1,\"message\":\"Session ID unknown\"}"

/* The head of a POST of that session, valid until the next call. more: fields. */
const char *post_head(const char *sid, const char *more);
#define HEALTH "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"

#endif
