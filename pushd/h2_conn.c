#include "pushd/h2_conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/util.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "pushd/h2_call.h"
#include "pushd/h2_dial.h"
#include "pushd/h2_tls.h"

static void on_read(struct bufferevent *bev, void *arg);
static void on_write(struct bufferevent *bev, void *arg);
static void on_event(struct bufferevent *bev, short what, void *arg);

static size_t output_pending(const struct h2_conn *c)
{
	return c->bev == NULL ? 0 :
		evbuffer_get_length(bufferevent_get_output(c->bev));
}

void h2_conn_detach(struct h2_conn *c, struct h2_call *call)
{
	nghttp2_session_set_stream_user_data(c->session, call->stream_id, NULL);
	list_remove(&call->node);
	c->ncalls--;
	c->unsent -= call->body.n - call->body_sent;
	call->conn = NULL;
	if (c->ncalls == 0) {
		c->unanswered_ms = 0;
		if (c->state == H2_DRAINING)
			loop_defer(c->conf->loop, &c->flush);
	}
}

static void PRINTF(2, 0) set_why(struct h2_conn *c, const char *fmt, va_list ap)
{
	vsnprintf(c->why, sizeof(c->why), fmt, ap);
}

static void cancel_stream(struct h2_conn *c, int32_t id)
{
	nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
	loop_defer(c->conf->loop, &c->flush);
}

static void ping(struct h2_conn *c)
{
	if (c->pinged_ms != 0)
		return;
	c->pinged_ms = clock_mono_ms();
	nghttp2_submit_ping(c->session, NGHTTP2_FLAG_NONE, NULL);
	loop_defer(c->conf->loop, &c->flush);
}

/* Giving up is no answer: unless it answers at least the PING, the peer is as
 * silent as before. */
void h2_conn_cancel(struct h2_conn *c, struct h2_call *call)
{
	int64_t since = c->unanswered_ms;

	h2_conn_detach(c, call);
	c->unanswered_ms = since;
	cancel_stream(c, call->stream_id);
	if (c->ncalls == 0 && since != 0)
		ping(c);
}

/* Latest first: the one given back last is the first to be sent again. */
void h2_conn_drain(struct h2_conn *c, const char *fmt, ...)
{
	struct list *n, *before;
	va_list ap;

	if (c->state != H2_OPEN)
		return;
	va_start(ap, fmt);
	set_why(c, fmt, ap);
	va_end(ap);
	c->state = H2_DRAINING;
	for (n = c->calls.prev; n != &c->calls; n = before) {
		struct h2_call *call = LIST_ENTRY(n, struct h2_call, node);

		before = n->prev;
		if (call->packed)
			continue;
		h2_conn_detach(c, call);
		cancel_stream(c, call->stream_id);
		c->conf->ops->back(c->conf->arg, call);
	}
	c->conf->ops->draining(c->conf->arg, c);
	loop_defer(c->conf->loop, &c->flush);
}

static void release_calls(struct h2_conn *c, uint64_t taken)
{
	while (!list_empty(&c->calls)) {
		struct h2_call *call =
			LIST_ENTRY(c->calls.prev, struct h2_call, node);

		h2_conn_detach(c, call);
		if (!call->packed || call->packed_at >= taken)
			c->conf->ops->back(c->conf->arg, call);
		else
			c->conf->ops->done(c->conf->arg, call, -ECONNRESET);
	}
}

void h2_conn_end(struct h2_conn *c, const char *fmt, ...)
{
	/* What TLS has not got the peer cannot have either. */
	uint64_t taken = c->packed - output_pending(c);
	enum h2_conn_state was = c->state;
	va_list ap;

	if (was == H2_ENDED)
		return;
	va_start(ap, fmt);
	set_why(c, fmt, ap);
	va_end(ap);
	c->state = H2_ENDED;
	h2_dial_cancel(&c->dial);
	timer_disarm(&c->timer);
	timer_disarm(&c->rest);
	if (c->bev != NULL) {
		bufferevent_disable(c->bev, EV_READ | EV_WRITE);
		bufferevent_setcb(c->bev, NULL, NULL, NULL, NULL);
	}
	release_calls(c, taken);
	task_cancel(&c->flush);
	c->conf->ops->ended(c->conf->arg, c, was);
}

/* Only who waits for room asks for it: libevent puts that callback off each time,
 * and keeps the connection's memory for ever if its loop ends before. */
static void set_blocked(struct h2_conn *c, bool blocked)
{
	if (c->blocked == blocked)
		return;
	c->blocked = blocked;
	bufferevent_setcb(c->bev, on_read, blocked ? on_write : NULL, on_event, c);
}

