/* The session and Socket.IO state machines, driven by transcripts: what clients,
 * their streams, the application and time do, in any order. The streams and the
 * application hold the session to its contracts.
 *
 * A transcript is text, a step per letter, what it carries up to the line's end;
 * other bytes are nothing:
 *   0 1 2       the client that the next steps are about
 *   w l         it connects: by WebSocket, by long-polling
 *   u           its WebSocket comes, to upgrade
 *   >TEXT =BIN  a frame on its transport; e E: its next event to / and /custom
 *   ]TEXT [BIN  a frame on the candidate
 *   <TEXT       a frame on the transport that the session is moving from
 *   g G R       the end of the transport, the candidate, the one moved from
 *   v V         the client breaks a rule of the transport, the candidate
 *   x y z       the stream takes nothing; all (a poll came); one packet
 *   s S L B     the application sends text, binary, much, text with attachments
 *   q m         it asks for an acknowledgement; sets a mark
 *   a r d c C   it accepts, refuses, disconnects, closes, closes all
 *   A?          what it answers from now on (session_app.c), by the byte's bits
 *   . , ; : !   the turn ends; and 1, 10, 100, 1000 ms pass
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/ipc/stats.h"
#include "tests/fuzz/fake_loop.h"
#include "tests/fuzz/session_world.h"

struct world w;

static const struct eio_conf conf = {
	.instance = 7, .ping_interval_ms = 100, .ping_timeout_ms = 50,
	.connect_timeout_ms = 70, .upgrade_timeout_ms = 30,
	.max_payload = 1000, .outbox_limit = 400,
};

static int64_t stats_before[STAT__COUNT];

/* Since this transcript began. */
static int64_t gauge(enum stat_id id)
{
	return stats_get(id) - stats_before[id];
}

static int64_t closed_count(void)
{
	int64_t n = 0;

	for (int id = STAT_closed_client; id <= STAT_closed_server; id++)
		n += gauge((enum stat_id)id);
	return n;
}

static void connect_client(struct client *c, bool polling)
{
	if (c->s != NULL)
		return;
	*c = (struct client){ 0 };
	c->opened_us = c->alive_us = clock_mono_us();
	c->now = stream_new(c, polling);
	CHECK(eio_session_open(w.sessions, &c->now->t) == c->s);
	CHECK(client_is_open(c));
}

static void upgrade(struct client *c)
{
	bool may = client_is_open(c) && c->now != NULL && c->now->polling &&
		   c->candidate == NULL;
	struct stream *st = stream_new(c, false);

	/* a request finds only sessions that are open */
	if (client_is_open(c) && eio_session_upgrade(c->s, &st->t)) {
		CHECK(may);
		c->candidate = st;
		c->candidate_us = clock_mono_us();
		c->probes = c->answers = c->fives = 0;
	} else {
		CHECK(!may);
		stream_free(&st);
	}
}

/* What the client says on its transport, as the client knows it. */
static void note_frame(struct client *c, const struct stream *st,
		       struct slice f, bool binary)
{
	if (binary || f.n == 0 || !client_is_open(c))
		return;
	if (st == c->now && f.p[0] == '3') {
		c->alive_us = clock_mono_us();
		if (c->pongs < c->pings)
			c->pongs++;
		else
			c->liar = true;
	}
	if (st == c->candidate) {
		c->probes += same(f, SLICE("2probe"));
		c->fives += same(f, SLICE("5"));
	}
}

static void frame(struct client *c, struct stream *st, struct slice f, bool binary)
{
	char *exact;

	if (c->s == NULL || st == NULL)
		return;
	exact = malloc(f.n);
	CHECK(exact != NULL || f.n == 0);
	if (f.n > 0)
		memcpy(exact, f.p, f.n);
	note_frame(c, st, f, binary);
	w.calling = true;
	eio_session_frame(c->s, &st->t, (struct slice){ exact, f.n }, binary);
	w.calling = false;
	client_sync(c);
	free(exact);
}

/* An event goes to its socket at once, and once; if it may not, or something
 * else was due, the session ends. */
static void event(struct client *c, enum namespace nsp)
{
	uint32_t got = c->events_got;
	bool open = client_is_open(c) && c->now != NULL;
	bool member = c->members[nsp] != NULL && c->members[nsp]->accepted;
	char text[64];
	int n;

	c->events++;
	n = snprintf(text, sizeof(text), "42%s[\"e\",%u]",
		     nsp == NSP_ROOT ? "" : "/custom,", c->events);
	frame(c, c->now, (struct slice){ text, (size_t)n }, false);
	if (c->events_got != got) {
		CHECK(open && member);
		CHECK(c->events_got == got + 1 && c->last_event == c->events);
	} else if (open) {
		CHECK(!client_is_open(c));
	}
}

static void gone(struct client *c, struct stream **st)
{
	if (c->s == NULL || *st == NULL)
		return;
	w.calling = true;
	eio_session_transport_gone(c->s, &(*st)->t, CLOSE_CLIENT);
	w.calling = false;
	stream_free(st);
}

static void refuse(struct client *c, struct stream *st)
{
	if (c->s == NULL || st == NULL)
		return;
	w.calling = true;
	eio_session_refuse(c->s, &st->t, CLOSE_TOO_LARGE);
	w.calling = false;
}

static void takes(struct client *c, size_t packets)
{
	/* nothing is written on a new stream before the turn's end: it takes */
	if (c->s == NULL || c->now == NULL || c->old != NULL)
		return;
	c->now->takes = packets;
	if (packets == 0)
		return;
	w.calling = true;
	eio_session_writable(c->s, &c->now->t);
	w.calling = false;
}

