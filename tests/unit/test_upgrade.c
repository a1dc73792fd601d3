/* A session's way from polling to a WebSocket, in every order of events. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ipc/stats.h"
#include "tests/unit/fake_transport.h"

struct app {
	struct buf in;		/* messages of the client, each with '\n' */
	unsigned confirms;
	unsigned closes;
	enum close_reason why;
};

static struct app app;
static struct loop *loop;
static struct eio_sessions *sessions;
static struct eio_session *session;	/* NULL: closed */
static struct fake_transport polling, ws, second;
static unsigned sent;

static void *opened(void *arg, struct eio_session *s)
{
	(void)s;
	return arg;
}

static void message(void *up, struct slice data, bool binary)
{
	struct app *a = up;

	(void)binary;
	buf_add(&a->in, data.p, data.n);
	buf_addc(&a->in, '\n');
}

static void confirmed(void *up, uint32_t mark)
{
	struct app *a = up;

	(void)mark;
	a->confirms++;
}

static void closed(void *up, enum close_reason why)
{
	struct app *a = up;

	a->closes++;
	a->why = why;
	session = NULL;
}

static const struct eio_conf slow_conf = {
	.instance = 5, .ping_interval_ms = 60000, .ping_timeout_ms = 60000,
	.connect_timeout_ms = 60000, .upgrade_timeout_ms = 60000,
	.max_payload = 1000, .outbox_limit = 1000,
};

/* On polling, its open packet taken, no poll waiting. */
static void start(const struct eio_conf *c)
{
	struct eio_ops ops = {
		.opened = opened, .message = message,
		.confirmed = confirmed, .closed = closed, .arg = &app,
	};

	app = (struct app){ 0 };
	sent = 0;
	loop = loop_new();
	sessions = eio_sessions_new(loop, c, &ops);
	fake_transport_init(&polling, true);
	fake_transport_init(&ws, false);
	fake_transport_init(&second, false);
	polling.poll = true;
	session = eio_session_open(sessions, &polling.t);
	run_turn(loop);
	fake_transport_take(&polling);
}

static void finish(void)
{
	eio_sessions_free(&sessions);
	fake_transport_free(&polling);
	fake_transport_free(&ws);
	fake_transport_free(&second);
	buf_free(&app.in);
	loop_free(&loop);
	cr_assert_eq(stats_get(STAT_sessions_polling), 0);
	cr_assert_eq(stats_get(STAT_outbox_bytes), 0);
}

static void on(struct fake_transport *f, const char *frame)
{
	eio_session_frame(session, &f->t, (struct slice){ frame, strlen(frame) },
			  false);
}

static bool send_numbered(unsigned number)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "4%u", number);

	return eio_session_send(session, (struct slice){ text, (size_t)n },
				false);
}

