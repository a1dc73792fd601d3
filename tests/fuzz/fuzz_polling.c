/* Long-polling: polling.c, farewell.c and the session below it, driven by
 * transcripts of one client's requests. The connections are made here: each
 * request is answered once, cut or lost; what the session was given comes out
 * once and in order, over polls, a WebSocket, and the poll after a proper end.
 *
 * A step per letter; > and ] carry a line:
 *   o          a session opens with its first GET
 *   g p        a GET, a POST with the session's id
 *   >BODY      the POST's body is whole; P: it is the client's next two messages
 *   r          the POST is refused: too long
 *   a          the GET's answer is written (when slow); x: slow from now on, or not
 *   k K        the connection of the GET, of the POST, breaks
 *   m          misuse
 *   u ]TEXT G  the WebSocket: comes, sends, breaks
 *   s S L      the application sends text, binary, much
 *   c e        it ends the session: stopping, token expired
 *   . , ; : #  the turn ends; and 1, 10, 100, 31000 ms pass
 */
#include "worker/transport/polling.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/protocol/eio_payload.h"
#include "tests/fuzz/fake_loop.h"
#include "tests/fuzz/fuzz.h"
#include "worker/engineio/outbox.h"
#include "worker/engineio/session.h"
#include "worker/transport/conn.h"
#include "worker/transport/farewell.h"
#include "worker/transport/transport.h"

struct conn {
	struct polling *polling;
	struct conn **where;	/* w.get or w.post; NULL: nobody's */
	bool answered;
};

static struct {
	struct loop *loop;
	struct eio_sessions *sessions;
	struct farewells *farewells;
	struct pollings *pollings;
	struct eio_session *s;
	char sid[SESSION_ID_LEN];
	struct conn *get, *post;
	struct transport *websocket;
	bool slow;			/* answers are written later */
	bool greeted;
	bool ending, told;		/* properly; and the client knows */
	uint32_t sent, taken;		/* by the application; by the client */
	uint32_t said, heard;		/* by the client; by the application */
	unsigned opened, closed;
} w;

static const struct eio_conf conf = {
	.instance = 7, .ping_interval_ms = 200, .ping_timeout_ms = 200,
	.connect_timeout_ms = 1000000, .upgrade_timeout_ms = 30,
	.max_payload = 1000, .outbox_limit = 2000,
};

static struct eio_session *open_session(void)
{
	return eio_sessions_find(w.sessions, (struct slice){ w.sid, sizeof(w.sid) });
}

/* --- what the client gets --- */

static bool is(struct slice s, const char *text)
{
	return same(s, (struct slice){ text, strlen(text) });
}

static void took(struct slice p, bool binary)
{
	uint32_t number;

	if (binary) {
		CHECK(p.n == sizeof(number));
		memcpy(&number, p.p, sizeof(number));
	} else if (!w.greeted) {
		w.told |= is(p, "1");
		if (w.told)	/* ended in the turn of its opening */
			return;
		CHECK(p.n > 2 && memcmp(p.p, "0{", 2) == 0);
		w.greeted = true;
		return;
	} else if (p.p[0] != '4') {
		CHECK(is(p, "2") || is(p, "6") || is(p, "1") || is(p, "3probe"));
		w.told |= is(p, "1");
		return;
	} else {
		number = (uint32_t)strtoul(p.p + 1, NULL, 10);
	}
	CHECK(number == w.taken && number < w.sent);
	w.taken++;
}

static void took_body(struct slice body)
{
	struct buf scratch = { 0 };
	struct slice rest = body, packet;
	uint32_t before = w.taken;
	bool binary, end = false;
	int rc;

	while ((rc = eio_payload_next(&rest, &scratch, &packet, &binary)) == 1) {
		took(packet, binary);
		end |= !binary && is(packet, "1");
	}
	CHECK(rc == 0);
	/* the client would see the end, and not the messages */
	CHECK(!end || w.taken == before);
	buf_free(&scratch);
}

/* --- connections --- */

static struct conn *conn_make(struct conn **where)
{
	struct conn *c = calloc(1, sizeof(*c));

	CHECK(c != NULL);
	if (*where == NULL) {
		*where = c;
		c->where = where;
	}
	return c;
}

static void conn_drop(struct conn *c)
{
	if (c->where != NULL)
		*c->where = NULL;
	free(c);
}

void conn_answer(struct conn *c, const struct response *r)
{
	struct polling *p = c->polling;

	CHECK(!c->answered && c != w.post);
	c->answered = true;
	CHECK(r->status == 200);
	took_body(r->body);
	if (w.slow && p != NULL)
		return;
	c->polling = NULL;
	conn_drop(c);
	if (p != NULL)
		polling_answered(p);
}

void conn_detach(struct conn *c)
{
	CHECK(c->polling != NULL);
	c->polling = NULL;
	if (c->answered)	/* goes on being written */
		conn_drop(c);
}

