/* Operations of one loop turn on their way into a script call: arguments,
 * encoded one after the other, and who is told the outcome of each. */
#ifndef PW_ROUTER_BATCH_H
#define PW_ROUTER_BATCH_H

#include "common/base/buf.h"
#include "worker/router.h"

struct route_op {
	router_cb *cb;		/* may be NULL */
	void *arg;
};

struct route_batch {
	struct buf bytes;	/* the arguments, one behind the other */
	size_t *ends;		/* where in bytes each argument ends */
	size_t nargs;
	size_t args_cap;
	struct route_op *ops;
	size_t nops;
	size_t ops_cap;
};

/* Zero-initialised is empty. Clear keeps the memory. */
void route_batch_clear(struct route_batch *b);
void route_batch_free(struct route_batch *b);
/* The next operation, then its arguments. */
void route_batch_op(struct route_batch *b, char letter, router_cb *cb,
		    void *arg);
void route_batch_arg(struct route_batch *b, struct slice s);
/* One argument put together from the pieces written to b->bytes since the
 * last call. */
void route_batch_end_arg(struct route_batch *b);
/* Fills argv[0 .. nargs); borrowed from b. */
void route_batch_argv(const struct route_batch *b, struct slice *argv);

#endif
