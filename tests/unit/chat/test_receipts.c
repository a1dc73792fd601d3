/* Receipts that Redis did not take, with the router faked. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/servers/loop_wait.h"
#include "worker/chat/receipts.h"

#define MAX 1000

static struct {
	struct {
		char user[16], frame[32];
		router_cb *cb;
		void *arg;
	} sent[MAX];		/* not answered */
	int nsent;
	int nlocal;
} saw;

void router_send(struct router *r, const struct envelope *e, enum router_extra x,
		 router_cb *cb, void *arg)
{
	(void)r;
	cr_assert_lt(saw.nsent, MAX);
	cr_expect_eq(e->kind, ENV_RECEIPT);
	cr_expect_eq(x, ROUTE_PLAIN);
	snprintf(saw.sent[saw.nsent].user, 16, "%.*s", (int)e->user_id.n, e->user_id.p);
	snprintf(saw.sent[saw.nsent].frame, 32, "%.*s", (int)e->event.n, e->event.p);
	saw.sent[saw.nsent].cb = cb;
	saw.sent[saw.nsent++].arg = arg;
}
void chat_local_receipt(struct chat *c, const char *user_id, struct slice frame)
{
	(void)c; (void)user_id; (void)frame;
	saw.nlocal++;
}

static struct chat c;

static void setup(void)
{
	c.loop = loop_new();
	receipts_init(&c);
}

static void teardown(void)
{
	receipts_free(&c);
	loop_free(&c.loop);
}

TestSuite(receipts, .init = setup, .fini = teardown, .timeout = 240);

static void tell(int first, int n)
{
	char frame[32];

	for (int i = first; i < first + n; i++) {
		snprintf(frame, sizeof(frame), "42[%d]", i);
		chat_receipt(&c, "anna", (struct slice){ frame, strlen(frame) });
	}
}

static void answer_all(int err)
{
	int n = saw.nsent;

	saw.nsent = 0;
	for (int i = 0; i < n; i++)
		saw.sent[i].cb(saw.sent[i].arg, err, NULL);
}

Test(receipts, told_once)
{
	tell(0, 3);
	cr_assert_eq(saw.nsent, 3);
	cr_expect_eq(saw.nlocal, 3);
	cr_expect_str_eq(saw.sent[2].user, "anna");
	cr_expect_str_eq(saw.sent[2].frame, "42[2]");
	answer_all(0);
	receipts_wake(&c);
	cr_expect_eq(saw.nsent, 0);
}

Test(receipts, told_again_when_redis_is_back)
{
	tell(0, 450);
	answer_all(-ENOTCONN);
	cr_expect_eq(saw.nsent, 0);
	receipts_wake(&c);
	cr_assert_eq(saw.nsent, 200);
	cr_expect_str_eq(saw.sent[0].frame, "42[0]");
	answer_all(0);
	WAIT_FOR(c.loop, saw.nsent == 200);
	answer_all(0);
	WAIT_FOR(c.loop, saw.nsent == 50);
	cr_expect_str_eq(saw.sent[49].frame, "42[449]");
	cr_expect_eq(saw.nlocal, 450, "here they were told at once");
	answer_all(0);
	loop_turn(c.loop, 10);
	cr_expect_eq(saw.nsent, 0);
}

/* The connection is up and commands time out: it is tried by and by. */
Test(receipts, tried_again)
{
	tell(0, 2);
	answer_all(-ETIMEDOUT);
	WAIT_FOR(c.loop, saw.nsent == 2);
	answer_all(-ETIMEDOUT);
	WAIT_FOR(c.loop, saw.nsent == 2);
	answer_all(0);
}

Test(receipts, freed_while_some_wait)
{
	tell(0, 2);
	answer_all(-ENOTCONN);
	tell(2, 1);
	c.down = true;
	answer_all(-ECANCELED);
}

/* One of message:read names up to 500 messages. */
Test(receipts, kept_by_what_they_weigh)
{
	static char large[100000];
	int kept = 0;

	memset(large, 'x', sizeof(large));
	for (int i = 0; i < 200; i++)
		chat_receipt(&c, "anna", (struct slice){ large, sizeof(large) });
	answer_all(-ENOTCONN);
	receipts_wake(&c);
	kept = saw.nsent;
	cr_expect_eq(kept, RECEIPTS_BYTES_MAX / 100100, "%d", kept);
	answer_all(0);
	chat_receipt(&c, "anna", (struct slice){ large, sizeof(large) });
	answer_all(-ENOTCONN);
	receipts_wake(&c);
	cr_expect_eq(saw.nsent, 1, "there is room again");
	answer_all(0);
}
