/* The transports: what they may be asked for, when, and in which order packets
 * come. */
#include "tests/fuzz/session_world.h"

#include "worker/engineio/outbox.h"

bool client_is_open(const struct client *c)
{
	struct slice sid = { c->sid, sizeof(c->sid) };

	return c->s != NULL && eio_sessions_find(w.sessions, sid) == c->s;
}

void client_sync(struct client *c)
{
	if (c->s == NULL || c->candidate == NULL ||
	    eio_session_transport(c->s) != &c->candidate->t)
		return;
	CHECK(c->fives > 0 && c->old == NULL);
	c->old = c->now;
	c->now = c->candidate;
	c->candidate = NULL;
}

static bool is(struct slice s, const char *text)
{
	return same(s, (struct slice){ text, strlen(text) });
}

/* A packet of the application carries its number: 4 bytes, or as in
 * 42["s",7,…]; -1: another event, or one of Socket.IO's own (which may repeat
 * what the client called a namespace). */
static int64_t number_of(struct slice p, bool binary)
{
	static const char name[] = "[\"s\",";
	const char *array = memchr(p.p, '[', p.n);
	uint32_t number;

	if (binary) {
		CHECK(p.n == sizeof(number));
		memcpy(&number, p.p, sizeof(number));
		return number;
	}
	CHECK(p.n > 1 && p.p[0] == '4');
	if (strchr("25", p.p[1]) == NULL || array == NULL || array + strlen(name) >= p.p + p.n ||
	    memcmp(array, name, strlen(name)) != 0)
		return -1;
	return strtol(array + strlen(name), NULL, 10);
}

static void took_message(struct client *c, struct slice p, bool binary)
{
	int64_t number = number_of(p, binary);

	if (!binary && (p.p[1] == '5' || p.p[1] == '6'))
		c->attachments = (unsigned)(p.p[2] - '0');
	if (number == -1)
		return;
	CHECK(number == c->taken);	/* none lost, doubled, overtaken */
	CHECK(c->taken < c->sent);
	c->taken++;
}

static void took(struct stream *st, struct slice p, bool binary)
{
	struct client *c = st->c;

	if (!binary && is(p, "3probe")) {
		CHECK(st == c->candidate || (st == c->now && c->fives > 0));
		c->answers++;
		CHECK(c->answers <= c->probes);
		return;
	}
	CHECK(st == c->now);
	if (c->attachments > 0) {
		CHECK(binary);
		c->attachments--;
	}
	if (!c->greeted) {
		CHECK(!binary && p.n > 2 && memcmp(p.p, "0{", 2) == 0);
		c->greeted = true;
	} else if (!binary && is(p, "2")) {
		c->pings++;
	} else if (!binary && is(p, "6")) {
		CHECK(st->polling && c->probes > 0);
	} else {
		took_message(c, p, binary);
	}
}

static int flush(struct transport *t, struct outbox *o)
{
	struct stream *st = CONTAINER_OF(t, struct stream, t);
	struct slice packet;
	size_t n = 0;
	bool binary;

	CHECK(!w.calling);
	client_sync(st->c);
	for (; st->takes > 0 && outbox_peek(o, &packet, &binary); n++) {
		took(st, packet, binary);
		outbox_pop(o);
		if (st->takes != TAKES_ALL)
			st->takes--;
	}
	if (st->polling && n > 0)	/* one body answers one poll */
		st->takes = 0;
	return 0;
}

static bool waiting(const struct transport *t)
{
	return CONTAINER_OF(t, struct stream, t)->takes > 0;
}

static void end(struct transport *t, struct outbox *rest, enum close_reason why)
{
	struct stream *st = CONTAINER_OF(t, struct stream, t);
	struct client *c = st->c;

	CHECK(!w.calling && why < CLOSE__COUNT);
	client_sync(c);
	if (st == c->candidate) {
		CHECK(outbox_size(rest) == 0);
		stream_free(&c->candidate);
		return;
	}
	CHECK(st == c->now && !client_is_open(c));
	(void)flush(t, rest);
	stream_free(&c->now);
}

static void left(struct transport *t)
{
	struct stream *st = CONTAINER_OF(t, struct stream, t);
	struct client *c = st->c;

	CHECK(!w.calling);
	client_sync(c);
	CHECK(st == c->old);
	stream_free(&c->old);
}

static const struct transport_ops polling_ops = {
	.name = "polling", .upgradable = true, .flush = flush,
	.waiting = waiting, .close = end, .left = left,
};
static const struct transport_ops websocket_ops = {
	.name = "websocket", .flush = flush, .close = end,
};

struct stream *stream_new(struct client *c, bool polling)
{
	struct stream *st = calloc(1, sizeof(*st));

	CHECK(st != NULL);
	st->t.ops = polling ? &polling_ops : &websocket_ops;
	st->c = c;
	st->polling = polling;
	st->takes = TAKES_ALL;
	return st;
}

void stream_free(struct stream **st)
{
	free(*st);
	*st = NULL;
}
