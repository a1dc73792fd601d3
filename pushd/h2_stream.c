/* nghttp2's callbacks: what the peer's frames mean to the requests. Nothing here
 * writes, ends the connection or calls back to the sender of a request. */
#include <ctype.h>
#include <errno.h>

#include "pushd/h2_call.h"
#include "pushd/h2_conn.h"

#define WINDOW (1 << 20)	/* of all answers together; one fits into the default */
#define DEBUG_DATA_MAX 120	/* of GOAWAY, for the log */

static struct h2_call *call_of(nghttp2_session *s, int32_t stream_id)
{
	return nghttp2_session_get_stream_user_data(s, stream_id);
}

static void finish(struct h2_conn *c, struct h2_call *call, int err)
{
	h2_conn_detach(c, call);
	c->conf->ops->done(c->conf->arg, call, err);
}

/* The answer is whole. */
static void answered(struct h2_conn *c, struct h2_call *call)
{
	int32_t id = call->stream_id;

	if (call->status >= 200 && call->status <= 299)
		c->proven = true;
	if (call->status >= 200 && call->status <= 499)
		c->useful = true;
	backoff_init(&c->refusals);
	finish(c, call, call->status >= 200 ? 0 : -EPROTO);
	/* It did not want the rest of the request (RFC 9113, 8.1). */
	if (nghttp2_session_get_stream_local_close(c->session, id) == 0)
		nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, id,
					  NGHTTP2_CANCEL);
}

static int on_header(nghttp2_session *s, const nghttp2_frame *f,
		     const uint8_t *name, size_t namelen, const uint8_t *value,
		     size_t valuelen, uint8_t flags, void *arg)
{
	struct h2_call *call = call_of(s, f->hd.stream_id);

	(void)flags;
	(void)arg;
	if (f->hd.type == NGHTTP2_HEADERS && call != NULL)
		h2_call_header(call, (struct slice){ (const char *)name, namelen },
			       (struct slice){ (const char *)value, valuelen });
	return 0;
}

