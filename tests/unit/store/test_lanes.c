/* The lanes over a backend of a few lines: rows in an array, answers when the
 * test says so. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/store/store_lanes.h"
#include "tests/servers/loop_wait.h"

#define TABLE_MAX 2000

static struct loop *loop;
static struct store_lanes *lanes;

static struct message *table[TABLE_MAX];
static size_t ntable;
static struct store_batch *out[8];	/* batches in flight, by lane */
static unsigned nbatches;
static size_t biggest;
static bool at_once;		/* answer within the call */

struct answer {
	enum store_result r;
	char first[MESSAGE_ID_LEN + 1];
	int64_t first_pos;
	int order;		/* -1: none yet */
};
static int answered;

static void on_answer(void *arg, enum store_result r,
		      const struct message *first)
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

static const struct message *table_find(const char *id)
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

static void release(unsigned lane, int err)
{
	struct store_batch *b = out[lane];

	cr_assert_not_null(b);
	out[lane] = NULL;
	if (err == 0)
		carry_out(b);
	else
		store_batch_done(b, err);
}

static void start(unsigned nlanes, unsigned timeout_ms, unsigned queue_max)
{
	loop = loop_new();
	lanes = store_lanes_new(loop, &(struct store_lanes_conf){
					      .lanes = nlanes,
					      .timeout_ms = timeout_ms,
					      .queue_max = queue_max,
					      .insert = on_batch,
				      });
}

static void stop(void)
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

static struct message message(int n, const char *content)
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

static void insert(int n, const char *content, struct answer *a)
{
	struct message m = message(n, content);

	*a = (struct answer){ .order = -1 };
	store_lanes_insert(lanes, &m, on_answer, a);
}

Test(lanes, what_waits_is_the_next_batch)
{
	struct answer a[50];

	start(1, 5000, 1000);
	insert(0, "x", &a[0]);
	cr_expect_eq(nbatches, 0, "handed over before the turn's end");
	loop_turn(loop, 1);
	for (int i = 1; i < 50; i++)
		insert(i, "x", &a[i]);
	loop_turn(loop, 1);
	cr_expect_eq(nbatches, 1);
	cr_expect_eq(answered, 0);
	release(0, 0);
	loop_turn(loop, 1);
	cr_expect_eq(nbatches, 2);
	cr_expect_eq(biggest, 49);
	release(0, 0);
	for (int i = 0; i < 50; i++) {
		cr_expect_eq(a[i].r, STORE_OK);
		cr_expect_eq(a[i].order, i, "out of order");
	}
	stop();
}

Test(lanes, a_turn_is_one_batch)
{
	struct answer a[20];

	start(1, 5000, 1000);
	at_once = true;
	for (int i = 0; i < 20; i++)
		insert(i, "x", &a[i]);
	loop_turn(loop, 1);
	cr_expect_eq(nbatches, 1);
	cr_expect_eq(answered, 20);
	stop();
}

Test(lanes, batches_are_bounded)
{
	static struct answer a[1201];
	static char big[300 * 1024];

	start(1, 5000, 5000);
	at_once = true;
	for (int i = 0; i < 1201; i++)
		insert(i, "x", &a[i]);
	loop_turn(loop, 5);
	cr_expect_eq(nbatches, 3);
	cr_expect_eq(biggest, LANE_BATCH_ROWS);
	memset(big, 'b', sizeof(big) - 1);
	nbatches = 0;
	biggest = 0;
	for (int i = 0; i < 7; i++)
		insert(5000 + i, big, &a[i]);
	loop_turn(loop, 5);
	cr_expect_eq(biggest, 3, "more than 1 MiB in a batch");
	cr_expect_eq(nbatches, 3);
	stop();
}

Test(lanes, a_row_beyond_the_bound_goes_alone)
{
	static char big[2 * LANE_BATCH_BYTES];
	struct answer a[2];

	start(1, 5000, 10);
	at_once = true;
	memset(big, 'b', sizeof(big) - 1);
	insert(0, big, &a[0]);
	insert(1, "x", &a[1]);
	loop_turn(loop, 5);
	cr_expect_eq(a[0].r, STORE_OK);
	cr_expect_eq(a[1].r, STORE_OK);
	cr_expect_eq(nbatches, 2);
	stop();
}

