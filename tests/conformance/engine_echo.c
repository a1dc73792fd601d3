#include "tests/conformance/echo.h"

#include "common/base/buf.h"

static struct buf out;

static void *on_opened(void *arg, struct eio_session *s)
{
	(void)arg;
	eio_session_joined(s);	/* no namespaces here */
	return s;
}

static void on_message(void *up, struct slice data, bool binary)
{
	if (binary) {
		eio_session_send(up, data, true);
		return;
	}
	buf_clear(&out);
	buf_addc(&out, '4');
	buf_add(&out, data.p, data.n);
	eio_session_send(up, buf_slice(&out), false);
}

static void on_confirmed(void *up, uint32_t mark)
{
	(void)up;
	(void)mark;
}

static void on_closed(void *up, enum close_reason why)
{
	(void)up;
	(void)why;
}

struct eio_ops engine_echo_ops(void)
{
	return (struct eio_ops){
		.opened = on_opened,
		.message = on_message,
		.confirmed = on_confirmed,
		.closed = on_closed,
	};
}