void conn_cut(struct conn *c)
{
	CHECK(c->polling != NULL);
	conn_drop(c);
}

static void break_off(struct conn *c)
{
	struct polling *p = c != NULL ? c->polling : NULL;

	if (c == NULL)
		return;
	c->polling = NULL;
	w.ending = false;
	if (p != NULL)
		polling_lost(p, c, CLOSE_CLIENT);
	conn_drop(c);
}

/* --- requests --- */

/* What a request with the id finds; the client has it from the open packet. */
static struct eio_session *known_session(void)
{
	return w.greeted ? open_session() : NULL;
}

static void step_open(void)
{
	struct conn *c;

	if (w.s != NULL || w.get != NULL || w.post != NULL)
		return;
	w.greeted = w.ending = w.told = false;
	w.sent = w.taken = w.said = w.heard = 0;
	c = conn_make(&w.get);
	c->polling = polling_open(w.pollings, c);
}

static void step_last(void)
{
	struct slice sid = { w.sid, sizeof(w.sid) };
	struct buf body = { 0 };
	bool known = farewell_known(w.farewells, sid);

	CHECK(farewell_take(w.farewells, sid, &body) == known);
	if (known) {	/* the rest, then the end */
		took_body(buf_slice(&body));
		CHECK(w.taken == w.sent);
		CHECK(is(buf_slice(&body), "6\x1e" "1") != farewell_known(w.farewells, sid));
	}
	buf_free(&body);
}

static void step_request(struct conn **where,
			 bool (*take)(struct polling *p, struct conn *c))
{
	struct eio_session *s = known_session();
	struct polling *p = s != NULL ? polling_of(s) : NULL;
	bool second = *where != NULL;
	struct conn *c;

	if (p == NULL) {
		if (open_session() == NULL && where == &w.get)
			step_last();
		return;
	}
	c = conn_make(where);
	if (take(p, c)) {
		CHECK(!second);
		c->polling = p;
	} else {
		CHECK(second && open_session() == NULL);
		conn_drop(c);
	}
}

static void step_posted(struct slice body)
{
	struct conn *c = w.post;
	struct polling *p = c != NULL ? c->polling : NULL;
	char *exact;

	if (c == NULL)
		return;
	conn_drop(c);	/* it has its own answer */
	if (p == NULL)
		return;
	exact = malloc(body.n);
	CHECK(exact != NULL || body.n == 0);
	if (body.n > 0)
		memcpy(exact, body.p, body.n);
	CHECK(polling_posted(p, (struct slice){ exact, body.n }) ||
	      open_session() == NULL || polling_of(w.s) != p);
	free(exact);
}

static void step_messages(void)
{
	struct eio_session *s = open_session();
	bool heard = s != NULL && w.post != NULL && w.post->polling != NULL &&
		     w.post->polling == polling_of(s);
	char body[64];
	int n = snprintf(body, sizeof(body), "4m%u\x1e" "4m%u", w.said, w.said + 1);

	w.said += 2;
	step_posted((struct slice){ body, (size_t)n });
	CHECK(!heard || w.heard == w.said);
	w.heard = w.said;
}

static void step_refused(void)
{
	struct polling *p = w.post != NULL ? w.post->polling : NULL;

	if (w.post == NULL)
		return;
	conn_drop(w.post);
	if (p != NULL)
		polling_post_refused(p);
}

static void step_written(void)
{
	struct polling *p = w.get != NULL ? w.get->polling : NULL;

	if (p == NULL || !w.get->answered)
		return;
	conn_drop(w.get);
	polling_answered(p);
}

/* --- the WebSocket --- */

static int ws_flush(struct transport *t, struct outbox *o)
{
	struct slice packet;
	bool binary;

	CHECK(t == w.websocket);
	for (; outbox_peek(o, &packet, &binary); outbox_pop(o))
		took(packet, binary);
	return 0;
}

static void ws_close(struct transport *t, struct outbox *rest, enum close_reason why)
{
	(void)why;
	(void)ws_flush(t, rest);
	free(t);
	w.websocket = NULL;
}

static const struct transport_ops ws_ops = {
	.name = "websocket", .flush = ws_flush, .close = ws_close,
};

static void step_upgrade(void)
{
	struct eio_session *s = known_session();

	if (s == NULL || w.websocket != NULL)
		return;
	w.websocket = calloc(1, sizeof(*w.websocket));
	CHECK(w.websocket != NULL);
	w.websocket->ops = &ws_ops;
	CHECK(eio_session_upgrade(s, w.websocket));
}

static void step_ws_gone(void)
{
	if (w.websocket == NULL)
		return;
	eio_session_transport_gone(w.s, w.websocket, CLOSE_CLIENT);
	free(w.websocket);
	w.websocket = NULL;
}

/* --- the application --- */

static void *on_opened(void *arg, struct eio_session *s)
{
	CHECK(w.s == NULL);
	w.s = s;
	w.opened++;
	memcpy(w.sid, eio_session_sid(s), sizeof(w.sid));
	return arg;
}

