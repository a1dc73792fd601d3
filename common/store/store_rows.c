#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/store/store_backend.h"

static void add_owned(struct store_rows *r, struct message *m, unsigned call)
{
	if (r->n == r->cap) {
		r->cap = r->cap != 0 ? 2 * r->cap : 8;
		r->v = mem_realloc(r->v, r->cap * sizeof(*r->v));
		r->call = mem_realloc(r->call, r->cap * sizeof(*r->call));
		r->owned = mem_realloc(r->owned, r->cap * sizeof(*r->owned));
	}
	r->owned[r->n] = m;
	r->v[r->n] = *m;
	r->call[r->n] = call;
	r->n++;
}

void store_rows_add(struct store_rows *r, const struct message *m,
		    unsigned call)
{
	add_owned(r, message_dup(m), call);
}

void store_rows_move(struct store_rows *to, struct store_rows *from, size_t i,
		     unsigned call)
{
	add_owned(to, from->owned[i], call);
	from->owned[i] = NULL;
}

bool store_rows_full(const struct message *rows, size_t n, unsigned limit,
		     size_t bytes)
{
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += rows[i].content.n;
	return n >= limit || (bytes != 0 && sum >= bytes);
}

static int by_number(int64_t x, int64_t y, const struct message *a,
		     const struct message *b)
{
	if (x != y)
		return x < y ? -1 : 1;
	return strcmp(a->id, b->id);
}

static int by_pos(const void *a, const void *b)
{
	const struct message *x = a, *y = b;

	return by_number(x->pos, y->pos, x, y);
}

static int by_chg(const void *a, const void *b)
{
	const struct message *x = a, *y = b;

	return by_number(x->chg, y->chg, x, y);
}

static int by_owe(const void *a, const void *b)
{
	const struct message *x = a, *y = b;

	return by_number(x->owe, y->owe, x, y);
}

static int by_sent_at(const void *a, const void *b)
{
	const struct message *x = a, *y = b;

	return by_number(x->sent_at_ms, y->sent_at_ms, x, y);
}

/* call[] is for grouping, which is over when rows are handed to a caller. */
void store_rows_sort(struct store_rows *r, enum store_op_kind kind)
{
	static int (*const order[OP__COUNT])(const void *, const void *) = {
		[OP_RECEIPTS] = by_chg,
		[OP_DUE] = by_owe,
		[OP_HISTORY] = by_sent_at,
	};

	if (r->n > 1)
		qsort(r->v, r->n, sizeof(r->v[0]),
		      order[kind] != NULL ? order[kind] : by_pos);
}

void store_rows_free(struct store_rows *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->owned[i]);
	free(r->v);
	free(r->call);
	free(r->owned);
	*r = (struct store_rows){ 0 };
}

static int by_id(const void *a, const void *b)
{
	const struct store_confirm_row *x = a, *y = b;
	int c = strcmp(x->id, y->id);

	if (c != 0)
		return c;
	return x->call < y->call ? -1 : x->call > y->call;
}

void store_confirm_rows(const struct store_op *op,
			struct store_confirm_row **rows_out, size_t *n_out)
{
	struct store_confirm_row *rows;
	size_t n = 0, k = 0;

	for (size_t i = 0; i < op->ncalls; i++)
		n += op->calls[i].n;
	rows = mem_alloc(n * sizeof(rows[0]));
	for (size_t i = 0; i < op->ncalls; i++)
		for (size_t j = 0; j < op->calls[i].n; j++)
			rows[k++] = (struct store_confirm_row){
				op->calls[i].ids[j], (unsigned)i
			};
	qsort(rows, n, sizeof(rows[0]), by_id);
	*rows_out = rows;
	*n_out = n;
}