static void frame_comes(char letter)
{
	static const struct {
		char letter;
		struct fake_transport *by;
		const char *frame;
	} table[] = {
		{ 'p', &ws, "2probe" }, { 'u', &ws, "5" },
		{ 'a', &polling, "4a" }, { 'b', &ws, "4b" },
		{ 'o', &polling, "3" }, { 'O', &ws, "3" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (table[i].letter == letter) {
			on(table[i].by, table[i].frame);
			return;
		}
	}
	cr_assert(false, "'%c'", letter);
}

/* What one letter of a script stands for. */
static void step(char c)
{
	bool taken;

	switch (c) {
	case '|':
		run_turn(loop);
		break;
	case 'g':		/* a poll comes */
		polling.blocked = false;
		eio_session_writable(session, &polling.t);
		break;
	case 'w':		/* the WebSocket comes */
		cr_assert(eio_session_upgrade(session, &ws.t));
		break;
	case 'W':		/* another one, in vain */
	case 'N':		/* another one, and it is taken */
		taken = eio_session_upgrade(session, &second.t);
		cr_assert_eq(taken, c == 'N');
		break;
	case 's':
		cr_assert(send_numbered(++sent));
		break;
	case 'm':
		eio_session_mark(session);
		break;
	case 'x':
		eio_session_close(session, CLOSE_SERVER);
		break;
	case 'r':
		eio_session_refuse(session, &ws.t, CLOSE_TOO_LARGE);
		break;
	case 'R':
		eio_session_refuse(session, &polling.t, CLOSE_TOO_LARGE);
		break;
	case 'e':		/* the streams end */
		eio_session_transport_gone(session, &polling.t, CLOSE_CLIENT);
		break;
	case 'E':
		eio_session_transport_gone(session, &ws.t, CLOSE_CLIENT);
		break;
	default:
		frame_comes(c);
	}
}

enum {
	STAYS = 0, MOVED = 1, CLOSED = 2, LEFT = 4, WS_CLOSED = 8,
	POLL_CLOSED = 16, CONFIRMED = 32,
};

static const struct {
	const char *script, *polling, *ws, *in;
	unsigned end;
} scripts[] = {
	/* as the client does it, with a poll waiting or none */
	{ "gw|p|u|", "6\n", "3probe\n", "", MOVED | LEFT },
	{ "w|p|g|u|", "6\n", "3probe\n", "", MOVED | LEFT },
	{ "w|p|u|", "", "3probe\n", "", MOVED | LEFT },
	{ "gw|p|g|u|", "6\n6\n", "3probe\n", "", MOVED | LEFT },
	/* a poll that waits before the probe goes on waiting */
	{ "gw|", "", "", "", STAYS },
	{ "w|g|", "", "", "", STAYS },
	/* in one turn, in one read */
	{ "wpu|", "", "3probe\n", "", MOVED | LEFT },
	{ "gwpubb|s|", "", "3probe\n41\n", "b\nb\n", MOVED | LEFT },
	/* without a probe, as the Node server takes it */
	{ "gwu|s|", "", "41\n", "", MOVED | LEFT },
	/* two probes are two answers */
	{ "w|p|p|", "", "3probe\n3probe\n", "", STAYS },
	/* messages: on the poll until "5", then on the WebSocket */
	{ "gw|ps|s|g|", "41\n42\n", "3probe\n", "", STAYS },
	{ "gw|ps|ss|u|s|", "41\n", "3probe\n42\n43\n44\n", "", MOVED | LEFT },
	{ "w|p|su|", "", "3probe\n41\n", "", MOVED | LEFT },
	{ "w|p|us|", "", "3probe\n41\n", "", MOVED | LEFT },
	{ "swps|us|s|", "", "3probe\n41\n42\n43\n44\n", "", MOVED | LEFT },
	/* the client's: on the poll until "5", then on the WebSocket */
	{ "aw|pa|uab|b", "", "3probe\n", "a\na\nb\nb\n", MOVED | LEFT },
	/* the ping of a barrier, its pong by either way */
	{ "gsmw|p|o|", "41\n2\n", "3probe\n", "", CONFIRMED },
	{ "gsmw|pu|O|", "41\n2\n", "3probe\n", "", MOVED | LEFT | CONFIRMED },
	{ "smw|pu|O|", "", "3probe\n41\n2\n", "", MOVED | LEFT | CONFIRMED },
	{ "smwpu|o|", "", "3probe\n41\n2\n", "", MOVED | LEFT },
	/* only one at a time, and once */
	{ "wW|pW|uW|W", "", "3probe\n", "", MOVED | LEFT },
	/* anything else closes the WebSocket only */
	{ "gw|b|s|", "41\n", "", "", WS_CLOSED },
	{ "gw|pb|s|", "41\n", "", "", WS_CLOSED },
	{ "gw|p|b|s|", "6\n", "3probe\n", "", WS_CLOSED },
	{ "gw|bpu|s|", "41\n", "", "", WS_CLOSED },
	{ "gw|O|", "", "", "", WS_CLOSED },
	{ "gw|r|s|", "41\n", "", "", WS_CLOSED },
	{ "gw|b|Np|s|", "41\n", "", "", WS_CLOSED },	/* may try again */
	/* the streams end */
	{ "gw|E|s|", "41\n", "", "", STAYS },
	{ "gw|p|E|gs|", "6\n41\n", "3probe\n", "", STAYS },
	{ "w|pE|gs|", "41\n", "", "", STAYS },
	{ "w|rE|gs|", "41\n", "", "", STAYS },
	{ "w|e|", "", "", "", CLOSED | WS_CLOSED },
	{ "wpue|s|", "", "3probe\n41\n", "", MOVED },
	{ "wpu|e|s|", "", "3probe\n41\n", "", MOVED | LEFT },
	{ "w|p|usE|", "", "3probe\n", "", MOVED | CLOSED | LEFT },
	{ "w|p|ueE|", "", "3probe\n", "", MOVED | CLOSED },
	/* the session ends */
	{ "gsw|px|", "41\n", "", "", CLOSED | WS_CLOSED | POLL_CLOSED },
	{ "wsx|", "", "", "", CLOSED | WS_CLOSED | POLL_CLOSED },
	{ "w|pu|sx|", "", "3probe\n41\n", "", MOVED | LEFT | CLOSED | WS_CLOSED },
	{ "w|pusx|", "", "41\n", "", MOVED | LEFT | CLOSED | WS_CLOSED },
	{ "w|xE|", "", "", "", CLOSED | POLL_CLOSED },
	{ "w|xe|", "", "", "", CLOSED | WS_CLOSED },
	{ "w|puxe|", "", "", "", MOVED | CLOSED | WS_CLOSED },
	{ "w|R|", "", "", "", CLOSED | WS_CLOSED | POLL_CLOSED },
	{ "w|pu|r|", "", "3probe\n", "", MOVED | LEFT | CLOSED | WS_CLOSED },
	{ "w|pu|R|s|", "", "3probe\n41\n", "", MOVED | LEFT },
};

static unsigned outcome(int64_t upgrades)
{
	return (stats_get(STAT_upgrades) != upgrades ? MOVED : 0) |
	       (app.closes != 0 ? CLOSED : 0) | (polling.left ? LEFT : 0) |
	       (ws.closed ? WS_CLOSED : 0) |
	       (polling.closed ? POLL_CLOSED : 0) |
	       (app.confirms != 0 ? CONFIRMED : 0);
}

Test(upgrade, scripts)
{
	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
		const char *script = scripts[i].script;
		int64_t upgrades = stats_get(STAT_upgrades);

		start(&slow_conf);
		for (const char *c = script; *c != '\0'; c++)
			step(*c);
		cr_expect_str_eq(fake_transport_take(&polling),
				 scripts[i].polling, "%s", script);
		cr_expect_str_eq(fake_transport_take(&ws), scripts[i].ws, "%s",
				 script);
		cr_expect_str_eq(buf_str(&app.in), scripts[i].in, "%s", script);
		cr_expect_eq(outcome(upgrades), scripts[i].end, "%s: %u", script,
			     outcome(upgrades));
		if (app.closes == 0) {
			cr_expect_eq(stats_get(STAT_sessions_polling),
				     (scripts[i].end & MOVED) == 0, "%s", script);
			cr_expect_str_eq(eio_session_transport_name(session),
					 scripts[i].end & MOVED ? "websocket"
								: "polling");
		}
		finish();
	}
}

