#include "tests/unit/sio_app.h"

#include <criterion/criterion.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/socketio/asks.h"

Test(socket, attachments_are_kept_where_asked_for)
{
	start();
	feed("40/custom,\n"
	     "452-/custom,9[\"m\",{\"a\":{\"_placeholder\":true,\"num\":1}}]\n"
	     "B:first\nB:");
	expect("out", "40/custom,{\"sid\":\"SID\"}\n"
	       "462-/custom,9[{\"a\":{\"_placeholder\":true,\"num\":1}}]\n"
	       "B:first\nB:\n",
	       fake_transport_take(&fake));
	expect("said", "connect custom 0\n"
	       "m [{\"a\":{\"_placeholder\":true,\"num\":1}}] 9 binary\n"
	       "+first\n+\n", buf_str(&said));
	finish();
}

Test(socket, all_attachments_may_be_empty)
{
	start();
	feed("40/custom,\n452-/custom,[\"m\"]\nB:\nB:");
	expect("said", "connect custom 0\nm [] -1 binary\n+\n+\n",
	       buf_str(&said));
	finish();
}

Test(socket, acknowledgements_with_attachments)
{
	start();
	feed("40/custom,\n42/custom,[\"ask\"]");
	fake_transport_take(&fake);
	buf_clear(&said);
	feed("461-/custom,0[{\"_placeholder\":true,\"num\":0},1]\nB:x");
	expect("said", "acked [{\"_placeholder\":true,\"num\":0},1] 0 binary\n"
	       "+x\n", buf_str(&said));
	buf_clear(&said);
	feed("461-/custom,0[{\"_placeholder\":true,\"num\":0},1]\nB:x");
	expect("a second answer", "", buf_str(&said));
	feed("461-/custom,0[\nB:x");
	expect("broken", "disconnected protocol\n", buf_str(&said));
	finish();
}

/* The barrier's ping comes behind all of it. */
Test(socket, nothing_comes_between_attachments)
{
	const struct slice two[] = { SLICE("one"), SLICE("") };

	start();
	feed("40{\"do\":\"later\"}");
	sio_accept(pending, NULL);
	sio_mark(pending);
	cr_assert(sio_send_binary(pending, SLICE("452-[\"x\"]"), two, 2));
	sio_mark(pending);
	sio_disconnect(pending, CLOSE_SERVER);
	cr_assert_not(sio_send_binary(pending, SLICE("452-[\"y\"]"), two, 2));
	run_turn(loop);
	expect("out", "40{\"sid\":\"SID\"}\n452-[\"x\"]\nB:one\nB:\n41\n",
	       fake_transport_take(&fake));
	finish();
}

Test(socket, attachments_then_ping)
{
	const struct slice one = SLICE("one");

	start();
	feed("40{\"do\":\"later\"}");
	sio_accept(pending, NULL);
	sio_mark(pending);
	sio_send_binary(pending, SLICE("451-[\"x\"]"), &one, 1);
	run_turn(loop);
	expect("out", "40{\"sid\":\"SID\"}\n451-[\"x\"]\nB:one\n2\n",
	       fake_transport_take(&fake));
	finish();
}

/* Next to an integer beyond 64 bits all numbers become reals: "num" is 0.0. */
Test(socket, placeholders_next_to_a_large_integer)
{
	static const char *const namespaces[] = { "/", "/custom" };
	char text[120];

	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		start();
		snprintf(text, sizeof(text), "40%s,\n451-%s,"
			 "[\"m\",{\"_placeholder\":true,\"num\":0},"
			 "100000000000000000000]\nB:x",
			 namespaces[i], namespaces[i]);
		feed(text);
		cr_assert_not(fake.closed, "%s", namespaces[i]);
		cr_assert(strstr(buf_str(&said), "\nm ") != NULL, "%s",
			  buf_str(&said));
		finish();
	}
}

/* Kept events are looked at when they are whole. */
Test(socket, broken_events_with_attachments)
{
	static const char *const table[] = {
		"[\"m\",{\"_placeholder\":true,\"num\":1}]", "[\"m\"", "[]",
		"[null]", "[\"connect\"]",
	};
	char text[100];

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		start();
		snprintf(text, sizeof(text), "40/custom,\n451-/custom,%s",
			 table[i]);
		feed(text);
		cr_assert_not(fake.closed, "%s", table[i]);
		buf_clear(&said);
		feed("B:x");
		expect(table[i], "disconnected protocol\n", buf_str(&said));
		finish();
	}
}

