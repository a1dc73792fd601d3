/* The src of the messages that this worker accepts: "host:boot:instance", and
 * behind it ".1", ".2" … A stream is (sender, match, src), and devices are told
 * repeats by a stream's last pos. So whenever a message may turn up behind later
 * ones of its stream - its store could not say whether it has it, or it was not
 * routed and is left to the sweep - what follows is of a new src. Pure. */
#ifndef PW_SRC_H
#define PW_SRC_H

#include "common/base/base.h"

struct src {
	const char *instance;	/* borrowed */
	unsigned number;
	bool cut;		/* begin a new one before the next message */
	char text[256];
};

void src_init(struct src *s, const char *instance);
/* For the next message. Changes only here, so that a batch that fails costs one.
 * Borrowed until the next call. */
const char *src_now(struct src *s);
/* A message of `src` is missing, and may turn up later. */
void src_cut(struct src *s, const char *src);
/* Which of this worker's it is: 0 the first. */
unsigned src_number(const struct src *s, const char *src);

#endif