Test(upgrade, only_from_what_offers_it)
{
	start(&slow_conf);
	session = eio_session_open(sessions, &ws.t);
	run_turn(loop);
	cr_assert_eq(stats_get(STAT_sessions_polling), 1);
	cr_assert_not(eio_session_upgrade(session, &second.t));
	finish();
}

Test(upgrade, not_of_a_session_that_closes)
{
	start(&slow_conf);
	eio_session_close(session, CLOSE_SERVER);
	cr_assert_not(eio_session_upgrade(session, &ws.t));
	run_turn(loop);
	cr_assert_not(ws.closed);
	finish();
}

/* The refusal's reason reaches the WebSocket, for its close code. */
Test(upgrade, too_large_a_frame)
{
	start(&slow_conf);
	step('w');
	step('r');
	cr_assert_not(ws.closed, "not within the call");
	run_turn(loop);
	cr_assert(ws.closed);
	cr_assert_eq(ws.why, CLOSE_TOO_LARGE);
	cr_assert_eq(app.closes, 0);
	finish();
}

static bool ws_closed(void *arg)
{
	(void)arg;
	return ws.closed;
}

Test(upgrade, must_end_in_time)
{
	struct eio_conf c = slow_conf;

	c.upgrade_timeout_ms = 300;
	start(&c);
	step('w');
	step('p');
	cr_assert(run_until(loop, ws_closed, NULL));
	cr_assert_str_eq(fake_transport_take(&ws), "3probe\n");
	step('s');
	step('g');
	run_turn(loop);
	cr_assert_str_eq(fake_transport_take(&polling), "41\n");
	finish();

	start(&c);
	step('w');
	step('u');
	run_for(loop, 400);
	cr_assert_not(ws.closed);
	cr_assert_eq(app.closes, 0);
	finish();
}

