#include "worker/router_batch.h"

#include <stdlib.h>

#include "common/base/mem.h"

void route_batch_clear(struct route_batch *b)
{
	buf_clear(&b->bytes);
	b->nargs = 0;
	b->nops = 0;
}

void route_batch_free(struct route_batch *b)
{
	buf_free(&b->bytes);
	free(b->ends);
	free(b->ops);
	*b = (struct route_batch){ 0 };
}

void route_batch_end_arg(struct route_batch *b)
{
	if (b->nargs == b->args_cap) {
		b->args_cap = b->args_cap ? 2 * b->args_cap : 64;
		b->ends = mem_realloc(b->ends, b->args_cap * sizeof(*b->ends));
	}
	b->ends[b->nargs++] = b->bytes.len;
}

void route_batch_arg(struct route_batch *b, struct slice s)
{
	buf_add(&b->bytes, s.p, s.n);
	route_batch_end_arg(b);
}

void route_batch_op(struct route_batch *b, char letter, router_cb *cb,
		    void *arg)
{
	if (b->nops == b->ops_cap) {
		b->ops_cap = b->ops_cap ? 2 * b->ops_cap : 16;
		b->ops = mem_realloc(b->ops, b->ops_cap * sizeof(*b->ops));
	}
	b->ops[b->nops++] = (struct route_op){ cb, arg };
	buf_addc(&b->bytes, letter);
	route_batch_end_arg(b);
}

void route_batch_argv(const struct route_batch *b, struct slice *argv)
{
	size_t from = 0;

	for (size_t i = 0; i < b->nargs; i++) {
		argv[i] = (struct slice){ b->bytes.p + from, b->ends[i] - from };
		from = b->ends[i];
	}
}
