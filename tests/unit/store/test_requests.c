/* The requests over a backend that answers when the test says so. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/store/store_requests.h"
#include "tests/servers/loop_wait.h"

static struct loop *loop;
static struct store_requests *requests;
static struct store_op *out[32];	/* handed over, not answered */
static size_t nout;

static void run(void *arg, struct store_op *op)
{
	(void)arg;
	cr_assert_lt(nout, ARRAY_SIZE(out));
	out[nout++] = op;
}

static void start(unsigned timeout_ms)
{
	loop = loop_new();
	requests = store_requests_new(
		loop, &(struct store_requests_conf){ .timeout_ms = timeout_ms,
						     .run = run });
}

static void stop(void)
{
	store_requests_cancel(requests);
	while (nout > 0)
		store_op_done(out[--nout], -ECANCELED);
	store_requests_free(&requests);
	loop_free(&loop);
}

static struct store_op *shift(void)
{
	struct store_op *op = out[0];

	cr_assert_gt(nout, 0);
	memmove(out, out + 1, --nout * sizeof(out[0]));
	return op;
}

/* A caller, and the positions of the rows that it was told of. */
struct asker {
	bool done;
	int err;
	int64_t pos[8];
	size_t n;
};

static void on_rows(void *arg, int err, const struct message *rows, size_t n)
{
	struct asker *a = arg;

	cr_assert(!a->done, "answered twice");
	a->done = true;
	a->err = err;
	for (size_t i = 0; i < n && i < ARRAY_SIZE(a->pos); i++)
		a->pos[a->n++] = rows[i].pos;
}

static void ask(struct asker *a, const char *user, unsigned limit)
{
	struct store_request *q = store_request_new(requests, OP_MISSED, 0, a);

	*a = (struct asker){ 0 };
	q->cb.rows = on_rows;
	q->user_id = mem_strdup(user);
	q->missed = (struct store_missed){ .user_id = q->user_id,
					   .limit = limit };
	store_request_start(q);
}

static void add(struct store_op *op, int64_t pos, unsigned call)
{
	const struct message m = { .match_id = "m", .sender_id = "s",
				   .recipient_id = "r", .src = "h", .pos = pos };

	store_rows_add(&op->rows, &m, call);
}

Test(requests, of_one_turn_and_of_a_group_out)
{
	struct asker a[6];
	struct store_op *op;
	char user[8];

	start(5000);
	for (int i = 0; i < 3; i++) {
		snprintf(user, sizeof(user), "u%d", i);
		ask(&a[i], user, 100);
	}
	cr_expect_eq(nout, 0, "handed over before the turn's end");
	loop_turn(loop, 1);
	for (int i = 3; i < 6; i++)
		ask(&a[i], "later", 100);
	loop_turn(loop, 1);
	cr_assert_eq(nout, 1, "two groups out");
	op = shift();
	cr_assert_eq(op->nmissed, 3);
	for (size_t i = 0; i < 3; i++) {
		snprintf(user, sizeof(user), "u%zu", i);
		cr_expect_str_eq(op->missed[i].user_id, user);
	}
	/* Each is told of its own, in order of pos. */
	add(op, 30, 2);
	add(op, 12, 0);
	add(op, 20, 2);
	add(op, 11, 0);
	store_op_done(op, 0);
	cr_expect(a[0].done && a[1].done && a[2].done && !a[3].done);
	cr_assert_eq(a[0].n, 2);
	cr_expect_eq(a[0].pos[0], 11);
	cr_expect_eq(a[0].pos[1], 12);
	cr_expect_eq(a[1].n, 0);
	cr_assert_eq(a[2].n, 2);
	cr_expect_eq(a[2].pos[0], 20);
	loop_turn(loop, 1);
	op = shift();
	cr_expect_eq(op->nmissed, 3);
	add(op, 1, 0);
	store_op_done(op, -ECONNRESET);
	for (int i = 3; i < 6; i++) {
		cr_expect_eq(a[i].err, -ECONNRESET);
		cr_expect_eq(a[i].n, 0, "rows of one that failed");
	}
	stop();
}

