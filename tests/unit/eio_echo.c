#include "tests/unit/eio_echo.h"

struct eio_echo echoed;

static void *opened(void *arg, struct eio_session *s)
{
	(void)arg;
	echoed.latest = s;
	return s;
}

static void message(void *up, struct slice data, bool binary)
{
	struct buf b = { 0 };

	if (!binary)
		buf_addc(&b, '4');
	buf_add(&b, data.p, data.n);
	eio_session_send(up, buf_slice(&b), binary);
	buf_free(&b);
	buf_add(&echoed.got, data.p, data.n);
	buf_addc(&echoed.got, '\n');
	echoed.messages++;
}

static void confirmed(void *up, uint32_t mark)
{
	(void)up;
	(void)mark;
}

static void closed(void *up, enum close_reason why)
{
	if (up == echoed.latest)
		echoed.latest = NULL;
	echoed.closes++;
	echoed.why = why;
}

struct eio_ops eio_echo_begin(void)
{
	eio_echo_end();
	echoed = (struct eio_echo){ 0 };
	return (struct eio_ops){
		.opened = opened, .message = message,
		.confirmed = confirmed, .closed = closed,
	};
}

void eio_echo_end(void)
{
	buf_free(&echoed.got);
}
