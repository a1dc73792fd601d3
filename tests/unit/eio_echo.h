/* Above Engine.IO sessions: every message comes back. One per program. */
#ifndef PW_TEST_EIO_ECHO_H
#define PW_TEST_EIO_ECHO_H

#include "common/base/buf.h"
#include "worker/engineio/session.h"

struct eio_echo {
	struct eio_session *latest;	/* opened; NULL when it is closed */
	struct buf got;			/* messages; each followed by '\n' */
	unsigned messages;
	unsigned closes;
	enum close_reason why;		/* of the last */
};
extern struct eio_echo echoed;

/* With all counts back at 0. */
struct eio_ops eio_echo_begin(void);
void eio_echo_end(void);

#endif
