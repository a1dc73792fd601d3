/* Lanes whose backend cannot say what became of rows, or not in time. */
#include "tests/unit/store/lanes_world.h"

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

	start(1, 60000, 1000);
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

	start(1, 60000, 1000);
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

	start(1, 60000, 1000);
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
		start(1, late ? 1000 : 60000, 1000);
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

	start(1, 1000, 1000);
	t0 = clock_mono_ms();
	insert(0, "x", &a[0]);
	loop_turn(loop, 1);
	insert(1, "x", &a[1]);
	WAIT_FOR(loop, answered == 2);
	cr_expect_geq(clock_mono_ms() - t0, 1000);
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

	start(1, 1000, 1000);
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

	start(1, 60000, 2);
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

	start(1, 60000, 2);
	insert(0, "x", &a[0]);
	loop_turn(loop, 1);
	for (int i = 1; i < 4; i++)
		insert(i, "x", &a[i]);
	stop();
	cr_expect_eq(answered, 4);
	for (int i = 0; i < 4; i++)
		cr_expect_eq(a[i].r, STORE_UNAVAILABLE);
}
