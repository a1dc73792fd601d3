/* Connections whose next request belongs to a session of another worker of this
 * host go there, descriptor and unread bytes (design 2). The other way round
 * they come in here. */
#ifndef PW_HANDOVER_H
#define PW_HANDOVER_H

#include "common/base/base.h"
#include "common/base/net_addr.h"

struct handover;
struct loop;

/* Of a connection; goes along with it. */
struct conn_origin {
	struct net_addr peer;	/* as proxied; all zero: not known */
	uint32_t home;		/* the instance that accepted it */
};

struct handover_conf {
	const char *run_dir;	/* handover_path() */
	int fd;			/* bound to its path; taken */
	int64_t wait_ms;	/* for room in an owner's queue, at most */
};

struct handover_ops {
	/* A connection came: fd (non-blocking) is taken; read, borrowed, begins
	 * with a request's head. */
	void (*adopt)(void *arg, int fd, const struct conn_origin *from,
		      struct slice read);
	/* One that could not be sent after all: answer it as for an unknown
	 * session (gone), or that there is no way now (503). */
	void (*failed)(void *arg, int fd, const struct conn_origin *from,
		       struct slice read, bool gone);
	void *arg;
};

/* Bytes that may go along; what a connection has read at a request's boundary
 * must never be more. */
#define HANDOVER_READ_MAX (48 * 1024)

struct handover *handover_new(struct loop *l, const struct handover_conf *c,
			      const struct handover_ops *ops);
/* Connections still waiting to be sent are closed. */
void handover_free(struct handover **h);
/* Sends the connection to its owner. fd is taken and read copied in any case:
 * while the owner's queue is full the connection waits, in order and up to
 * wait_ms, 2,048 of them at most, of one owner three quarters of that.
 * failed() may be called before this returns. */
void handover_send(struct handover *h, uint32_t owner, int fd,
		   const struct conn_origin *from, struct slice read);
/* Some wait to be sent. */
bool handover_waiting(const struct handover *h);
/* Takes what is there, and nothing from then on: to others this worker is gone.
 * For one that ends, so that it leaves no connection behind unanswered. */
void handover_shut(struct handover *h);

#endif
