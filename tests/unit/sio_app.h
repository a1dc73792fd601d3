/* An application over Socket.IO and a fake transport: it answers CONNECT as
 * {"do":…} says ("refuse", "later"; else it accepts), "ask" with an event that
 * asks for an acknowledgement, "bye" with the end, all else with an
 * acknowledgement of the arguments; and writes down what it is told. */
#ifndef PW_TEST_SIO_APP_H
#define PW_TEST_SIO_APP_H

#include "tests/unit/fake_transport.h"
#include "worker/socketio/socket.h"

extern struct buf said;
extern struct sio_socket *pending;	/* told to be answered later */
extern bool bye_when_confirmed;
extern struct loop *loop;
extern struct fake_transport fake;
extern struct eio_session *session;

/* Namespaces "/", which keeps no attachments, and "/custom". */
void start(void);
void start_with(unsigned connect_timeout_ms, size_t event_max);
void start_impatient(unsigned connect_timeout_ms);
void finish(void);

/* in: frames of the client separated by newlines, "B:" before binary ones.
 * out and said: each line ends in a newline. end: -1 stays open. */
struct transcript {
	const char *in, *out, *said;
	int end;
};

/* Frames as a transcript's, and a turn of the loop. */
void feed(const char *in);
/* got, its session ids replaced by SID. */
void expect(const char *what, const char *want, const char *got);
/* Feeds, compares and finishes. */
void replay(const struct transcript *t);
/* For run_until(). */
bool has_closed(void *arg);

#endif
