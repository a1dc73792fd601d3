/* What closed sessions had still to say to clients that were between two polls:
 * kept a while for the next one. (socketio.md 3) */
#ifndef PW_FAREWELL_H
#define PW_FAREWELL_H

#include "common/base/buf.h"

struct farewells;
struct loop;

struct farewells *farewells_new(struct loop *l);
void farewells_free(struct farewells **fs);
/* rest: packets not sent, as a payload; copied. For 30 s; when there are too
 * many the oldest goes. */
void farewell_keep(struct farewells *fs, const char *sid, struct slice rest);
/* Of so many. */
size_t farewells_count(const struct farewells *fs);
bool farewell_known(const struct farewells *fs, struct slice sid);
/* The payload for the next poll, in out, an empty buffer: the rest, if any, and
 * for the poll after that the end; for the stock client looks at messages only
 * after it has looked at all packets of a payload, and would take the end first.
 * False: not known (any more). */
bool farewell_take(struct farewells *fs, struct slice sid, struct buf *out);

#endif
