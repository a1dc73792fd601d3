/* Confirmations, with the store and everything else faked: what it is told, who
 * hears of it, and what becomes of what it did not take. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/ipc/stats.h"
#include "common/store/message_store.h"
#include "tests/unit/chat/id_of.h"
#include "worker/chat/confirm.h"

#define MAX 400

/* --- what the fakes saw --- */
static struct {
	struct {
		int64_t at_ms, chg;
		size_t n;
		char user[16];
		char first[MESSAGE_ID_LEN + 1];
		store_rows_cb *cb;
		void *arg;
	} told[MAX];
	int ntold;
	struct {
		size_t n;
		char first[MESSAGE_ID_LEN + 1];
		store_rows_cb *cb;
		void *arg;
	} got;
	int ngets;
	char sent[MAX][200];	/* to senders and back to the asker */
	int nsent;
} saw;

void message_store_delivered(struct message_store *s,
			     const struct store_confirm *c, store_rows_cb *cb,
			     void *arg)
{
	int i = saw.ntold++;

	(void)s;
	cr_assert_lt(i, MAX);
	saw.told[i].at_ms = c->at_ms;
	saw.told[i].chg = c->chg;
	saw.told[i].n = c->n;
	saw.told[i].cb = cb;
	saw.told[i].arg = arg;
	snprintf(saw.told[i].user, sizeof(saw.told[i].user), "%s", c->recipient_id);
	strcpy(saw.told[i].first, c->ids[0]);
}

void message_store_get(struct message_store *s,
		       const char (*ids)[MESSAGE_ID_LEN + 1], size_t n,
		       store_rows_cb *cb, void *arg)
{
	(void)s;
	saw.ngets++;
	saw.got.n = n;
	saw.got.cb = cb;
	saw.got.arg = arg;
	strcpy(saw.got.first, ids[0]);
}

static void note(const char *to, struct slice what)
{
	cr_assert_lt(saw.nsent, MAX);
	snprintf(saw.sent[saw.nsent++], 200, "%s %.*s", to, (int)what.n, what.p);
}

void chat_receipt(struct chat *chat, const char *user, struct slice frame)
{
	(void)chat;
	note(user, frame);
}

void chat_refuse(struct device *device, int64_t ack, const struct field_error *e,
		 const char *temp_id)
{
	(void)device; (void)ack; (void)temp_id;
	note("error", (struct slice){ e->text, strlen(e->text) });
}

const struct field_error error_unavailable = { ERR_SERVICE_UNAVAILABLE, "", 0 };
const struct field_error error_too_many = { ERR_RATE_LIMITED, "", 0 };

void sio_ack(struct sio_socket *k, int64_t ack, struct slice json)
{
	(void)k;
	cr_expect_eq(ack, 7);
	note("ack", json);
}

/* --- the world --- */
static struct chat c;
static struct device *d;

static void setup(void)
{
	clock_fake_set(1000000, 5000000000);
	c.loop = loop_new();
	users_init(&c.users);
	confirms_init(&c);
	d = device_new(&c, &c.users, "ben", (struct sio_socket *)&c);
	d->accepted = true;
}

static void device_leaves(void)
{
	char id[PW_ID_MAX + 1];

	device_gone(&c.users, d, id);
	d = NULL;
}

static void teardown(void)
{
	if (d != NULL)
		device_leaves();
	confirms_free(&c);
	users_free(&c.users);
	buf_free(&c.scratch);
	buf_free(&c.offset);
	loop_free(&c.loop);
}

TestSuite(confirm, .init = setup, .fini = teardown, .timeout = 240);

static void written(unsigned from, unsigned n)
{
	for (unsigned i = from; i < from + n; i++)
		device_pending_add(d, i, id_of(i), 0);
}

/* The store answers call i: it changed the row of this message, or none. */
static void answer(int i, int err, const char *id)
{
	struct message row = { .sender_id = "anna",
			       .delivered_at_ms = saw.told[i].at_ms };

	if (id != NULL)
		memcpy(row.id, id, sizeof(row.id));
	saw.told[i].cb(saw.told[i].arg, err, &row, id != NULL);
}

static void received(const char *ids_json)
{
	json_t *payload = json_pack("{s:o}", "messageIds",
				    json_loads(ids_json, 0, NULL));

	ev_received(d, payload, 7);
	json_decref(payload);
}

static void stop(void *loop)
{
	loop_stop(loop);
}

