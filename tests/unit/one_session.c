#include "tests/unit/one_session.h"

#include <stdio.h>
#include <string.h>

struct one_app app;
struct loop *loop;
struct eio_sessions *sessions;
struct fake_transport fake;

static void *opened(void *arg, struct eio_session *s)
{
	app.session = s;
	return arg;
}

static void message(void *up, struct slice data, bool binary)
{
	struct one_app *a = up;

	a->messages++;
	a->binaries += binary;
	snprintf(a->last, sizeof(a->last), "%.*s", (int)data.n, data.p);
}

static void confirmed(void *up, uint32_t mark)
{
	struct one_app *a = up;

	a->confirms++;
	a->confirmed = mark;
}

static void closed(void *up, enum close_reason why)
{
	struct one_app *a = up;

	a->closes++;
	a->why = why;
}

const struct eio_conf slow_conf = {
	.instance = 5, .ping_interval_ms = 60000, .ping_timeout_ms = 60000,
	.connect_timeout_ms = 60000, .max_payload = 1000, .outbox_limit = 1000,
};

struct eio_session *start(const struct eio_conf *c)
{
	struct eio_ops ops = {
		.opened = opened, .message = message,
		.confirmed = confirmed, .closed = closed, .arg = &app,
	};
	struct eio_session *s;

	loop = loop_new();
	sessions = eio_sessions_new(loop, c, &ops);
	fake_transport_init(&fake, false);
	s = eio_session_open(sessions, &fake.t);
	run_turn(loop);
	return s;
}

void finish(void)
{
	eio_sessions_free(&sessions);
	fake_transport_free(&fake);
	loop_free(&loop);
}

void frame(struct eio_session *s, const char *text)
{
	eio_session_frame(s, eio_session_transport(s),
			  (struct slice){ text, strlen(text) }, false);
}

bool send_text(struct eio_session *s, const char *text)
{
	return eio_session_send(s, (struct slice){ text, strlen(text) }, false);
}

bool has_closed(void *arg)
{
	(void)arg;
	return app.closes != 0;
}
