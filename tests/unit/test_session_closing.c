/* How Engine.IO sessions end. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/base.h"
#include "common/ipc/stats.h"
#include "tests/unit/one_session.h"

Test(closing, queued_packets_are_written_first)
{
	struct eio_session *s = start(&slow_conf);
	struct slice sid = { eio_session_sid(s), SESSION_ID_LEN };

	fake_transport_take(&fake);
	cr_assert(send_text(s, "41"));
	eio_session_close(s, CLOSE_AUTH);
	cr_assert_null(eio_sessions_find(sessions, sid));
	eio_session_close(s, CLOSE_SERVER);
	cr_assert_not(send_text(s, "42[1]"));
	eio_session_mark(s);
	frame(s, "4x");
	frame(s, "3");
	cr_assert_eq(app.closes, 0);
	run_turn(loop);
	cr_assert_str_eq(fake_transport_take(&fake), "41\n");
	cr_assert_eq(app.closes, 1);
	cr_assert_eq(app.why, CLOSE_AUTH);
	cr_assert_eq(app.messages, 0);
	finish();
}

Test(closing, reasons)
{
	static const struct {
		enum close_reason why;
		enum stat_id counter;
	} table[] = {
		{ CLOSE_TOO_LARGE, STAT_closed_too_large },
		{ CLOSE_SERVER, STAT_closed_server },
		{ CLOSE_AUTH, STAT_closed_auth },
		{ CLOSE_PROTOCOL, STAT_closed_protocol },
		{ CLOSE_OUTBOX, STAT_closed_outbox },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		app = (struct one_app){ 0 };
		eio_session_close(start(&slow_conf), table[i].why);
		run_turn(loop);
		cr_assert(fake.closed);
		cr_assert_eq(fake.why, table[i].why);
		cr_assert_eq(stats_get(table[i].counter), 1);
		finish();
	}
}

Test(closing, transport_gone)
{
	struct eio_session *s = start(&slow_conf);

	send_text(s, "42[1]");
	eio_session_transport_gone(s, eio_session_transport(s), CLOSE_CLIENT);
	fake_transport_take(&fake);
	run_turn(loop);
	cr_assert_str_eq(fake_transport_take(&fake), "");
	cr_assert_not(fake.closed, "the transport is not called again");
	cr_assert_eq(app.why, CLOSE_CLIENT);
	finish();
}

Test(closing, gone_while_closing)
{
	struct eio_session *s = start(&slow_conf);

	eio_session_close(s, CLOSE_AUTH);
	eio_session_transport_gone(s, eio_session_transport(s), CLOSE_CLIENT);
	run_turn(loop);
	cr_assert_not(fake.closed);
	cr_assert_eq(app.why, CLOSE_AUTH);
	cr_assert_eq(app.closes, 1);
	finish();
}

Test(closing, slow_reader)
{
	struct eio_session *s = start(&slow_conf);
	char text[101];

	memset(text, 'x', sizeof(text));
	text[100] = '\0';
	for (int i = 0; i < 50; i++)	/* a burst that the stream takes */
		send_text(s, text);
	run_turn(loop);
	cr_assert_eq(app.closes, 0);
	fake.blocked = true;
	for (int i = 0; i < 9; i++)
		send_text(s, text);
	run_turn(loop);
	cr_assert_eq(app.closes, 0);
	send_text(s, text);
	run_turn(loop);
	cr_assert_eq(app.closes, 1);
	cr_assert_eq(app.why, CLOSE_OUTBOX);
	finish();
}

Test(closing, not_joined_in_time)
{
	struct eio_conf c = slow_conf;
	struct eio_session *s;

	c.connect_timeout_ms = 300;
	start(&c);
	cr_assert(run_until(loop, has_closed, NULL));
	cr_assert_eq(app.why, CLOSE_PROTOCOL);
	finish();

	app = (struct one_app){ 0 };
	s = start(&c);
	eio_session_joined(s);
	run_for(loop, 400);
	cr_assert_eq(app.closes, 0);
	finish();
}