/* Until the timer that repeats has run. */
static void wait_for_call(int n)
{
	struct timer t = { 0 };

	for (int tries = 0; saw.ntold < n && tries < 500; tries++) {
		timer_init(&t, c.loop, stop, c.loop);
		timer_arm(&t, 10);
		loop_run(c.loop);
		timer_free(&t);
	}
	cr_assert_eq(saw.ntold, n);
}

Test(confirm, a_pong_confirms_what_was_before_it)
{
	written(1, 3);
	chat_confirmed(d, 2);
	cr_assert_eq(saw.ntold, 1);
	cr_expect_eq(saw.told[0].n, 2);
	cr_expect_str_eq(saw.told[0].user, "ben");
	cr_expect_str_eq(saw.told[0].first, id_of(1));
	cr_expect_eq(c.ops, 1, "a stop waits for it");
	cr_expect_eq(saw.nsent, 0, "nothing is told before the store answered");
	chat_confirmed(d, 2);
	cr_expect_eq(saw.ntold, 1);
	answer(0, 0, id_of(2));	/* the first was confirmed by another device */
	cr_assert_eq(saw.nsent, 1);
	cr_expect(strncmp(saw.sent[0], "anna 42[\"message:delivered\"", 27) == 0,
		  "%s", saw.sent[0]);
	cr_expect_not_null(strstr(saw.sent[0], id_of(2)));
	cr_expect_eq(device_pending_count(d), 1);
	cr_expect_eq(c.ops, 0);
}

Test(confirm, many_go_in_parts)
{
	written(0, 1000);
	chat_confirmed(d, 2000);
	cr_assert_eq(saw.ntold, 2);
	cr_expect_eq(saw.told[0].n, CONFIRM_MAX);
	cr_expect_eq(saw.told[1].n, 500);
	cr_expect_neq(saw.told[0].chg, saw.told[1].chg);
	answer(0, 0, NULL);
	answer(1, 0, NULL);
	cr_expect_eq(device_pending_count(d), 0);
}

Test(confirm, kept_until_the_store_is_well_even_without_the_device)
{
	written(1, 1);
	chat_confirmed(d, 1);
	device_leaves();
	answer(0, -ENOTCONN, NULL);
	cr_expect_eq(stats_get(STAT_confirms_waiting), 1);
	cr_expect_eq(c.ops, 0);
	clock_fake_set(61000000, 5060000000);
	confirms_wake(&c);
	cr_assert_eq(saw.ntold, 2);
	cr_expect_str_eq(saw.told[1].user, "ben");
	cr_expect_eq(saw.told[1].at_ms, saw.told[0].at_ms, "it had it then");
	cr_expect_neq(saw.told[1].chg, saw.told[0].chg);
	cr_expect_eq(stats_get(STAT_confirms_waiting), 1);
	answer(1, 0, id_of(1));
	cr_expect_eq(stats_get(STAT_confirms_waiting), 0);
	cr_expect_eq(saw.nsent, 1);
	cr_expect_eq(saw.ngets, 0, "the first try was never sent");
}

Test(confirm, repeated_by_itself)
{
	written(1, 1);
	chat_confirmed(d, 1);
	answer(0, -EAGAIN, NULL);
	cr_expect(device_pending_has(d, id_of(1)));
	wait_for_call(2);
	answer(1, -EAGAIN, NULL);
	wait_for_call(3);
	answer(2, 0, id_of(1));
	cr_expect_not(device_pending_has(d, id_of(1)));
}

/* The answer was lost, not the update: its sender learns of it all the same,
 * and of nothing that was not so. */
Test(confirm, told_though_the_answer_was_lost)
{
	struct message rows[2] = {
		{ .sender_id = "anna", .recipient_id = "ben" },
		{ .sender_id = "anna", .recipient_id = "ben" },
	};

	written(1, 3);
	chat_confirmed(d, 3);
	answer(0, -ETIMEDOUT, NULL);
	confirms_wake(&c);
	answer(1, 0, id_of(3));
	cr_assert_eq(saw.ngets, 1);
	cr_expect_eq(saw.got.n, 2);
	cr_expect_str_eq(saw.got.first, id_of(1));
	memcpy(rows[0].id, id_of(1), sizeof(rows[0].id));
	rows[0].delivered_at_ms = saw.told[0].at_ms;
	memcpy(rows[1].id, id_of(2), sizeof(rows[1].id));
	rows[1].delivered_at_ms = saw.told[0].at_ms - 5;	/* another's */
	saw.got.cb(saw.got.arg, 0, rows, 2);
	cr_assert_eq(saw.nsent, 2);
	cr_expect_not_null(strstr(saw.sent[0], id_of(3)));
	cr_expect_not_null(strstr(saw.sent[1], id_of(1)));
	cr_expect_eq(device_pending_count(d), 0);
}