static void pack(struct h2_conn *c, size_t pending)
{
	const uint8_t *p;
	ssize_t n;

	buf_clear(&c->batch);
	while (pending + c->batch.len < H2_OUTPUT_MAX) {
		n = nghttp2_session_mem_send(c->session, &p);
		if (n < 0) {
			h2_conn_end(c, "HTTP/2: %s", nghttp2_strerror((int)n));
			return;
		}
		if (n == 0)
			break;
		buf_add(&c->batch, p, (size_t)n);
	}
	set_blocked(c, pending + c->batch.len >= H2_OUTPUT_MAX);
	c->packed += c->batch.len;
}

static void on_flush(void *arg)
{
	struct h2_conn *c = arg;
	size_t pending = output_pending(c);

	if (c->state < H2_GREETING || c->state == H2_ENDED)
		return;
	pack(c, pending);
	if (c->state == H2_ENDED)
		return;
	if (c->batch.len > 0)
		bufferevent_write(c->bev, c->batch.p, c->batch.len);
	c->conf->ops->room(c->conf->arg);	/* streams may have been closed */
	if (c->state == H2_DRAINING && c->ncalls == 0)
		h2_conn_end(c, "drained");
	else if (nghttp2_session_want_read(c->session) == 0 &&
		 nghttp2_session_want_write(c->session) == 0)
		h2_conn_end(c, "HTTP/2: the server broke the protocol");
	else if (c->state == H2_OPEN &&
		 nghttp2_session_check_request_allowed(c->session) == 0)
		h2_conn_drain(c, "its stream identifiers are used up");
}

static void on_write(struct bufferevent *bev, void *arg)
{
	struct h2_conn *c = arg;

	(void)bev;
	loop_defer(c->conf->loop, &c->flush);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct h2_conn *c = arg;
	size_t n;

	if (c->session == NULL)
		return;
	c->heard_ms = clock_mono_ms();
	while ((n = evbuffer_get_contiguous_space(in)) > 0) {
		ssize_t took = nghttp2_session_mem_recv(c->session,
				evbuffer_pullup(in, (ssize_t)n), n);

		if (took < 0) {
			h2_conn_end(c, "HTTP/2: %s", nghttp2_strerror((int)took));
			return;
		}
		evbuffer_drain(in, (size_t)took);
	}
	loop_defer(c->conf->loop, &c->flush);
	c->conf->ops->room(c->conf->arg);
}

static void greet(struct h2_conn *c)
{
	int rc;

	if (!h2_tls_speaks_h2(c->ssl)) {
		h2_conn_end(c, "the server does not speak HTTP/2 (no ALPN \"h2\")");
		return;
	}
	rc = h2_stream_session(c);
	if (rc != 0) {
		h2_conn_end(c, "HTTP/2: %s", nghttp2_strerror(rc));
		return;
	}
	c->state = H2_GREETING;
	loop_defer(c->conf->loop, &c->flush);
	on_read(c->bev, c);	/* what came with the handshake's last bytes */
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct h2_conn *c = arg;
	int sys = EVUTIL_SOCKET_ERROR();
	char why[200];

	if (what & BEV_EVENT_CONNECTED) {
		greet(c);
		return;
	}
	h2_tls_why(c->ssl, bufferevent_get_openssl_error(bev),
		   what & BEV_EVENT_EOF ? 0 : sys, why, sizeof(why));
	h2_conn_end(c, "%s", why);
}