Test(lanes, streams_spread_and_stay)
{
	struct answer a[64];
	unsigned used = 0;

	start(8, 5000, 1000);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 32; i++) {
			char sender[16];
			struct message m = message(round * 32 + i, "x");

			snprintf(sender, sizeof(sender), "u%d", i);
			m.sender_id = sender;
			a[round * 32 + i] = (struct answer){ .order = -1 };
			store_lanes_insert(lanes, &m, on_answer,
					   &a[round * 32 + i]);
		}
	}
	loop_turn(loop, 1);
	for (unsigned i = 0; i < 8; i++) {
		if (out[i] == NULL)
			continue;
		used++;
		cr_expect_eq(out[i]->n % 2, 0, "a stream in two lanes");
	}
	cr_expect_gt(used, 3);
	stop();
}

Test(lanes, bad_rows_stand_alone)
{
	static struct answer a[LANE_BATCH_ROWS];

	start(1, 5000, 1000);
	at_once = true;
	for (int i = 0; i < LANE_BATCH_ROWS; i++)
		insert(i, i == 0 || i == 250 || i == 499 ? "bad" : "x", &a[i]);
	loop_turn(loop, 5);
	for (int i = 0; i < LANE_BATCH_ROWS; i++) {
		cr_expect_eq(a[i].r, i == 0 || i == 250 || i == 499 ?
					     STORE_REFUSED :
					     STORE_OK,
			     "row %d", i);
		cr_expect_eq(a[i].order, i, "row %d out of order", i);
	}
	cr_expect_lt(nbatches, 60);
	stop();
}

Test(lanes, all_rows_bad)
{
	static struct answer a[100];

	start(1, 5000, 1000);
	at_once = true;
	for (int i = 0; i < 100; i++)
		insert(i, "bad", &a[i]);
	loop_turn(loop, 5);
	for (int i = 0; i < 100; i++)
		cr_expect_eq(a[i].r, STORE_REFUSED);
	stop();
}

Test(lanes, same_id_in_one_batch)
{
	struct answer a[5];

	start(1, 5000, 1000);
	at_once = true;
	insert(1, "x", &a[0]);
	insert(2, "y", &a[1]);
	insert(1, "x", &a[2]);
	insert(1, "other", &a[3]);
	insert(2, "y", &a[4]);
	loop_turn(loop, 2);
	cr_expect_eq(nbatches, 1);
	cr_expect_eq(a[0].r, STORE_OK);
	cr_expect_eq(a[1].r, STORE_OK);
	cr_expect_eq(a[2].r, STORE_DUPLICATE);
	cr_expect_eq(a[2].first_pos, table_find(a[2].first)->pos);
	cr_expect_eq(a[3].r, STORE_CLASH);
	cr_expect_eq(a[4].r, STORE_DUPLICATE);
	for (int i = 0; i < 5; i++)
		cr_expect_eq(a[i].order, i);
	cr_expect_eq(ntable, 2);
	stop();
}

Test(lanes, same_id_in_the_store)
{
	struct answer a[4];

	start(1, 5000, 1000);
	at_once = true;
	insert(1, "x", &a[0]);
	loop_turn(loop, 1);
	insert(1, "x", &a[1]);
	insert(1, "z", &a[2]);
	insert(1, "x", &a[3]);
	loop_turn(loop, 1);
	cr_expect_eq(a[0].r, STORE_OK);
	cr_expect_eq(a[1].r, STORE_DUPLICATE);
	cr_expect_eq(a[2].r, STORE_CLASH);
	cr_expect_eq(a[3].r, STORE_DUPLICATE);
	stop();
}

Test(lanes, same_id_as_a_bad_row)
{
	struct answer a[3];

	start(1, 5000, 1000);
	at_once = true;
	insert(1, "bad", &a[0]);
	insert(1, "bad", &a[1]);
	insert(1, "good", &a[2]);
	loop_turn(loop, 1);
	cr_expect_eq(a[0].r, STORE_REFUSED);
	cr_expect_eq(a[1].r, STORE_REFUSED);
	cr_expect_eq(a[2].r, STORE_UNAVAILABLE, "was not tried");
	cr_expect_eq(ntable, 0);
	stop();
}

/* The driver sent the insert again after its answer was lost: the row it
 * meets is the one it made. */
