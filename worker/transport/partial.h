/* What clients have sent of messages and requests that are not whole yet, of
 * all connections of one kind together. Each may have a little for itself, far
 * more than a chat message takes; what is beyond that they share, so that a
 * crowd of unfinished ones does not take the host's memory - nor, when all of it
 * is whole at the same moment, the loop: to parse a MB of JSON takes a tenth of
 * a second, and the master kills a worker that stands still for five. */
#ifndef PW_PARTIAL_H
#define PW_PARTIAL_H

#include "common/base/base.h"

#define PARTIAL_OWN (16u << 10)
#define PARTIAL_SHARED (8u << 20)	/* or four of the largest, if more */

struct partials {
	size_t max;
	size_t shared;
	bool full;		/* said so */
};

void partials_init(struct partials *ps, size_t max_payload);
/* A connection held `from` bytes and holds `to` now: both are counted. False:
 * it has grown, and there is no room for that; the caller drops it. */
bool partials_move(struct partials *ps, size_t from, size_t to);

#endif