static int on_data(nghttp2_session *s, uint8_t flags, int32_t id,
		   const uint8_t *p, size_t n, void *arg)
{
	struct h2_conn *c = arg;
	struct h2_call *call = call_of(s, id);

	(void)flags;
	if (call != NULL && !h2_call_data(call, p, n)) {
		finish(c, call, -EPROTO);
		nghttp2_submit_rst_stream(s, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
	}
	return 0;
}

/* GOAWAY's debug data is the server's text, JSON from APNs; the log puts it in
 * quotes. */
static void printable(char out[DEBUG_DATA_MAX + 1], const uint8_t *p, size_t n)
{
	size_t i;

	for (i = 0; i < n && i < DEBUG_DATA_MAX; i++)
		out[i] = (char)(p[i] == '"' ? '\'' : isprint(p[i]) ? p[i] : '?');
	out[i] = '\0';
}

static void on_goaway(struct h2_conn *c, const nghttp2_goaway *f)
{
	char text[DEBUG_DATA_MAX + 1];

	printable(text, f->opaque_data, f->opaque_data_len);
	if (f->error_code != NGHTTP2_NO_ERROR)
		c->useful = false;	/* ENHANCE_YOUR_CALM, above all */
	h2_conn_drain(c, "GOAWAY %s%s%s", nghttp2_http2_strerror(f->error_code),
		      text[0] != '\0' ? ": " : "", text);
}

/* It is alive; what it left unanswered was given up in the meantime. */
static void on_pong(struct h2_conn *c)
{
	c->pinged_ms = 0;
	if (c->ncalls == 0)
		c->unanswered_ms = 0;
	timer_arm(&c->timer, 0);	/* it waited for this one */
}

static void on_stream_frame(struct h2_conn *c, struct h2_call *call,
			    const nghttp2_frame *f)
{
	c->unanswered_ms = c->ncalls > 0 ? c->heard_ms : 0;
	if (call == NULL)
		return;
	if (f->hd.type == NGHTTP2_RST_STREAM)
		call->reset = true;
	else if (f->hd.flags & NGHTTP2_FLAG_END_STREAM)
		answered(c, call);
}

/* How many streams it allows may have changed. */
static void on_settings(struct h2_conn *c)
{
	bool shut = nghttp2_session_get_remote_settings(c->session,
			NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) == 0;
	bool greeted = c->state == H2_GREETING;

	if (greeted) {
		c->state = H2_OPEN;
		c->opened_ms = c->heard_ms;
	}
	if (!shut)
		c->shut_ms = 0;
	else if (c->shut_ms == 0)
		c->shut_ms = c->heard_ms;
	timer_arm(&c->timer, 0);
	if (greeted)
		c->conf->ops->open(c->conf->arg, c);
}

static int on_frame(nghttp2_session *s, const nghttp2_frame *f, void *arg)
{
	struct h2_conn *c = arg;

	switch (f->hd.type) {
	case NGHTTP2_SETTINGS:
		if (!(f->hd.flags & NGHTTP2_FLAG_ACK))
			on_settings(c);
		break;
	case NGHTTP2_GOAWAY:
		on_goaway(c, &f->goaway);
		break;
	case NGHTTP2_PING:
		if (f->hd.flags & NGHTTP2_FLAG_ACK)
			on_pong(c);
		break;
	case NGHTTP2_HEADERS:
	case NGHTTP2_DATA:
	case NGHTTP2_RST_STREAM:
		on_stream_frame(c, call_of(s, f->hd.stream_id), f);
		break;
	}
	return 0;
}

/* Refused, or never left: it can be sent elsewhere without being done twice. */
static bool is_unprocessed(const struct h2_call *call, uint32_t code)
{
	return !call->packed || (code == NGHTTP2_REFUSED_STREAM && call->status == 0);
}

/* A stream ended whose answer did not. */
static int on_stream_close(nghttp2_session *s, int32_t id, uint32_t code, void *arg)
{
	struct h2_conn *c = arg;
	struct h2_call *call = call_of(s, id);

	c->streams--;
	if (call == NULL)
		return 0;
	if (is_unprocessed(call, code)) {
		h2_conn_detach(c, call);
		/* Not by GOAWAY: it has too much to do. */
		if (c->state == H2_OPEN && !timer_armed(&c->rest))
			timer_arm(&c->rest, backoff_next(&c->refusals));
		c->conf->ops->back(c->conf->arg, call);
	} else if (code == NGHTTP2_PROTOCOL_ERROR && !call->reset) {
		finish(c, call, -EPROTO);	/* it is we who complain */
	} else {
		finish(c, call, -ECONNRESET);
	}
	return 0;
}

static int before_frame(nghttp2_session *s, const nghttp2_frame *f, void *arg)
{
	struct h2_conn *c = arg;
	struct h2_call *call;

	if (f->hd.type != NGHTTP2_HEADERS)
		return 0;
	call = call_of(s, f->hd.stream_id);
	if (call != NULL) {
		call->packed = true;
		call->packed_at = c->packed + c->batch.len;
	}
	return 0;
}

static ssize_t read_body(nghttp2_session *s, int32_t id, uint8_t *out, size_t room,
			 uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct h2_call *call = call_of(s, id);
	struct h2_conn *c = arg;
	size_t n;

	(void)source;
	if (call == NULL)	/* given up: RST_STREAM is on its way */
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	n = call->body.n - call->body_sent;
	if (n > room)
		n = room;
	memcpy(out, call->body.p + call->body_sent, n);
	call->body_sent += n;
	c->unsent -= n;
	if (call->body_sent == call->body.n)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

int h2_stream_session(struct h2_conn *c)
{
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, 16384 },
	};
	nghttp2_session_callbacks *cbs;
	int rc = nghttp2_session_callbacks_new(&cbs);

	if (rc != 0)
		return rc;
	nghttp2_session_callbacks_set_on_header_callback(cbs, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cbs, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cbs, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(cbs, on_stream_close);
	nghttp2_session_callbacks_set_before_frame_send_callback(cbs, before_frame);
	rc = nghttp2_session_client_new(&c->session, cbs, c);
	nghttp2_session_callbacks_del(cbs);
	if (rc == 0)
		rc = nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings,
					     sizeof(settings) / sizeof(settings[0]));
	if (rc == 0)
		rc = nghttp2_session_set_local_window_size(c->session,
				NGHTTP2_FLAG_NONE, 0, WINDOW);
	return rc;
}

int h2_stream_open(struct h2_conn *c, struct h2_call *call)
{
	const nghttp2_data_provider body = { .read_callback = read_body };
	int32_t id = nghttp2_submit_request(c->session, NULL, call->nv, call->nnv,
					    call->body.n > 0 ? &body : NULL, call);

	if (id < 0)
		return id;
	call->stream_id = id;
	c->streams++;
	return 0;
}