Test(lanes, meeting_ones_own_row_is_no_duplicate)
{
	struct message m = message(1, "x");
	struct answer a = { .order = -1 };

	start(1, 5000, 1000);
	at_once = true;
	table[ntable++] = message_dup(&m);
	store_lanes_insert(lanes, &m, on_answer, &a);
	loop_turn(loop, 1);
	cr_expect_eq(a.r, STORE_OK);
	stop();
}

/* What waits is refused with a batch of unknown outcome, and not sent; what is
 * certainly not stored leaves no gap, and the lane goes on. */
Test(lanes, unavailable_batch)
{
	static const struct {
		int err;
		bool unknown;
	} cases[] = {
		{ -ECONNRESET, true }, { -ETIMEDOUT, true },
		{ -EREMOTEIO, true },  { -ECANCELED, true },
		{ -ENOTCONN, false },  { -EAGAIN, false },
	};
	struct answer a[ARRAY_SIZE(cases)][5];
	int n = 0;

	start(1, 5000, 1000);
	for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
		answered = 0;
		insert(n++, "x", &a[k][0]);
		insert(n++, "x", &a[k][1]);
		loop_turn(loop, 1);
		insert(n++, "x", &a[k][2]);
		insert(n++, "x", &a[k][3]);
		nbatches = 0;
		release(0, cases[k].err);
		cr_expect_eq(answered, cases[k].unknown ? 4 : 2, "case %zu", k);
		insert(n++, "x", &a[k][4]);
		loop_turn(loop, 1);
		cr_expect_eq(nbatches, 1, "the lane did not go on");
		release(0, 0);
		for (int i = 0; i < 5; i++) {
			bool fails = i < (cases[k].unknown ? 4 : 2);

			cr_expect_eq(a[k][i].r,
				     fails ? STORE_UNAVAILABLE : STORE_OK,
				     "case %zu, row %d", k, i);
			cr_expect_eq(a[k][i].order, i, "case %zu, row %d", k, i);
		}
		cr_expect_eq(ntable, k < 4 ? k + 1 : 4 + (k - 3) * 3);
	}
	stop();
}

/* A row that nobody knows about is behind those known before it, and what is
 * behind it is not told as stored though it is. */
Test(lanes, unknown_row)
{
	struct answer a[6];
	struct store_batch *b;

	start(1, 5000, 1000);
	for (int i = 0; i < 4; i++)
		insert(i, i == 1 ? "lost" : "x", &a[i]);
	loop_turn(loop, 1);
	insert(4, "x", &a[4]);
	b = out[0];
	out[0] = NULL;
	for (size_t k = 0; k < b->n; k++)
		b->rows[k].state = b->rows[k].m->content.n == 4 ? ROW_UNKNOWN :
								  ROW_STORED;
	store_batch_done(b, 0);
	cr_expect_eq(answered, 5);
	insert(5, "x", &a[5]);
	loop_turn(loop, 1);
	release(0, 0);
	for (int i = 0; i < 6; i++) {
		cr_expect_eq(a[i].r, i >= 1 && i <= 4 ? STORE_UNAVAILABLE :
							STORE_OK);
		cr_expect_eq(a[i].order, i);
	}
	stop();
}

/* Halves behind one of unknown outcome are not sent. */
Test(lanes, unknown_half)
{
	struct answer a[9];

	start(1, 5000, 1000);
	for (int i = 0; i < 8; i++)
		insert(i, "x", &a[i]);
	loop_turn(loop, 1);
	insert(8, "x", &a[8]);
	release(0, -EINVAL);	/* 0 to 3 go first */
	release(0, 0);
	cr_expect_eq(answered, 4);
	release(0, -EINVAL);	/* 4 and 5 */
	nbatches = 0;
	release(0, -ECONNRESET);
	loop_turn(loop, 1);
	cr_expect_eq(nbatches, 0, "what is behind it was sent");
	for (int i = 0; i < 9; i++) {
		cr_expect_eq(a[i].r, i < 4 ? STORE_OK : STORE_UNAVAILABLE);
		cr_expect_eq(a[i].order, i);
	}
	stop();
}

/* Who is told that the outcome is not known sends on at once: that is stored,
 * though the batch's own end is still to come and is no better. */
static struct answer *sent_on;

static void on_answer_send_on(void *arg, enum store_result r,
			    const struct message *first)
{
	on_answer(arg, r, first);
	insert(50 + answered, "x", sent_on++);
}