static bool has_closed(void *arg)
{
	(void)arg;
	return app.closes != 0;
}

/* The reference clears a running deadline when it switches. */
Test(upgrade, pong_deadline_goes_on)
{
	struct eio_conf c = slow_conf;

	c.ping_timeout_ms = 500;
	start(&c);
	step('g');
	step('m');
	step('w');
	run_turn(loop);
	cr_assert_str_eq(fake_transport_take(&polling), "2\n");
	step('u');
	cr_assert(run_until(loop, has_closed, NULL));
	cr_assert_eq(app.why, CLOSE_PING_TIMEOUT);
	cr_assert(ws.closed);
	finish();
}

static uint32_t seed = 1;

static uint32_t draw(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

/* Checks the messages written since: "4<n>", n one more each time. */
static unsigned count_messages(struct fake_transport *f, unsigned last,
			       const char *script)
{
	const char *at = fake_transport_take(f);

	for (; *at != '\0'; at = strchr(at, '\n') + 1) {
		if (*at == '4')
			cr_assert_eq(strtoul(at + 1, NULL, 10), ++last,
				     "%s", script);
	}
	return last;
}

/* Whatever the order of events: what is sent comes out once, in order. Nothing
 * that comes from a stream already left, or gone, does harm. */
Test(upgrade, chaos)
{
	static const char often[] = "||||ggsssppuua", seldom[] = "wwwEerRxmobO";
	int64_t upgrades = stats_get(STAT_upgrades);
	unsigned survived = 0;

	for (unsigned round = 0; round < 3000; round++) {
		char script[61] = "";
		unsigned last = 0;

		start(&slow_conf);
		for (size_t n = 0; n < 60 && session != NULL; n++) {
			char c = draw(12) != 0 ? often[draw(sizeof(often) - 1)]
					      : seldom[draw(sizeof(seldom) - 1)];

			script[n] = c;
			if (c == 's')
				sent += send_numbered(sent + 1);
			else if (c == 'w')
				(void)!eio_session_upgrade(session, &ws.t);
			else
				step(c);
			last = count_messages(&polling, last, script);
			last = count_messages(&ws, last, script);
		}
		if (session != NULL) {
			survived++;
			step('|');
			if (session != NULL)
				step('g');
			run_turn(loop);
		}
		last = count_messages(&polling, last, script);
		last = count_messages(&ws, last, script);
		cr_assert(app.closes != 0 ? last <= sent : last == sent,
			  "%s: %u of %u", script, last, sent);
		finish();
	}
	cr_assert_gt(stats_get(STAT_upgrades) - upgrades, 300);
	cr_assert_gt(survived, 300);
}