/* Everything has had its turn. */
static void check_client(const struct client *c)
{
	int64_t now_us = clock_mono_us();

	if (c->s == NULL) {
		CHECK(c->now == NULL && c->candidate == NULL);
		return;
	}
	CHECK(client_is_open(c) && c->now != NULL && c->old == NULL);
	CHECK(eio_session_transport(c->s) == &c->now->t);
	if (c->now->takes > 0)
		CHECK(c->greeted && c->taken == c->sent);
	/* once it is probed, a poll is let go */
	if (c->candidate != NULL && c->probes > 0)
		CHECK(c->answers > 0 && c->now->takes == 0);
	CHECK(now_us - c->alive_us <=
	      (conf.ping_interval_ms + conf.ping_timeout_ms) * 1000);
	CHECK(c->joined ||
	      now_us - c->opened_us < conf.connect_timeout_ms * 1000);
	CHECK(c->candidate == NULL ||
	      now_us - c->candidate_us < conf.upgrade_timeout_ms * 1000);
}

static void turn(int64_t ms)
{
	int64_t open = 0, polling = 0;

	fake_loop_pass(w.loop, ms);
	fake_loop_turn(w.loop);
	for (int i = 0; i < CLIENTS; i++) {
		const struct client *c = &w.clients[i];

		check_client(c);
		open += c->s != NULL;
		polling += c->s != NULL && c->now->polling;
	}
	CHECK((int64_t)eio_sessions_count(w.sessions) == open);
	CHECK(gauge(STAT_sessions) == open);
	CHECK(gauge(STAT_sessions_polling) == polling);
	CHECK(gauge(STAT_outbox_bytes) >= 0);
	CHECK(gauge(STAT_outbox_bytes) <= open * (int64_t)conf.outbox_limit);
	CHECK(closed_count() == w.closed && w.opened == w.closed + open);
}

static void client_step(struct client *c, char what, struct slice line)
{
	switch (what) {
	case 'w': connect_client(c, false); break;
	case 'l': connect_client(c, true); break;
	case 'u': upgrade(c); break;
	case '>': frame(c, c->now, line, false); break;
	case '=': frame(c, c->now, line, true); break;
	case ']': frame(c, c->candidate, line, false); break;
	case '[': frame(c, c->candidate, line, true); break;
	case '<': frame(c, c->old, line, false); break;
	case 'e': event(c, NSP_ROOT); break;
	case 'E': event(c, NSP_CUSTOM); break;
	case 'g': gone(c, &c->now); break;
	case 'G': gone(c, &c->candidate); break;
	case 'R': gone(c, &c->old); break;
	case 'v': refuse(c, c->now); break;
	case 'V': refuse(c, c->candidate); break;
	case 'x': takes(c, 0); break;
	case 'y': takes(c, TAKES_ALL); break;
	case 'z': takes(c, 1); break;
	case 's': app_send(c, false, 1); break;
	case 'S': app_send(c, true, 0); break;
	case 'L': app_send(c, false, 250); break;
	case 'B': app_send_binary(c); break;
	case 'q': app_ask(c); break;
	case 'm': app_mark(c); break;
	case 'a': app_accept(c); break;
	case 'r': app_refuse(c); break;
	case 'd': app_disconnect(c); break;
	case 'c':
		if (c->s != NULL)
			eio_session_close(c->s, CLOSE_SERVER);
		break;
	}
}

/* Steps until the input's end. */
static void play(struct slice in)
{
	struct client *c = &w.clients[0];

	while (in.n > 0) {
		char what = in.p[0];
		struct slice line = { in.p + 1, 0 };

		if (strchr(">=][<", what) != NULL && what != '\0') {
			const char *end = memchr(line.p, '\n', in.n - 1);

			line.n = end != NULL ? (size_t)(end - line.p) : in.n - 1;
		}
		switch (what) {
		case '0': case '1': case '2': c = &w.clients[what - '0']; break;
		case 'C': eio_sessions_close_all(w.sessions, CLOSE_SERVER); break;
		case 'A':
			if (in.n > 1)
				w.mode = (uint8_t)in.p[1] & 63;
			line.n = in.n > 1;
			break;
		case '.': turn(0); break;
		case ',': turn(1); break;
		case ';': turn(10); break;
		case ':': turn(100); break;
		case '!': turn(1000); break;
		default: client_step(c, what, line); break;
		}
		in = (struct slice){ in.p + 1 + line.n, in.n - 1 - line.n };
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct eio_ops ops;

	log_level_now = LOG_LVL_ERR;
	w = (struct world){ 0 };
	for (int id = 0; id < STAT__COUNT; id++)
		stats_before[id] = stats_get((enum stat_id)id);
	clock_fake_set(1000000000, 1000000000);
	w.loop = loop_new();
	app_start();
	ops = app_eio_ops();
	w.sessions = eio_sessions_new(w.loop, &conf, &ops);
	play((struct slice){ (const char *)data, n });
	turn(0);
	eio_sessions_free(&w.sessions);
	CHECK(w.opened == w.closed && closed_count() == w.closed);
	CHECK(gauge(STAT_sessions) == 0 && gauge(STAT_sessions_polling) == 0);
	CHECK(gauge(STAT_outbox_bytes) == 0);
	for (int i = 0; i < CLIENTS; i++)
		CHECK(w.clients[i].s == NULL && w.clients[i].now == NULL);
	sio_server_free(&w.server);
	loop_free(&w.loop);
	return 0;
}