Test(lanes, sent_on_within_the_callback)
{
	struct answer a[4], b[4];
	bool late;

	for (int k = 0; k < 2; k++) {
		late = k == 1;
		answered = 0;
		ntable = 0;
		sent_on = b;
		start(1, late ? 50 : 5000, 1000);
		for (int i = 0; i < 4; i++) {
			struct message m = message(i, "x");

			a[i] = (struct answer){ .order = -1 };
			store_lanes_insert(lanes, &m, on_answer_send_on, &a[i]);
			if (i == 1)
				loop_turn(loop, 1);
		}
		if (late)
			WAIT_FOR(loop, answered == 4);
		release(0, -ETIMEDOUT);
		cr_expect_eq(answered, 4);
		loop_turn(loop, 1);
		release(0, 0);
		for (int i = 0; i < 4; i++) {
			cr_expect_eq(a[i].order, i);
			cr_expect_eq(b[i].order, 4 + i);
			cr_expect_eq(b[i].r, STORE_OK, "late %d, row %d", late,
				     i);
		}
		stop();
	}
}

Test(lanes, deadline_of_what_is_out_and_of_what_waits)
{
	struct answer a[3];
	int64_t t0;

	start(1, 50, 1000);
	t0 = clock_mono_ms();
	insert(0, "x", &a[0]);
	loop_turn(loop, 1);
	insert(1, "x", &a[1]);
	WAIT_FOR(loop, answered == 2);
	cr_expect_geq(clock_mono_ms() - t0, 50);
	cr_expect_eq(a[0].r, STORE_UNAVAILABLE);
	cr_expect_eq(a[1].r, STORE_UNAVAILABLE);
	cr_expect_eq(a[0].order, 0);
	/* Its answer comes too late for anybody; the lane is free again. */
	release(0, 0);
	insert(2, "x", &a[2]);
	loop_turn(loop, 1);
	release(0, 0);
	cr_expect_eq(a[2].r, STORE_OK);
	cr_expect_eq(ntable, 2, "the one that only waited was stored");
	stop();
}

/* A row that expired while its batch is being halved is not tried again. */
Test(lanes, deadline_while_halving)
{
	struct answer a[2];

	start(1, 50, 1000);
	insert(0, "bad", &a[0]);
	insert(1, "x", &a[1]);
	loop_turn(loop, 1);
	WAIT_FOR(loop, answered == 2);
	release(0, -EINVAL);
	cr_expect_null(out[0]);
	cr_expect_eq(ntable, 0);
	stop();
}

Test(lanes, queue_max)
{
	struct answer a[4];

	start(1, 5000, 2);
	insert(0, "x", &a[0]);
	loop_turn(loop, 1);
	insert(1, "x", &a[1]);
	insert(2, "x", &a[2]);
	insert(3, "x", &a[3]);
	cr_expect_eq(a[3].order, -1, "answered within the call");
	loop_turn(loop, 1);
	cr_expect_eq(a[3].order, 0);
	cr_expect_eq(a[3].r, STORE_UNAVAILABLE);
	release(0, 0);
	loop_turn(loop, 1);
	release(0, 0);
	cr_expect_eq(a[1].r, STORE_OK);
	cr_expect_eq(a[2].r, STORE_OK);
	stop();
}

Test(lanes, cancel_answers_all)
{
	struct answer a[4];

	start(1, 5000, 2);
	insert(0, "x", &a[0]);
	loop_turn(loop, 1);
	for (int i = 1; i < 4; i++)
		insert(i, "x", &a[i]);
	stop();
	cr_expect_eq(answered, 4);
	for (int i = 0; i < 4; i++)
		cr_expect_eq(a[i].r, STORE_UNAVAILABLE);
}

/* A client that sends its next message when it is told of the last. */
static void on_answer_again(void *arg, enum store_result r,
			    const struct message *first)
{
	int *left = arg;
	struct message m = message(10000 + *left, "x");

	(void)first;
	cr_assert_eq(r, STORE_OK);
	if (--*left > 0)
		store_lanes_insert(lanes, &m, on_answer_again, left);
}

Test(lanes, insert_from_an_answer)
{
	int left = 20;
	struct message m = message(1, "x");

	start(1, 5000, 10);
	at_once = true;
	store_lanes_insert(lanes, &m, on_answer_again, &left);
	WAIT_FOR(loop, left == 0);
	cr_expect_eq(nbatches, 20);
	stop();
}
