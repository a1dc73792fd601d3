/* The control socket's server (ctl_protocol.h). A client that is slow, sends
 * rubbish or hangs about costs a connection slot, never the loop's time. */
#ifndef PW_CONTROL_H
#define PW_CONTROL_H

#include <jansson.h>

#include "common/base/base.h"

#define CONTROL_ERR_MAX 256

struct control;
struct loop;

/* A request that waits for its answer, named by number: its connection may be
 * gone when the answer is there. */
struct control_request {
	struct control *control;
	uint64_t conn;
};

/* Exactly one of these per request, at once or later. data is taken. */
void control_answer(struct control_request r, json_t *data);
void control_refuse(struct control_request r, const char *fmt, ...)
	PRINTF(2, 3);

/* args: an array of strings, borrowed; their number fits the row. */
struct control_handlers {
	void (*status)(void *arg, struct control_request r, const json_t *args);
	void (*user)(void *arg, struct control_request r, const json_t *args);
	void (*explain)(void *arg, struct control_request r, const json_t *args);
	void *arg;
};

/* Binds path with mode 0660. A socket that a dead master left there is
 * replaced, a live one is not. 0, or -errno with one line in err. */
int control_new(struct loop *l, const char *path,
		const struct control_handlers *handlers, struct control **out,
		char err[CONTROL_ERR_MAX]) MUST_CHECK;
/* Unlinks the path. NULLs *c. */
void control_free(struct control **c);

#endif
