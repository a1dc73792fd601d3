/* Lanes: batches, their order and bounds, rows that are bad and ids that are there
 * already. */
#include "tests/unit/store/lanes_world.h"

Test(lanes, what_waits_is_the_next_batch)
{
	struct answer a[50];

	start(1, 60000, 1000);
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

	start(1, 60000, 1000);
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

	start(1, 60000, 5000);
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

	start(1, 60000, 10);
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

	start(8, 60000, 1000);
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

	start(1, 60000, 1000);
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

	start(1, 60000, 1000);
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

	start(1, 60000, 1000);
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

	start(1, 60000, 1000);
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

	start(1, 60000, 1000);
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

	start(1, 60000, 1000);
	at_once = true;
	table[ntable++] = message_dup(&m);
	store_lanes_insert(lanes, &m, on_answer, &a);
	loop_turn(loop, 1);
	cr_expect_eq(a.r, STORE_OK);
	stop();
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

	start(1, 60000, 10);
	at_once = true;
	store_lanes_insert(lanes, &m, on_answer_again, &left);
	WAIT_FOR(loop, left == 0);
	cr_expect_eq(nbatches, 20);
	stop();
}
