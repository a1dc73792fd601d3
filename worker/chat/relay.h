/* What other services emit (worker/emitter.h), to the devices here. Of rooms
 * there are user:<id>, with all devices of the user, and, to be excepted, each
 * device's own named by its socket id. */
#ifndef PW_RELAY_H
#define PW_RELAY_H

struct chat;
struct emitter_ops;

struct emitter_ops relay_ops(struct chat *c);

#endif
