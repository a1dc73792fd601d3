/* One session on a fake transport, in a loop of its own, and what its
 * application was told. */
#ifndef PW_TEST_ONE_SESSION_H
#define PW_TEST_ONE_SESSION_H

#include "tests/unit/fake_transport.h"
#include "worker/engineio/session.h"

struct one_app {
	struct eio_session *session;
	char last[64];
	unsigned messages, binaries;
	unsigned confirms;
	uint32_t confirmed;
	unsigned closes;
	enum close_reason why;
};

extern struct one_app app;
extern struct loop *loop;
extern struct eio_sessions *sessions;
extern struct fake_transport fake;
extern const struct eio_conf slow_conf;		/* nothing happens by itself */

struct eio_session *start(const struct eio_conf *c);
/* Of app, what it was told stays. */
void finish(void);
/* Comes from the client. */
void frame(struct eio_session *s, const char *text);
/* Goes to it; false: not taken. */
bool send_text(struct eio_session *s, const char *text);
bool has_closed(void *arg);	/* for run_until() */

#endif