/* What they were told at their opening stays; the rest counts for those that are
 * there as well. */
Test(closing, by_another_configuration)
{
	static const struct {
		unsigned connect_ms;
		size_t outbox;
		enum close_reason why;
	} table[] = {
		{ 20, 1000, CLOSE_PROTOCOL },
		{ 60000, 10, CLOSE_OUTBOX },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct eio_conf c = slow_conf;
		struct eio_session *s = start(&c);

		app.closes = 0;
		c.connect_timeout_ms = table[i].connect_ms;
		c.outbox_limit = table[i].outbox;
		c.ping_interval_ms = c.ping_timeout_ms = 1;
		eio_sessions_set_conf(sessions, &c);
		fake.blocked = true;
		cr_assert(send_text(s, "4twelve bytes"));
		cr_assert(run_until(loop, has_closed, NULL));
		cr_assert_eq(app.why, table[i].why);
		finish();
	}
}

Test(closing, all)
{
	struct fake_transport more[20];

	start(&slow_conf);
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		fake_transport_init(&more[i], false);
		eio_session_open(sessions, &more[i].t);
	}
	cr_assert_eq(eio_sessions_count(sessions), 21);
	eio_sessions_close_all(sessions, CLOSE_SERVER);
	cr_assert_eq(eio_sessions_count(sessions), 0);
	run_turn(loop);
	cr_assert_eq(app.closes, 21);
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		cr_assert(more[i].closed);
		fake_transport_free(&more[i]);
	}
	finish();
}

static struct eio_session *waits_for_answer;

static bool busy(void *up)
{
	return up == waits_for_answer;
}

static void *opened_itself(void *arg, struct eio_session *s)
{
	(void)arg;
	return s;
}

static void closed_itself(void *up, enum close_reason why)
{
	(void)up;
	(void)why;
	app.closes++;
}

static void confirmed_itself(void *up, uint32_t mark)
{
	(void)up;
	(void)mark;
}

/* First those who are owed nothing and were not just asked for a pong. */
Test(closing, some)
{
	struct eio_ops ops = { .opened = opened_itself,
			       .confirmed = confirmed_itself,
			       .closed = closed_itself, .busy = busy };
	struct fake_transport t[6];
	struct eio_session *s[6];

	loop = loop_new();
	sessions = eio_sessions_new(loop, &slow_conf, &ops);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		fake_transport_init(&t[i], false);
		s[i] = eio_session_open(sessions, &t[i].t);
	}
	waits_for_answer = s[1];
	(void)eio_session_mark(s[0]);	/* pinged */
	run_turn(loop);
	eio_sessions_close_some(sessions, 0, CLOSE_SERVER);
	cr_assert_eq(eio_sessions_count(sessions), 6);
	eio_sessions_close_some(sessions, 3, CLOSE_SERVER);
	run_turn(loop);
	cr_assert(t[2].closed && t[3].closed && t[4].closed);
	eio_sessions_close_some(sessions, 2, CLOSE_SERVER);
	run_turn(loop);
	cr_assert(t[0].closed && t[5].closed);
	eio_sessions_close_some(sessions, 1, CLOSE_SERVER);
	run_turn(loop);
	cr_assert_eq(app.closes, 5);
	waits_for_answer = NULL;
	eio_sessions_close_some(sessions, 100, CLOSE_SERVER);
	run_turn(loop);
	cr_assert_eq(app.closes, 6);
	eio_sessions_free(&sessions);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		fake_transport_free(&t[i]);
	loop_free(&loop);
}

Test(closing, free_closes_what_is_left)
{
	start(&slow_conf);
	finish();
	cr_assert_eq(app.closes, 1);
	cr_assert_eq(app.why, CLOSE_SERVER);
	cr_assert(fake.closed);
}
