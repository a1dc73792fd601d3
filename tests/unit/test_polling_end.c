/* How sessions on long-polling end: who is told what, and when. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "tests/unit/wire.h"

static const struct wire_conf defaults;

Test(polling, the_client_says_goodbye)
{
	struct client get, post;
	const char *sid = pair_start(&get, &post);

	say_poll(&get, sid);
	expect_silence(&get);
	say_post(&post, sid, "1");
	expect_answer(&post, 200, "ok");
	expect_answer(&get, 200, "6");
	cr_assert_eq(echoed.why, CLOSE_CLIENT);
	expect_gone(sid);
	sid = handshake(&get);	/* no GET waits, and none comes */
	say_post(&post, sid, "1");
	expect_answer(&post, 200, "ok");
	expect_gone(sid);
	sid = handshake(&get);
	say_post(&post, sid, "4last\x1e" "1");
	expect_answer(&post, 200, "ok");
	expect_gone(sid);
	pair_finish(&get, &post);
}

/* On two connections the POST may be first. */
Test(polling, a_goodbye_overtakes_the_poll)
{
	struct client get, post;
	const char *sid = pair_start(&get, &post);

	say_post(&post, sid, "1");
	expect_silence(&post);
	cr_assert_eq(echoed.closes, 0);
	say_poll(&get, sid);
	expect_answer(&get, 200, "6");
	expect_answer(&post, 200, "ok");
	cr_assert_eq(echoed.why, CLOSE_CLIENT);
	expect_gone(sid);
	/* both connections go on */
	sid = handshake(&post);
	say_poll(&get, sid);
	say_post(&post, sid, "4x");
	expect_answer(&post, 200, "ok");
	expect_answer(&get, 200, "4x");
	pair_finish(&get, &post);
}

/* Whoever says goodbye and is gone while we wait has said it. */
Test(polling, a_goodbye_and_gone)
{
	struct client get, post;
	const char *sid = pair_start(&get, &post);

	say_post(&post, sid, "1");
	hang_up(&post);
	WAIT_FOR(echoed.closes == 1);
	cr_assert_eq(echoed.why, CLOSE_CLIENT);
	expect_gone(sid);
	/* and the session, while we wait: */
	post = dial();
	sid = handshake(&get);
	say_post(&post, sid, "1");
	expect_silence(&post);
	eio_session_close(echoed.latest, CLOSE_SERVER);
	expect_answer(&post, 200, "ok");
	say_poll(&get, sid);
	expect_answer(&get, 200, "6\x1e" "1");
	/* or is misused */
	sid = handshake(&get);
	say_post(&post, sid, "1");
	expect_silence(&post);
	say_post(&get, sid, "4x");
	expect_answer(&get, 400, "");
	expect_eof(&post);
	expect_gone(sid);
	pair_finish(&get, &post);
}

Test(polling, the_server_says_goodbye)
{
	static const enum close_reason told[] = { CLOSE_AUTH, CLOSE_PROTOCOL,
						  CLOSE_SERVER };
	static const enum close_reason not_told[] = {
		CLOSE_PARSE, CLOSE_PING_TIMEOUT, CLOSE_TOO_LARGE, CLOSE_OUTBOX,
	};
	struct client c, other;
	const char *sid;

	wire_start(&defaults);
	for (size_t i = 0; i < ARRAY_SIZE(told); i++) {
		c = dial();
		sid = handshake(&c);	/* a GET waits */
		say_poll(&c, sid);
		expect_silence(&c);
		send_from_server("4rest");
		eio_session_close(echoed.latest, told[i]);
		expect_answer(&c, 200, "4rest");
		say_poll(&c, sid);
		expect_answer(&c, 200, "6\x1e" "1");
		expect_gone(sid);
		sid = handshake(&c);	/* the same, with nothing to say */
		say_poll(&c, sid);
		expect_silence(&c);
		eio_session_close(echoed.latest, told[i]);
		expect_answer(&c, 200, "1");
		expect_gone(sid);
		sid = handshake(&c);	/* none does */
		send_from_server("4rest");
		eio_session_close(echoed.latest, told[i]);
		run_turn(wire.loop);
		other = dial();
		say_post(&other, sid, "4late");
		expect_answer(&other, 200, "ok");
		hang_up(&other);
		say_poll(&c, sid);
		expect_answer(&c, 200, "4rest");
		say_poll(&c, sid);
		expect_answer(&c, 200, "6\x1e" "1");
		expect_gone(sid);
		hang_up(&c);
	}
	for (size_t i = 0; i < ARRAY_SIZE(not_told); i++) {
		c = dial();
		sid = handshake(&c);
		say_poll(&c, sid);
		expect_silence(&c);
		eio_session_close(echoed.latest, not_told[i]);
		expect_answer(&c, 200, "1");
		sid = handshake(&c);
		eio_session_close(echoed.latest, not_told[i]);
		run_turn(wire.loop);
		expect_gone(sid);
		hang_up(&c);
	}
	cr_assert_eq(echoed.got.len, 0);
	wire_finish();
}

/* A POST under way when the server closes ends as it would have. */
Test(polling, the_server_closes_while_a_post_comes)
{
	for (int i = 0; i < 2; i++) {
		struct client get, post;
		const char *sid = pair_start(&get, &post);

		say_half_post(&post, sid);
		expect_silence(&post);
		eio_session_close(echoed.latest, i == 0 ? CLOSE_SERVER
						      : CLOSE_PING_TIMEOUT);
		run_turn(wire.loop);
		say_text(&post, "y!");
		if (i == 0)
			expect_answer(&post, 200, "ok");
		else
			expect_eof(&post);
		cr_assert_eq(echoed.got.len, 0);
		pair_finish(&get, &post);
	}
}

/* So many that the first are forgotten: memory is bounded. */
Test(polling, many_goodbyes)
{
	enum { COUNT = 40, BYTES = 500000 };
	static char sids[COUNT][32];
	struct client c;
	char *text = mem_alloc(BYTES + 1);
	int kept = 0;

	memset(text, '4', BYTES);
	text[BYTES] = '\0';
	wire_start(&defaults);
	c = dial();
	for (int i = 0; i < COUNT; i++) {
		strcpy(sids[i], handshake(&c));
		send_from_server(text);
		eio_session_close(echoed.latest, CLOSE_AUTH);
		run_turn(wire.loop);
	}
	for (int i = 0; i < COUNT; i++) {
		const char *head, *body;
		struct client other = dial();
		unsigned status;

		say_poll(&other, sids[i]);
		status = answer(&other, &head, &body);
		if (status == 200) {
			kept++;
			cr_assert_eq(strlen(body), BYTES);
		} else {
			cr_assert_eq(status, 400);
			cr_assert_eq(kept, 0, "the oldest go first");
		}
		hang_up(&other);
	}
	cr_assert_eq(kept, (16 << 20) / (BYTES));
	free(text);
	hang_up(&c);
	wire_finish();
}