static void on_dialed(void *arg, int fd, const char *why)
{
	struct h2_conn *c = arg;

	c->dial = NULL;
	if (fd == -1) {
		h2_conn_end(c, "%s", why);
		return;
	}
	c->ssl = h2_tls_session(c->conf->tls, c->conf->host);
	if (c->ssl != NULL)
		c->bev = bufferevent_openssl_socket_new(loop_base(c->conf->loop), fd,
				c->ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
	if (c->bev == NULL) {
		SSL_free(c->ssl);
		close(fd);
		h2_conn_end(c, "TLS: no memory");
		return;
	}
	c->state = H2_HANDSHAKE;
	bufferevent_setcb(c->bev, on_read, NULL, on_event, c);
	bufferevent_setwatermark(c->bev, EV_WRITE, H2_OUTPUT_MAX / 2, 0);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

/* It may say so while it is not ready yet, or has too much to do: but not for
 * ever. Those who wait have as long again for another. */
static unsigned shut_max_ms(const struct h2_conn *c)
{
	return c->conf->timeout_ms / 2;
}

static void watch_shut(struct h2_conn *c, int64_t now)
{
	if (c->shut_ms == 0 || now - c->shut_ms < shut_max_ms(c))
		return;
	c->shut_ms = 0;
	c->useful = false;
	h2_conn_drain(c, "it allows no requests (SETTINGS_MAX_CONCURRENT_STREAMS 0)");
}

/* Asks whether the peer is there, or finds that it is not. Its pace is not that
 * of requests: the timer runs on, and each time looks what is due. */
static void watch_silence(struct h2_conn *c)
{
	int64_t now = clock_mono_ms(), next = c->heard_ms + c->conf->ping_ms;

	if (c->unanswered_ms != 0 && now - c->unanswered_ms >= c->conf->timeout_ms) {
		c->unanswered_ms = 0;
		h2_conn_drain(c, "no answer within %u ms", c->conf->timeout_ms);
	}
	watch_shut(c, now);
	if (c->pinged_ms != 0 && now - c->pinged_ms >= c->conf->timeout_ms) {
		h2_conn_end(c, "PING was not answered within %u ms", c->conf->timeout_ms);
		return;
	}
	if (now >= next)
		ping(c);
	if (c->pinged_ms != 0)
		next = c->pinged_ms + c->conf->timeout_ms;
	if (c->unanswered_ms != 0 && c->unanswered_ms + c->conf->timeout_ms < next)
		next = c->unanswered_ms + c->conf->timeout_ms;
	if (c->shut_ms != 0 && c->shut_ms + shut_max_ms(c) < next)
		next = c->shut_ms + shut_max_ms(c);
	timer_arm(&c->timer, next > now ? next - now : 0);
}

static void on_timer(void *arg)
{
	static const char *const missing[] = {
		[H2_DIALING] = "connection",
		[H2_HANDSHAKE] = "TLS handshake",
		[H2_GREETING] = "SETTINGS",
	};
	struct h2_conn *c = arg;

	if (c->state >= H2_OPEN)
		watch_silence(c);
	else
		h2_conn_end(c, "no %s within %u ms", missing[c->state],
			    c->conf->timeout_ms);
}

static void on_rested(void *arg)
{
	struct h2_conn *c = arg;

	c->conf->ops->room(c->conf->arg);
}

/* One goes in any case: if its answer does not come, the connection is given up. */
static bool fits_window(const struct h2_conn *c, size_t body)
{
	int32_t window = nghttp2_session_get_remote_window_size(c->session);

	return c->ncalls == 0 || (int64_t)(c->unsent + body) <= window;
}

unsigned h2_conn_room(const struct h2_conn *c, size_t body)
{
	unsigned limit;

	if (c->state != H2_OPEN || c->blocked || timer_armed(&c->rest) ||
	    nghttp2_session_check_request_allowed(c->session) == 0 ||
	    !fits_window(c, body))
		return 0;
	limit = nghttp2_session_get_remote_settings(c->session,
			NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
	if (limit > H2_STREAMS_MAX)
		limit = H2_STREAMS_MAX;
	if (!c->proven && limit > 1)
		limit = 1;
	return limit > c->streams ? limit - c->streams : 0;
}

bool h2_conn_promises(const struct h2_conn *c)
{
	return c->state < H2_OPEN || (c->state == H2_OPEN && !c->proven);
}

void h2_conn_submit(struct h2_conn *c, struct h2_call *call)
{
	int rc = h2_stream_open(c, call);

	if (rc != 0) {
		c->conf->ops->done(c->conf->arg, call, -EPROTO);
		return;
	}
	list_append(&c->calls, &call->node);
	c->ncalls++;
	c->unsent += call->body.n;
	call->conn = c;
	if (c->unanswered_ms == 0) {
		c->unanswered_ms = clock_mono_ms();
		if (c->conf->timeout_ms < c->conf->ping_ms)
			timer_arm(&c->timer, c->conf->timeout_ms);
	}
	loop_defer(c->conf->loop, &c->flush);
}

struct h2_conn *h2_conn_new(const struct h2_conn_conf *conf)
{
	struct h2_conn *c = mem_zalloc(sizeof(*c));

	c->conf = conf;
	list_init(&c->node);
	list_init(&c->calls);
	backoff_init(&c->refusals);
	task_init(&c->flush, LOOP_WRITE, on_flush, c);
	timer_init(&c->timer, conf->loop, on_timer, c);
	timer_init(&c->rest, conf->loop, on_rested, c);
	timer_arm(&c->timer, conf->timeout_ms);
	c->dial = h2_dial_start(conf->loop, conf->host, conf->port, conf->timeout_ms,
				on_dialed, c);
	return c;
}

void h2_conn_free(struct h2_conn **cp)
{
	struct h2_conn *c = *cp;

	if (c == NULL)
		return;
	h2_dial_cancel(&c->dial);
	task_cancel(&c->flush);
	timer_free(&c->timer);
	timer_free(&c->rest);
	nghttp2_session_del(c->session);
	if (c->bev != NULL)
		bufferevent_free(c->bev);
	buf_free(&c->batch);
	free(c);
	*cp = NULL;
}
