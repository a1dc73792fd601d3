#include "tests/unit/store/lanes_world.h"

#include <stdlib.h>

struct loop *loop;
struct store_lanes *lanes;

struct message *table[TABLE_MAX];
size_t ntable;
struct store_batch *out[8];
unsigned nbatches;
size_t biggest;
bool at_once;
int answered;

void on_answer(void *arg, enum store_result r, const struct message *first)
{
	struct answer *a = arg;

	cr_assert_eq(a->order, -1, "answered twice");
	a->r = r;
	a->order = answered++;
	cr_assert_eq(first != NULL, r == STORE_DUPLICATE);
	if (first != NULL) {
		snprintf(a->first, sizeof(a->first), "%s", first->id);
		a->first_pos = first->pos;
	}
}

const struct message *table_find(const char *id)
{
	for (size_t i = 0; i < ntable; i++)
		if (strcmp(table[i]->id, id) == 0)
			return table[i];
	return NULL;
}

/* "bad" cannot be stored and spoils its batch. */
static bool is_bad(const struct message *m)
{
	return m->content.n == 3 && memcmp(m->content.p, "bad", 3) == 0;
}

static void carry_out(struct store_batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		if (i > 0)
			cr_assert(strcmp(b->rows[i - 1].m->id,
					 b->rows[i].m->id) < 0,
				  "not in order of id, or twice");
		if (is_bad(b->rows[i].m)) {
			store_batch_done(b, -EINVAL);
			return;
		}
	}
	for (size_t i = 0; i < b->n; i++) {
		struct store_row *row = &b->rows[i];
		const struct message *there = table_find(row->m->id);

		if (there != NULL) {
			row->state = ROW_PRESENT;
			row->found = message_dup(there);
		} else {
			row->state = ROW_STORED;
			cr_assert(ntable < TABLE_MAX);
			table[ntable++] = message_dup(row->m);
		}
	}
	store_batch_done(b, 0);
}

static void on_batch(void *arg, struct store_batch *b)
{
	(void)arg;
	cr_assert_null(out[b->lane], "two batches of one lane in flight");
	nbatches++;
	if (b->n > biggest)
		biggest = b->n;
	if (at_once)
		carry_out(b);
	else
		out[b->lane] = b;
}

void release(unsigned lane, int err)
{
	struct store_batch *b = out[lane];

	cr_assert_not_null(b);
	out[lane] = NULL;
	if (err == 0)
		carry_out(b);
	else
		store_batch_done(b, err);
}

void start(unsigned nlanes, unsigned timeout_ms, unsigned queue_max)
{
	loop = loop_new();
	lanes = store_lanes_new(loop, &(struct store_lanes_conf){
					      .lanes = nlanes,
					      .timeout_ms = timeout_ms,
					      .queue_max = queue_max,
					      .insert = on_batch,
				      });
}

void stop(void)
{
	store_lanes_cancel(lanes);
	for (unsigned i = 0; i < ARRAY_SIZE(out); i++)
		if (out[i] != NULL)
			release(i, -ECANCELED);
	store_lanes_free(&lanes);
	loop_free(&loop);
	for (size_t i = 0; i < ntable; i++)
		free(table[i]);
}

struct message message(int n, const char *content)
{
	static int64_t pos = 1000;
	struct message m = {
		.match_id = "m1",
		.sender_id = "u1",
		.recipient_id = "u2",
		.content = { content, strlen(content) },
		.src = "h:b:1",
		.pos = pos++,
	};

	/* Ids that do not come in the order of insertion. */
	snprintf(m.id, sizeof(m.id), "%024x", (unsigned)n * 2654435761u);
	return m;
}

void insert(int n, const char *content, struct answer *a)
{
	struct message m = message(n, content);

	*a = (struct answer){ .order = -1 };
	store_lanes_insert(lanes, &m, on_answer, a);
}
