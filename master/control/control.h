/* The control socket's server (ctl_protocol.h). A client that is slow, sends
 * rubbish or hangs about costs a connection slot, never the loop's time. CHANGE
 * commands are for root and our own user (SO_PEERCRED); each leaves a line in the
 * log. */
#ifndef PW_CONTROL_H
#define PW_CONTROL_H

#include <jansson.h>

#include "common/base/base.h"
#include "common/ipc/ctl_rows.h"

struct control;
struct loop;

/* A request that waits for its answer, named by number: its connection may be
 * gone when the answer is there. control NULL: nobody asked, nobody is told. */
struct control_request {
	struct control *control;
	uint64_t conn;
};

/* Exactly one of these per request, at once or later. data is taken. */
void control_answer(struct control_request r, json_t *data);
void control_refuse(struct control_request r, const char *fmt, ...)
	PRINTF(2, 3);

/* It changes nothing to do it twice: control_leave() may have it asked again. */
void control_harmless(struct control_request r);

/* A row of ctl_rows.h. args: an array of strings, borrowed; their number fits
 * the row. */
struct control_command {
	const char *name;
	const char *words;
	size_t min;
	size_t max;
	enum ctl_who who;
	void (*fn)(void *arg, struct control_request r, const json_t *args);
};

/* fd: listening (ctl_socket_listen(), or an earlier master's) at path; taken.
 * commands is borrowed; arg goes to each. */
struct control *control_new(struct loop *l, int fd, const char *path,
			    const struct control_command *commands, size_t n,
			    void *arg);
int control_fd(const struct control *c);
/* Before an exec closes all connections: writes what of the answers can be written
 * at once; tells who has none yet to ask again, or that nobody will know what came
 * of a change. */
void control_leave(struct control *c);
/* Tells who is connected that the service stops. Unlinks the path. NULLs *c. */
void control_free(struct control **c);

#endif
