/* What client.c (connections) and client_packets.c (what comes over them) know
 * of each other. For no one else. */
#ifndef PW_BENCH_CLIENT_INTERNAL_H
#define PW_BENCH_CLIENT_INTERNAL_H

#include "bench/client.h"
#include "common/base/list.h"
#include "common/loop/deadlines.h"
#include "common/protocol/ws_frame.h"

#define SCRATCH_SIZE 65536

enum state { CONNECTING, UPGRADING, OPENING, JOINED, LEAVING, ENDED };

/* Needed until joined only. */
struct handshake {
	unsigned addr;		/* of the target's, being tried */
	unsigned tried;		/* how many were */
	char accept[29];
	char token[];
};

struct client {
	struct list node;	/* in clients.live, or in .ended */
	struct clients *cs;
	void *arg;
	struct io io;
	struct deadline deadline;	/* of joining, then of the next ping */
	struct buf in;		/* the beginning of what is not whole yet */
	struct buf out;		/* what the socket does not take yet */
	struct buf parts;	/* of a fragmented message */
	struct handshake *handshake;
	char *why_text;		/* ENDED and ended() still to be called */
	int fd;
	enum client_end why;
	enum state state;
};

struct clients {
	struct loop *loop;
	struct target *target;
	const struct client_ops *ops;
	struct list live;
	struct list ended;
	struct task reap;
	void (*left)(void *arg);
	void *left_arg;
	struct deadlines joining;
	struct deadlines leaving;
	struct deadlines pings;		/* once the server told its intervals */
	bool pings_known;
	struct buf frame;		/* for writing one */
	uint64_t random;
	char scratch[SCRATCH_SIZE];	/* for reading */
};

/* The only way out. fmt NULL, or it was leaving: ended() is not called. */
void client_finish(struct client *c, enum client_end why, const char *fmt, ...)
	PRINTF(3, 4);
void client_send_frame(struct client *c, enum ws_opcode op, struct slice payload);
void client_on_deadline(struct deadline *d, void *arg);
/* Handles what is whole at the start of `in`; how much of it that was. */
size_t client_take(struct client *c, struct slice in);

#endif
