/* What closed sessions had still to say to clients that were between two polls:
 * kept a while for the next one. (socketio.md 3) */
#ifndef PW_FAREWELL_H
#define PW_FAREWELL_H

#include "common/base/buf.h"

struct farewells;
struct loop;

struct farewells *farewells_new(struct loop *l);
void farewells_free(struct farewells **fs);
/* body: of the answer to that poll; copied. For 30 s; when there are too many
 * the oldest goes. */
void farewell_keep(struct farewells *fs, const char *sid, struct slice body);
bool farewell_known(const struct farewells *fs, struct slice sid);
/* Moves the body to out, an empty buffer. False: not known (any more). */
bool farewell_take(struct farewells *fs, struct slice sid, struct buf *out);

#endif
