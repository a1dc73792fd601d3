/* Engine.IO sessions: packets, heartbeat, barrier. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/unit/one_session.h"

#define BARRIER_US 20000

static bool pings_reached(void *arg)
{
	return fake.pings >= *(unsigned *)arg;
}

static void wait_pings(unsigned n)
{
	cr_assert(run_until(loop, pings_reached, &n), "ping %u", n);
}

Test(session, open_packet)
{
	struct eio_session *s = start(&slow_conf);
	struct slice sid = { eio_session_sid(s), SESSION_ID_LEN };
	char expect[256];
	uint32_t instance;

	cr_assert_eq(app.session, s);
	cr_assert_eq(session_id_instance(sid, &instance), 0);
	cr_assert_eq(instance, 5);
	snprintf(expect, sizeof(expect),
		 "0{\"sid\":\"%s\",\"upgrades\":[],\"pingInterval\":60000,"
		 "\"pingTimeout\":60000,\"maxPayload\":1000}\n", sid.p);
	cr_assert_str_eq(fake_transport_take(&fake), expect);
	cr_assert_eq(eio_sessions_find(sessions, sid), s);
	cr_assert_null(eio_sessions_find(sessions, SLICE("short")));
	cr_assert_null(eio_sessions_find(sessions, SLICE("AAAAAAAAAAAAAAAAAAAA")));
	cr_assert_eq(eio_sessions_count(sessions), 1);
	finish();
}

Test(session, upgrades_are_offered_by_the_transport)
{
	struct fake_transport other;

	start(&slow_conf);
	fake_transport_init(&other, true);
	eio_session_open(sessions, &other.t);
	run_turn(loop);
	cr_assert_not_null(strstr(fake_transport_take(&other),
				  "\"upgrades\":[\"websocket\"]"));
	finish();
	fake_transport_free(&other);
}

/* What one frame of the client does. */
Test(session, frames)
{
	static const struct {
		const char *text;
		int why;		/* -1: stays open */
		const char *message;
	} table[] = {
		{ "4hello", -1, "hello" },
		{ "4", -1, "" },
		{ "3", -1, NULL },
		{ "3probe", -1, NULL },
		{ "5", -1, NULL },
		{ "6", -1, NULL },
		{ "0{}", -1, NULL },
		{ "1", CLOSE_CLIENT, NULL },
		{ "2", CLOSE_PARSE, NULL },
		{ "2probe", CLOSE_PARSE, NULL },
		{ "", CLOSE_PARSE, NULL },
		{ "7", CLOSE_PARSE, NULL },
		{ "abc", CLOSE_PARSE, NULL },
		{ "\x80", CLOSE_PARSE, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct eio_session *s;

		app = (struct one_app){ 0 };
		s = start(&slow_conf);
		frame(s, table[i].text);
		cr_assert_eq(app.closes, 0, "%s: not within the call",
			     table[i].text);
		run_turn(loop);
		cr_assert_eq(app.closes, table[i].why != -1, "%s", table[i].text);
		cr_assert_eq(fake.closed, table[i].why != -1, "%s", table[i].text);
		if (table[i].why != -1)
			cr_assert_eq((int)app.why, table[i].why);
		cr_assert_eq(app.messages, table[i].message != NULL);
		if (table[i].message != NULL)
			cr_assert_str_eq(app.last, table[i].message);
		finish();
	}
}

Test(session, binary_frame_is_a_message)
{
	struct eio_session *s = start(&slow_conf);

	eio_session_frame(s, eio_session_transport(s), SLICE("1abc"), true);
	cr_assert_eq(app.binaries, 1);
	cr_assert_str_eq(app.last, "1abc");
	finish();
}

Test(session, base64_in_a_text_frame)
{
	static const struct {
		struct slice frame;
		const char *message;	/* NULL: closes the session */
	} table[] = {
		{ SLICE("bAQIDBA=="), "\1\2\3\4" },
		{ SLICE("b"), "" },
		{ SLICE("bAQIDBA"), NULL },
		{ SLICE("b4abc="), NULL },
		{ SLICE("bAQIDBA==\x1e" "4x"), NULL },
		{ SLICE("b!"), NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct eio_session *s;

		app = (struct one_app){ 0 };
		s = start(&slow_conf);
		eio_session_frame(s, &fake.t, table[i].frame, false);
		run_turn(loop);
		cr_expect_eq(app.binaries, table[i].message != NULL, "%zu", i);
		cr_expect_eq(app.closes, table[i].message == NULL, "%zu", i);
		if (table[i].message != NULL)
			cr_expect_str_eq(app.last, table[i].message);
		else
			cr_expect_eq(app.why, CLOSE_PARSE);
		finish();
	}
}

Test(session, heartbeat)
{
	struct eio_conf c = slow_conf;
	struct eio_session *s;
	int64_t pong_at;

	c.ping_interval_ms = 30;
	s = start(&c);
	pong_at = clock_mono_us();
	for (unsigned n = 1; n <= 3; n++) {
		wait_pings(n);
		cr_assert_geq(fake.ping_at_us - pong_at, 25000);
		run_for(loop, 45);
		cr_assert_eq(fake.pings, n, "one outstanding");
		pong_at = clock_mono_us();
		frame(s, "3");
	}
	cr_assert_eq(app.confirms, 0);
	finish();
}

Test(session, no_pong)
{
	struct eio_conf c = slow_conf;
	int64_t began;

	c.ping_interval_ms = 30;
	c.ping_timeout_ms = 40;
	began = clock_mono_us();
	start(&c);
	cr_assert(run_until(loop, has_closed, NULL));
	cr_assert_geq(clock_mono_us() - began, 69000);
	cr_assert_eq(app.why, CLOSE_PING_TIMEOUT);
	cr_assert(fake.closed);
	cr_assert_eq(fake.why, CLOSE_PING_TIMEOUT);
	cr_assert_eq(eio_sessions_count(sessions), 0);
	finish();
}

Test(session, other_traffic_is_no_pong)
{
	struct eio_conf c = slow_conf;
	struct eio_session *s;

	c.ping_interval_ms = 20;
	c.ping_timeout_ms = 30;
	s = start(&c);
	wait_pings(1);
	frame(s, "4x");
	cr_assert(run_until(loop, has_closed, NULL));
	cr_assert_eq(app.why, CLOSE_PING_TIMEOUT);
	finish();
}

Test(barrier, message_and_ping_leave_in_one_write)
{
	struct eio_session *s = start(&slow_conf);
	unsigned writes = fake.writes;
	uint32_t first, second;

	fake_transport_take(&fake);
	send_text(s, "42[1]");
	first = eio_session_mark(s);
	send_text(s, "42[2]");
	second = eio_session_mark(s);
	cr_assert_neq(first, second);
	run_turn(loop);
	cr_assert_str_eq(fake_transport_take(&fake), "42[1]\n42[2]\n2\n");
	cr_assert_eq(fake.writes, writes + 1);
	cr_assert_eq(app.confirms, 0);
	frame(s, "3");
	cr_assert_eq(app.confirms, 1);
	cr_assert_eq(app.confirmed, second);
	run_for(loop, 30);
	cr_assert_eq(fake.pings, 1, "nothing left to confirm");
	finish();
}

Test(barrier, one_ping_outstanding_and_the_next_after_20_ms)
{
	struct eio_session *s = start(&slow_conf);
	uint32_t first, second;
	int64_t at;

	first = eio_session_mark(s);
	wait_pings(1);
	at = fake.ping_at_us;
	second = eio_session_mark(s);
	run_for(loop, 50);
	cr_assert_eq(fake.pings, 1, "waits for the pong");
	frame(s, "3");
	cr_assert_eq(app.confirmed, first);
	run_turn(loop);
	cr_assert_eq(fake.pings, 2, "20 ms are long over");
	cr_assert_geq(fake.ping_at_us - at, BARRIER_US);
	/* a quick pong: the third must wait for its time */
	at = fake.ping_at_us;
	frame(s, "3");
	cr_assert_eq(app.confirmed, second);
	eio_session_mark(s);
	run_turn(loop);
	cr_assert(fake.pings == 2 || clock_mono_us() - at >= BARRIER_US);
	wait_pings(3);
	cr_assert_geq(fake.ping_at_us - at, BARRIER_US - 1000);
	finish();
}

Test(barrier, pong_without_ping_confirms_nothing)
{
	struct eio_session *s = start(&slow_conf);

	eio_session_mark(s);
	frame(s, "3");		/* the barrier is not out yet */
	cr_assert_eq(app.confirms, 0);
	run_turn(loop);
	frame(s, "3");
	cr_assert_eq(app.confirms, 1);
	eio_session_mark(s);
	frame(s, "3");
	frame(s, "3");
	cr_assert_eq(app.confirms, 1);
	finish();
}

Test(session, pongs_nobody_asked_for_do_not_put_off_the_ping)
{
	struct eio_conf c = slow_conf;
	struct eio_session *s;
	int64_t began;

	c.ping_interval_ms = 40;
	s = start(&c);
	began = clock_mono_us();
	while (fake.pings == 0 && clock_mono_us() - began < 60000000) {
		frame(s, "3");
		run_for(loop, 5);
	}
	cr_assert_eq(fake.pings, 1);
	finish();
}

Test(barrier, heartbeat_ping_confirms_too)
{
	struct eio_conf c = slow_conf;
	struct eio_session *s;
	uint32_t second;

	c.ping_interval_ms = 5;
	s = start(&c);
	while (fake.pings != 0) {	/* we stood still: a ping before the mark */
		finish();
		s = start(&c);
	}
	eio_session_mark(s);
	run_turn(loop);
	cr_assert_eq(fake.pings, 1);
	frame(s, "3");
	second = eio_session_mark(s);	/* too early for a barrier of its own */
	wait_pings(2);
	frame(s, "3");
	cr_assert_eq(app.confirms, 2);
	cr_assert_eq(app.confirmed, second);
	finish();
}

Test(barrier, marks_behind_a_heartbeat_ping_wait)
{
	struct eio_conf c = slow_conf;
	struct eio_session *s;
	uint32_t mark;

	c.ping_interval_ms = 10;
	s = start(&c);
	wait_pings(1);
	mark = eio_session_mark(s);
	run_turn(loop);
	cr_assert_eq(fake.pings, 1);
	frame(s, "3");		/* stood before the mark */
	cr_assert_eq(app.confirms, 0);
	run_turn(loop);
	cr_assert_eq(fake.pings, 2);
	frame(s, "3");
	cr_assert_eq(app.confirmed, mark);
	finish();
}

Test(barrier, rearms_the_heartbeat_and_its_pong_may_be_late)
{
	struct eio_conf c = slow_conf;
	struct eio_session *s;
	int64_t pong_at;

	c.ping_interval_ms = 60;
	s = start(&c);
	while (fake.pings != 0) {	/* we stood still */
		finish();
		s = start(&c);
	}
	eio_session_mark(s);
	wait_pings(1);
	run_for(loop, 100);	/* past the interval, within the timeout */
	cr_assert_eq(fake.pings, 1);
	cr_assert_eq(app.closes, 0);
	pong_at = clock_mono_us();
	frame(s, "3");
	cr_assert_eq(app.confirms, 1);
	wait_pings(2);
	cr_assert_geq(fake.ping_at_us - pong_at, 55000);
	finish();
}

Test(barrier, unanswered_it_times_out)
{
	struct eio_conf c = slow_conf;
	struct eio_session *s;

	c.ping_timeout_ms = 30;
	s = start(&c);
	eio_session_mark(s);
	cr_assert(run_until(loop, has_closed, NULL));
	cr_assert_eq(app.why, CLOSE_PING_TIMEOUT);
	cr_assert_eq(app.confirms, 0);
	finish();
}

Test(barrier, blocked_stream_keeps_order)
{
	struct eio_session *s = start(&slow_conf);

	fake_transport_take(&fake);
	fake.blocked = true;
	send_text(s, "42[1]");
	eio_session_mark(s);
	run_turn(loop);
	send_text(s, "42[2]");
	run_turn(loop);
	cr_assert_str_eq(fake_transport_take(&fake), "");
	fake.blocked = false;
	eio_session_writable(s, eio_session_transport(s));
	run_turn(loop);
	cr_assert_str_eq(fake_transport_take(&fake), "42[1]\n2\n42[2]\n");
	finish();
}
