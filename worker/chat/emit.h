/* Events to a device that move its offset (M6), and messages, which are told
 * from repeats, held back while the device catches up, and followed until they
 * are confirmed. Whatever else a device is sent goes by sio_send(). */
#ifndef PW_EMIT_H
#define PW_EMIT_H

#include "worker/chat/chat.h"
#include "worker/chat/seen.h"

/* How late a message may be committed and published (M6): store operations end
 * within 30 s, and the clocks of workers differ by little. */
#define EMIT_SETTLED_US (60 * 1000000LL)

/* A message as a device is sent it. */
struct emission {
	struct slice frame;	/* whole: "42[…]"; the offset is put in */
	const char *id;		/* the message's */
	struct place at;
	bool tracked;		/* message:new to its recipient: confirmed by
				 * the device; false: the sender's own copy */
};
struct place place_of(const struct message *m);
struct place place_of_envelope(const struct envelope *e);

enum emitted {
	EMIT_WRITTEN,
	EMIT_HELD,		/* it is catching up: written behind that */
	EMIT_REPEAT,		/* it was sent this before */
	EMIT_GONE,		/* its connection is closing */
};
enum emitted emit_message(struct device *d, const struct emission *e);
/* The sender's device was answered message:sent: it knows of this message. */
bool emit_sent(struct device *d, struct slice frame, const struct place *at);
/* A receipt, session:ready, an event relayed from another backend: with the
 * offset as its last argument. False: not connected (yet), or closing. */
bool emit_event(struct device *d, struct slice frame);
/* The floor of the device's offset (P): 60 s before router_good_us(), or before
 * it connected when that is later; while it catches up, where it began. */
int64_t emit_floor(const struct device *d);

/* When it connected, in cluster time. 0: nobody knows, for the host's wall clock
 * was ahead, and Redis had not told yet. */
int64_t emit_since_us(const struct device *d);
/* For the catch-up, whose messages are not held back. settled: as if it were
 * not catching up. */
int64_t emit_floor_settled(const struct device *d);
bool emit_is_repeat(const struct device *d, const struct emission *e);
bool emit_now(struct device *d, const struct emission *e);

#endif