/* Nor could the row be read then. */
Test(confirm, looked_up_until_it_is_found)
{
	struct message row = { .sender_id = "anna", .recipient_id = "ben" };

	written(1, 2);
	chat_confirmed(d, 2);
	answer(0, -ETIMEDOUT, NULL);
	confirms_wake(&c);
	answer(1, 0, id_of(1));
	cr_assert_eq(saw.ngets, 1);
	cr_expect_eq(saw.nsent, 1);
	saw.got.cb(saw.got.arg, -ETIMEDOUT, NULL, 0);
	cr_expect_eq(stats_get(STAT_confirms_waiting), 1, "the other is told");
	confirms_wake(&c);
	cr_assert_eq(saw.ntold, 3);
	cr_expect_eq(saw.told[2].n, 1);
	answer(2, 0, NULL);
	cr_assert_eq(saw.ngets, 2);
	cr_expect_str_eq(saw.got.first, id_of(2));
	memcpy(row.id, id_of(2), sizeof(row.id));
	row.delivered_at_ms = saw.told[0].at_ms;
	saw.got.cb(saw.got.arg, 0, &row, 1);
	cr_assert_eq(saw.nsent, 2);
	cr_expect_not_null(strstr(saw.sent[1], id_of(2)));
	cr_expect_eq(stats_get(STAT_confirms_waiting), 0);
	cr_expect_eq(device_pending_count(d), 0);
}

Test(confirm, the_oldest_are_given_up)
{
	for (unsigned i = 0; i < CONFIRMS_KEPT_MAX / 500 + 1; i++) {
		written(500 * i, 500);
		chat_confirmed(d, UINT32_MAX / 2);
		answer((int)i, -ENOTCONN, NULL);
	}
	cr_expect_eq(stats_get(STAT_confirms_waiting), CONFIRMS_KEPT_MAX, "%d", (int)stats_get(STAT_confirms_waiting));
	confirms_wake(&c);
	cr_expect_str_eq(saw.told[CONFIRMS_KEPT_MAX / 500 + 1].first, id_of(500));
	cr_expect_eq(saw.nsent, 0);
	cr_expect_leq(saw.ntold, CONFIRMS_KEPT_MAX / 500 + 1 + 100);
	c.down = true;		/* what the store's end does */
	for (int i = CONFIRMS_KEPT_MAX / 500 + 1; i < saw.ntold; i++)
		answer(i, -ECANCELED, NULL);
	cr_expect_eq(saw.ntold, CONFIRMS_KEPT_MAX / 500 + 1 + 100);
}

Test(confirm, the_app_says_it_itself)
{
	written(1, 3);
	received("[\"00000002 no id\"]");
	cr_expect_not(d->explicit_mode, "it must be one");
	cr_expect_eq(saw.nsent, 1, "an error");
	received("[\"000000020000000000000002\", \"00000009000000000000000a\"]");
	cr_expect(d->explicit_mode);
	cr_assert_eq(saw.ntold, 1);
	cr_expect_eq(saw.told[0].n, 2, "also what another device was sent");
	chat_confirmed(d, 3);
	cr_expect_eq(saw.ntold, 1, "a pong proves nothing any more");
	cr_expect_eq(saw.nsent, 1, "not answered before the store did");
	answer(0, -ETIMEDOUT, NULL);
	confirms_wake(&c);
	cr_expect_eq(saw.nsent, 1);
	answer(1, 0, id_of(2));
	saw.got.cb(saw.got.arg, 0, NULL, 0);
	cr_assert_eq(saw.nsent, 3);
	cr_expect(strncmp(saw.sent[1], "anna ", 5) == 0, "%s", saw.sent[1]);
	cr_expect_str_eq(saw.sent[2], "ack {\"ok\":true}");
	cr_expect_not(device_pending_has(d, id_of(2)));
	cr_expect(device_pending_has(d, id_of(3)));
	cr_expect_eq(d->events, 0);
}