/* A statement reports 10,000 rows at most. */
static void on_set(void *arg, int err)
{
	on_rows(arg, err, NULL, 0);
}

/* What is set in one turn is one statement, in order of id: the workers that
 * set the same rows lock them in the same order. */
Test(requests, owes_of_one_turn)
{
	static const int order[] = { 3, 1, 2 };
	struct asker a[ARRAY_SIZE(order)] = { 0 };
	struct store_op *op;

	start(5000);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		struct store_request *q =
			store_request_new(requests, OP_SET_OWE, 1, &a[i]);
		char id[1][MESSAGE_ID_LEN + 1];

		q->cb.done = on_set;
		snprintf(id[0], sizeof(id[0]), "%024d", order[i]);
		store_request_ids(q, (const char(*)[MESSAGE_ID_LEN + 1])id, 1);
		memcpy(q->owe.id, id[0], sizeof(q->owe.id));
		q->owe.owe_us = 10 * order[i];
		store_request_start(q);
	}
	loop_turn(loop, 1);
	cr_assert_eq(nout, 1);
	op = shift();
	cr_assert_eq(op->nowes, 3);
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(atoi(op->owes[i].id), i + 1);
		cr_expect_eq(op->owes[i].owe_us, 10 * (i + 1));
	}
	store_op_done(op, -ECONNRESET);
	for (size_t i = 0; i < ARRAY_SIZE(a); i++)
		cr_expect_eq(a[i].err, -ECONNRESET);
	stop();
}

static void get(struct asker *a, size_t n, const int *which)
{
	struct store_request *q = store_request_new(requests, OP_GET, n, a);
	char ids[4][MESSAGE_ID_LEN + 1];

	q->cb.rows = on_rows;
	for (size_t i = 0; i < n; i++)
		snprintf(ids[i], sizeof(ids[i]), "%024d", which[i]);
	store_request_ids(q, (const char(*)[MESSAGE_ID_LEN + 1])ids, n);
	store_request_start(q);
}

/* What is got in one turn is one statement; each gets what he asked for, also
 * when others did, and once. */
Test(requests, gets_of_one_turn)
{
	static const struct {
		size_t n;
		int ids[4];
		size_t got;
		int64_t pos[3];
	} cases[] = {
		{ 1, { 3 }, 1, { 3 } },
		{ 4, { 4, 3, 1, 9 }, 3, { 1, 3, 4 } },
		{ 2, { 1, 1 }, 1, { 1 } },
		{ 1, { 9 }, 0, { 0 } },
		{ 3, { 3, 1, 3 }, 2, { 1, 3 } },
	};
	static const int want[] = { 1, 3, 4, 9 }, there[] = { 4, 1, 3 };
	struct asker a[ARRAY_SIZE(cases)] = { 0 }, late = { 0 };
	struct store_op *op;

	start(5000);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		get(&a[i], cases[i].n, cases[i].ids);
	loop_turn(loop, 1);
	cr_assert_eq(nout, 1);
	op = shift();
	cr_assert_eq(op->nids, ARRAY_SIZE(want));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		cr_expect_eq(atoi(op->ids[i]), want[i]);
	get(&late, 1, &there[0]);
	loop_turn(loop, 1);
	cr_assert_eq(nout, 0, "a second one while the first was out");
	for (size_t i = 0; i < ARRAY_SIZE(there); i++) {
		struct message m = { .match_id = "m", .sender_id = "s",
				     .recipient_id = "r", .src = "h",
				     .pos = there[i] };

		snprintf(m.id, sizeof(m.id), "%024d", there[i]);
		store_rows_add(&op->rows, &m, 0);
	}
	store_op_done(op, 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_expect(a[i].done && a[i].err == 0);
		cr_assert_eq(a[i].n, cases[i].got, "case %zu: %zu", i, a[i].n);
		cr_expect_arr_eq(a[i].pos, cases[i].pos,
				 a[i].n * sizeof(a[i].pos[0]), "case %zu", i);
	}
	loop_turn(loop, 1);
	store_op_done(shift(), -ETIMEDOUT);
	cr_expect_eq(late.err, -ETIMEDOUT);
	stop();
}