static void on_message(void *up, struct slice data, bool binary)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "m%u", w.heard);

	(void)up;
	CHECK(open_session() == w.s);
	w.heard += !binary && same(data, (struct slice){ text, (size_t)n });
}

static void on_confirmed(void *up, uint32_t mark)
{
	(void)up;
	(void)mark;
	abort();	/* no marks are set */
}

static void on_closed(void *up, enum close_reason why)
{
	(void)up;
	(void)why;
	CHECK(w.s != NULL && w.websocket == NULL && open_session() == NULL);
	CHECK(!w.ending || w.told ||
	      farewell_known(w.farewells, (struct slice){ w.sid, sizeof(w.sid) }));
	CHECK(w.get == NULL || w.get->polling == NULL);
	CHECK(w.post == NULL || w.post->polling == NULL);
	w.s = NULL;
	w.closed++;
}

static void app_send(bool binary, int padding)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "4%u %*s", w.sent, padding, "");
	uint32_t number = w.sent;

	if (w.s == NULL)
		return;
	w.sent += eio_session_send(w.s, binary
		? (struct slice){ (const char *)&number, sizeof(number) }
		: (struct slice){ text, (size_t)n }, binary);
}

static void step_end(enum close_reason why)
{
	if (open_session() == NULL)
		return;
	w.ending = polling_of(w.s) != NULL;
	eio_session_close(w.s, why);
}

/* --- */

static void turn(int64_t ms)
{
	fake_loop_pass(w.loop, ms);
	fake_loop_turn(w.loop);
	CHECK((w.s != NULL) == (open_session() != NULL));
	CHECK(w.opened == w.closed + (w.s != NULL));
	if (w.s == NULL)
		return;
	/* a poll, or a WebSocket that is the session's, got all there was */
	if (w.get != NULL && w.get->polling != NULL && !w.get->answered)
		CHECK(w.greeted && w.taken == w.sent);
	if (eio_session_transport(w.s) == w.websocket)
		CHECK(w.get == NULL && w.post == NULL && w.taken == w.sent);
}

static void play_step(char what, struct slice line)
{
	struct eio_session *s = known_session();

	switch (what) {
	case 'o': step_open(); break;
	case 'g': step_request(&w.get, polling_get); break;
	case 'p': step_request(&w.post, polling_post); break;
	case '>': step_posted(line); break;
	case 'P': step_messages(); break;
	case 'r': step_refused(); break;
	case 'a': step_written(); break;
	case 'x': w.slow = !w.slow; break;
	case 'k': break_off(w.get); break;
	case 'K': break_off(w.post); break;
	case 'm':
		if (s != NULL && polling_of(s) != NULL)
			polling_misused(polling_of(s));
		break;
	case 'u': step_upgrade(); break;
	case ']':
		if (w.websocket != NULL)
			eio_session_frame(w.s, w.websocket, line, false);
		break;
	case 'G': step_ws_gone(); break;
	case 's': app_send(false, 1); break;
	case 'S': app_send(true, 0); break;
	case 'L': app_send(false, 450); break;
	case 'c': step_end(CLOSE_SERVER); break;
	case 'e': step_end(CLOSE_AUTH); break;
	case '.': turn(0); break;
	case ',': turn(1); break;
	case ';': turn(10); break;
	case ':': turn(100); break;
	case '#': turn(31000); break;
	}
}

static void play(struct slice in)
{
	while (in.n > 0) {
		struct slice line = { in.p + 1, 0 };

		if (in.p[0] == '>' || in.p[0] == ']') {
			const char *end = memchr(line.p, '\n', in.n - 1);

			line.n = end != NULL ? (size_t)(end - line.p) : in.n - 1;
		}
		play_step(in.p[0], line);
		in = (struct slice){ line.p + line.n, in.n - 1 - line.n };
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct eio_ops ops = {
		.opened = on_opened, .message = on_message,
		.confirmed = on_confirmed, .closed = on_closed,
	};

	memset(&w, 0, sizeof(w));
	log_level_now = LOG_LVL_ERR;
	clock_fake_set(1000000000, 1000000000);
	w.loop = loop_new();
	w.sessions = eio_sessions_new(w.loop, &conf, &ops);
	w.farewells = farewells_new(w.loop);
	w.pollings = pollings_new(w.sessions, w.farewells);
	play((struct slice){ (const char *)data, n });
	w.ending = false;	/* nobody is told any more */
	pollings_free(&w.pollings);
	eio_sessions_free(&w.sessions);
	farewells_free(&w.farewells);
	CHECK(w.s == NULL && w.opened == w.closed);
	/* what is left is not polling's: a request whose answer is its own */
	if (w.get != NULL)
		conn_drop(w.get);
	if (w.post != NULL)
		conn_drop(w.post);
	loop_free(&w.loop);
	return 0;
}
