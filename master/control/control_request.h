/* What a client of the control socket sends, taken apart: bytes to requests, no
 * sockets. */
#ifndef PW_CONTROL_REQUEST_H
#define PW_CONTROL_REQUEST_H

#include <jansson.h>

#include "common/base/base.h"
#include "master/control/control.h"

/* Of a line in the log about one request. */
#define CONTROL_LINE_MAX 160

/* The first frame in `in`: 1, with its text in *text_out (borrowed) and the
 * frame's length in *n_out; 0: not whole yet; -EMSGSIZE. */
int control_frame(struct slice in, struct slice *text_out, size_t *n_out)
	MUST_CHECK;

struct control_question {
	json_t *root;		/* what the rest is borrowed from */
	const char *cmd;
	json_t *args;		/* an array of strings */
	const struct control_command *command;
};
/* NULL, or why it is refused, in `why` or a constant. out is to be freed either
 * way. */
const char *control_parse(struct slice text,
			  const struct control_command *commands, size_t n,
			  struct control_question *out, char why[128]);
void control_question_free(struct control_question *q);

/* "drain 3" for the log: in one line, cut, without what could be taken for a
 * field of it. */
void control_line(const struct control_question *q, char out[CONTROL_LINE_MAX]);

#endif