Test(socket, attachments_have_a_deadline)
{
	static const char *const namespaces[] = { "/", "/custom" };
	char text[100];

	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		start_impatient(20);
		snprintf(text, sizeof(text), "40%s,\n452-%s,[\"m\"]\nB:x",
			 namespaces[i], namespaces[i]);
		feed(text);
		buf_clear(&said);
		cr_assert(run_until(loop, has_closed, NULL), "%s", text);
		expect(text, "disconnected protocol\n", buf_str(&said));
		finish();
	}
}

/* Another namespace that is accepted meanwhile does not lift it. */
Test(socket, the_deadline_is_the_assemblys)
{
	start_impatient(20);
	feed("40/custom,\n40{\"do\":\"later\"}\n451-/custom,[\"m\"]");
	sio_accept(pending, NULL);
	cr_assert(run_until(loop, has_closed, NULL));
	finish();
}

Test(socket, no_deadline_when_they_came)
{
	start_impatient(20);
	feed("40\n451-[\"m\"]\nB:x\n461-1[]\nB:x");
	run_for(loop, 60);
	cr_assert_not(fake.closed);
	finish();
}

/* A tree of these weighs seventy times its text. */
static char *many_objects(const char *head, size_t size)
{
	char *text = mem_alloc(size + 4);
	size_t n = (size_t)sprintf(text, "%s[\"m\"", head);

	while (n < size) {
		memcpy(text + n, ",{}", 3);
		n += 3;
	}
	strcpy(text + n, "]");
	return text;
}

Test(socket, waiting_for_attachments_costs_no_more_than_the_text)
{
	static const char *const heads[] = { "451-", "461-", "451-/custom," };

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		char *text = many_objects(heads[i], 900000);
		size_t before, held;

		start();
		feed("40\n40/custom,");
		before = mallinfo2().uordblks;
		feed(text);
		held = mallinfo2().uordblks - before;
		cr_assert_not(fake.closed, "%s", heads[i]);
		cr_assert_lt(held, i < 2 ? 10000 : 1200000, "%s %zu", heads[i],
			     held);
		free(text);
		finish();
	}
}

/* Every truncation of a packet either waits for nothing or closes: no crash,
 * no partial event. */
Test(socket, truncations)
{
	static const char whole[] =
		"452-/custom,12[\"m\",{\"_placeholder\":true,\"num\":0}]";

	for (size_t n = 0; n < sizeof(whole) - 1; n++) {
		start();
		feed("40/custom,");
		eio_session_frame(session, eio_session_transport(session),
					  (struct slice){ whole, n }, false);
		run_turn(loop);
		if (!fake.closed)	/* waits for these to look at it */
			feed("B:x\nB:y");
		/* "4" + "5…": only complete packets are accepted */
		cr_assert(fake.closed, "%zu", n);
		finish();
	}
}

Test(asks, the_last_are_awaited_once_each)
{
	struct sio_asks a = { 0 };

	cr_assert_not(sio_asks_take(NULL, 0));
	cr_assert_not(sio_asks_take(&a, 0));
	for (int64_t i = 0; i < 2 * SIO_ASKS_MAX; i++)
		cr_assert_eq(sio_asks_add(&a), i);
	cr_assert_not(sio_asks_take(&a, SIO_NO_ACK));
	cr_assert_not(sio_asks_take(&a, INT64_MIN));
	cr_assert_not(sio_asks_take(&a, INT64_MAX));
	cr_assert_not(sio_asks_take(&a, 2 * SIO_ASKS_MAX));
	cr_assert_not(sio_asks_take(&a, SIO_ASKS_MAX - 1), "forgotten");
	cr_assert(sio_asks_take(&a, SIO_ASKS_MAX));
	cr_assert_not(sio_asks_take(&a, SIO_ASKS_MAX));
	cr_assert(sio_asks_take(&a, 2 * SIO_ASKS_MAX - 1));
	cr_assert_eq(sio_asks_add(&a), 2 * SIO_ASKS_MAX);
	cr_assert(sio_asks_take(&a, 2 * SIO_ASKS_MAX));
	cr_assert_not(sio_asks_take(&a, SIO_ASKS_MAX), "its place is taken");
}