Test(requests, groups_are_bounded)
{
	static struct asker a[50];
	static const size_t want[] = { 20, 20, 10 };

	start(5000);
	for (int i = 0; i < 50; i++)
		ask(&a[i], "u", 500);
	for (size_t k = 0; k < ARRAY_SIZE(want); k++) {
		struct store_op *op;

		loop_turn(loop, 1);
		cr_assert_eq(nout, 1);
		op = shift();
		cr_expect_eq(op->nmissed, want[k]);
		store_op_done(op, 0);
	}
	for (int i = 0; i < 50; i++)
		cr_expect(a[i].done && a[i].err == 0);
	stop();
}

Test(requests, deadline_of_what_is_out_and_of_what_waits)
{
	struct asker a[3];

	start(50);
	ask(&a[0], "u", 10);
	loop_turn(loop, 1);
	ask(&a[1], "u", 10);
	WAIT_FOR(loop, a[0].done && a[1].done);
	cr_expect_eq(a[0].err, -ETIMEDOUT);
	cr_expect_eq(a[1].err, -ETIMEDOUT);
	ask(&a[2], "u", 10);
	store_op_done(shift(), 0);	/* too late for anybody */
	loop_turn(loop, 1);
	cr_assert_eq(nout, 1);
	cr_expect_eq(out[0]->nmissed, 1, "one that had expired was sent");
	store_op_done(shift(), 0);
	cr_expect_eq(a[2].err, 0);
	stop();
}

Test(requests, refused_ones_are_not_handed_over)
{
	struct asker a[2] = { 0 };
	const char ids[2][MESSAGE_ID_LEN + 1] = { "no id", "" };
	struct store_request *q;

	start(5000);
	q = store_request_new(requests, OP_HISTORY, 0, &a[0]);
	q->cb.rows = on_rows;
	store_request_refuse(q, -ENOENT);
	store_request_start(q);
	q = store_request_new(requests, OP_GET, 2, &a[1]);
	q->cb.rows = on_rows;
	store_request_ids(q, ids, 2);
	store_request_start(q);
	cr_expect(!a[0].done && !a[1].done, "answered within the call");
	loop_turn(loop, 1);
	cr_expect_eq(a[0].err, -ENOENT);
	cr_expect(a[1].done && a[1].err == 0);
	cr_expect_eq(nout, 0);
	stop();
}

Test(requests, cancelled_wherever_they_are)
{
	struct asker a[4];

	start(5000);
	ask(&a[0], "u", 10);
	ask(&a[1], "u", 10);
	loop_turn(loop, 1);
	ask(&a[2], "u", 10);
	cr_expect(store_requests_cancel(requests));
	cr_expect(!store_requests_cancel(requests));
	for (int i = 0; i < 3; i++)
		cr_expect_eq(a[i].err, -ECANCELED);
	stop();
}

/* Rows come in the order that their kind promises. */
Test(requests, orders)
{
	static const struct {
		enum store_op_kind kind;
		const char *want;
	} cases[] = {
		{ OP_MISSED, "abc" },  { OP_GET, "abc" },   { OP_UNREAD, "abc" },
		{ OP_RECEIPTS, "cba" }, { OP_DUE, "bca" }, { OP_HISTORY, "cab" },
	};
	const struct message m[] = {
		{ .id = "b", .pos = 5, .chg = 8, .owe = 1, .sent_at_ms = 3 },
		{ .id = "a", .pos = 5, .chg = 9, .owe = 3, .sent_at_ms = 3 },
		{ .id = "c", .pos = 6, .chg = 7, .owe = 2, .sent_at_ms = 1 },
	};

	for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
		struct store_rows r = { 0 };

		for (size_t i = 0; i < ARRAY_SIZE(m); i++)
			store_rows_add(&r, &m[i], 0);
		store_rows_sort(&r, cases[k].kind);
		for (size_t i = 0; i < ARRAY_SIZE(m); i++)
			cr_expect_eq(r.v[i].id[0], cases[k].want[i],
				     "kind %d, place %zu", cases[k].kind, i);
		store_rows_free(&r);
	}
}
