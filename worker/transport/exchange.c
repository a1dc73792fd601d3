/* One request after the other: head, judgement, body, what is to be done. */
#define _GNU_SOURCE	/* memmem */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/ipc/stats.h"
#include "common/protocol/ids.h"
#include "common/protocol/proxy_header.h"
#include "worker/engineio/session.h"
#include "worker/transport/client_addr.h"
#include "worker/transport/conn_impl.h"
#include "worker/transport/connect_rate.h"
#include "worker/transport/cors.h"
#include "worker/transport/farewell.h"
#include "worker/transport/request.h"
#include "worker/transport/ws.h"

static const struct response bare_400 = { .status = 400 };

/* One judgement's look for a sid. */
struct search {
	const struct conn *c;
	struct eio_session *found;
};

static enum sid_state find_owner(const struct conn *c, struct slice sid,
				 uint32_t *owner_out)
{
	uint32_t owner;

	if (c->cs->hand_over == NULL ||
	    session_id_instance(sid, &owner) != 0 || owner == c->cs->instance)
		return SID_UNKNOWN;
	switch ((enum conn_owner)c->owner) {
	case CONN_OWNER_GONE:
		return SID_UNKNOWN;
	case CONN_OWNER_AWAY:
		return SID_UNREACHABLE;
	case CONN_OWNER_HERE:
		break;
	}
	*owner_out = owner;
	return SID_ELSEWHERE;
}

static enum sid_state find_sid(void *arg, struct slice sid, uint32_t *owner_out)
{
	struct search *s = arg;
	const struct conn *c = s->c;

	s->found = eio_sessions_find(c->cs->sessions, sid);
	if (s->found != NULL)
		return polling_of(s->found) != NULL ? SID_POLLING
						    : SID_WEBSOCKET;
	if (farewell_known(c->cs->farewells, sid))
		return SID_LEAVING;
	return find_owner(c, sid, owner_out);
}

/* --- who may --- */

/* The answer's fields for web pages. True: there is nothing more to it. */
static bool add_cors(struct conn *c, const struct http_head *h)
{
	const struct cors *cors = c->cs->cors;

	if (!request_is_engine(h, c->cs->path))
		return false;
	if (cors_preflight(cors, h, &c->fields))
		return true;
	cors_fields(cors, h, &c->fields);
	return false;
}

/* Opens too many for one address; and was told so. */
static bool too_fast(struct conn *c, const struct http_head *h)
{
	struct response r = response_text(429, "Too many new sessions\n");
	struct net_addr client = client_addr(h, &c->from.peer, c->cs->trusted);
	unsigned wait_s;

	if (connect_rate_take(c->cs->connect_rate, &client, clock_mono_us(),
			      &wait_s))
		return false;
	buf_printf(&c->fields, "Retry-After: %u\r\n", wait_s);
	conn_answer(c, &r);
	return true;
}

/* So many per connection allowed: one that polls often has no connection, and
 * one whose client is gone takes its time to end. */
#define SESSIONS_PER_CONNECTION 2

static bool is_full(const struct conns *cs)
{
	return eio_sessions_count(cs->sessions) / SESSIONS_PER_CONNECTION >=
	       cs->max;
}

/* Opens no more sessions now; and was told so. */
static bool may_not_open(struct conn *c, const struct http_head *h)
{
	struct response no = response_text(503, "Try again\n");

	if (c->cs->stopping || is_full(c->cs)) {
		conn_refuse(c, &no);
		return true;
	}
	return too_fast(c, h);
}

/* --- what requests come to --- */

static void upgrade(struct conn *c, const struct http_head *h,
		    struct slice key, struct slice early, struct eio_session *s)
{
	struct ws_upgrade u = {
		.key = key,
		.extensions = http_head_field(h, "Sec-WebSocket-Extensions",
					      NULL),
		.early = early,
		.session = s,
	};

	if (!cors_websocket_ok(c->cs->cors, h)) {
		struct response foreign = request_foreign();

		conn_refuse(c, &foreign);
		return;
	}
	if (s == NULL) {
		c->then = RESPONSE_CLOSE;
		if (may_not_open(c, h))
			return;
	}
	ws_adopt(c->cs->ws, conn_release(c), &u);
}

static void finish_post(struct conn *c, struct slice body)
{
	static const struct response ok = {
		.status = 200,
		.type = "text/html",
		.fields = "Cache-Control: no-store\r\n",
		.body = { "ok", 2 },
	};
	struct polling *p = c->polling;
	struct response gone = request_bad();

	c->polling = NULL;
	/* without one: it was closed properly, meanwhile */
	if (p == NULL || polling_posted(p, body))
		conn_answer(c, &ok);
	else
		conn_refuse(c, &gone);
}

#define GOODBYE SLICE("1")

/* A client says goodbye while its GET waits, on two connections: its POST comes
 * first where one worker has to hand over the GET and the other gets it at once.
 * So a goodbye waits a moment for the GET, which is to end as it would have. */
static void end_post(struct conn *c, struct slice body)
{
	if (c->polling == NULL || polling_polled(c->polling) || body.n != 1 ||
	    body.p[0] != GOODBYE.p[0]) {
		finish_post(c, body);
		return;
	}
	conn_enter(c, CONN_HELD);
	deadline_arm(&c->cs->crossings, &c->deadline);
}

void exchange_alone(struct conn *c)
{
	finish_post(c, GOODBYE);
}

static void hold(struct conn *c, struct polling *p)
{
	struct conn *post = polling_posting(p);

	conn_enter(c, CONN_HELD);
	if (!polling_get(p, c)) {
		conn_refuse(c, &bare_400);
		return;
	}
	c->polling = p;
	if (post != NULL && post->state == CONN_HELD)
		finish_post(post, GOODBYE);
}

/* The client waits for it before it sends the body. */
static void ask_for_body(struct conn *c, const struct http_head *h)
{
	static const char go[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (h->minor == 0 || !http_head_list_has(h, "Expect", "100-continue"))
		return;
	/* Room for 25 bytes is there, but for a client that reads nothing. */
	if (send(c->fd, go, sizeof(go) - 1, MSG_NOSIGNAL) != sizeof(go) - 1)
		conn_enter(c, CONN_DEAD);
}

static void begin_post(struct conn *c, const struct http_head *h,
		       struct polling *p, bool body_is_there)
{
	conn_enter(c, CONN_BODY);
	if (!polling_post(p, c)) {
		conn_refuse(c, &bare_400);
		return;
	}
	c->polling = p;
	/* An empty one, or one that is too long, is answered at once. */
	exchange_body(c, (struct slice){ 0 });
	if (c->state == CONN_BODY && !body_is_there)
		ask_for_body(c, h);
}

static void answer_last(struct conn *c, struct slice sid)
{
	struct buf body = { 0 };
	struct response r = {
		.status = 200,
		.type = "text/plain; charset=UTF-8",
		.fields = "Cache-Control: no-store\r\n",
	};

	(void)farewell_take(c->cs->farewells, sid, &body);
	r.body = buf_slice(&body);
	conn_answer(c, &r);
	buf_free(&body);
}

/* Gives the length of the body: the next request is behind it. */
static size_t answer(struct conn *c, const struct http_head *h,
		     const struct response *r, struct slice rest)
{
	struct buf *b = &c->cs->body;
	size_t used = 0;

	buf_clear(b);
	/* A body that is not here would have to be waited for, and what is
	 * behind an upgrade may be frames. */
	if (http_head_field(h, "Upgrade", NULL).p != NULL ||
	    http_body_read(&c->framing, rest, b, c->cs->max_payload,
			   &used) != 0 ||
	    !http_body_done(&c->framing))
		conn_refuse(c, r);
	else
		conn_answer(c, r);
	return used;
}

/* in: from the head on; n: the head's length; s: the session of v->sid. */
static size_t act(struct conn *c, const struct http_head *h,
		  const struct request_verdict *v, struct slice in, size_t n,
		  struct eio_session *s)
{
	struct slice rest = { in.p + n, in.n - n };

	switch (v->action) {
	case REQUEST_MISUSE:
		polling_misused(polling_of(s));
		/* fall through */
	case REQUEST_ANSWER:
		return n + answer(c, h, &v->answer, rest);
	case REQUEST_WEBSOCKET:
		upgrade(c, h, v->key, rest, s);
		return in.n;
	case REQUEST_ELSEWHERE: {
		struct conn_origin from = c->from;

		if (c->cs->draining)	/* it need not come back here */
			from.home = v->owner;
		c->cs->hand_over(c->cs->hand_over_arg, v->owner,
				 conn_release(c), &from, in);
		return in.n;
	}
	case REQUEST_OPEN:
		if (may_not_open(c, h))
			return n;
		conn_enter(c, CONN_HELD);
		c->polling = polling_open(c->cs->pollings, c);
		return n;
	case REQUEST_POLL:
		hold(c, polling_of(s));
		return n;
	case REQUEST_POST:
		begin_post(c, h, polling_of(s), rest.n != 0);
		return n;
	case REQUEST_LAST:
		answer_last(c, v->sid);
		return n;
	}
	return n;
}

/* --- reading --- */

static enum response_then then_of(const struct http_head *h)
{
	if (h->minor == 0)
		return http_head_list_has(h, "Connection", "keep-alive")
			? RESPONSE_KEEP_SAY : RESPONSE_CLOSE;
	return http_head_list_has(h, "Connection", "close") ? RESPONSE_CLOSE
							    : RESPONSE_KEEP;
}

/* A client that sends its head byte by byte does not get it parsed each time:
 * only when an empty line arrived, or too much. */
static bool worth_parsing(const struct conn *c, struct slice in)
{
	size_t from = c->looked > 3 ? c->looked - 3 : 0;

	return c->looked == 0 || in.n >= HTTP_HEAD_MAX ||
	       memmem(in.p + from, in.n - from, "\r\n\r\n", 4) != NULL;
}

static bool opens_session(const struct request_verdict *v)
{
	return v->action == REQUEST_OPEN ||
	       (v->action == REQUEST_WEBSOCKET && v->sid.n == 0);
}

/* A proxy's connection is where its last request led. Sessions opened there
 * would gather where sessions are; at home they are spread as the kernel
 * spreads connections. */
static bool may_go_home(const struct conn *c)
{
	return c->cs->hand_over != NULL && c->from.home != c->cs->instance &&
	       c->owner == CONN_OWNER_HERE;
}

size_t exchange_proxy_header(struct conn *c, struct slice in)
{
	struct net_addr client;
	long n = proxy_header_parse(in.p, in.n, &client);
	char from[NET_ADDR_TEXT];

	if (n == 0)
		return 0;
	c->proxied = false;
	if (n < 0) {
		net_addr_format(&c->from.peer, from);
		log_debug("closed: no PROXY header from=%s", from);
		stats_inc(STAT_proxy_refused);
		conn_cut(c);
		return in.n;
	}
	if (net_addr_known(&client))
		c->from.peer = client;
	return (size_t)n;
}

size_t exchange_head(struct conn *c, struct slice in)
{
	static const struct response no_content = { .status = 204 };
	struct search s = { .c = c };
	struct request_env env = { c->cs->path, find_sid, &s };
	struct request_verdict v;
	struct response no;
	struct http_head h;
	long n = worth_parsing(c, in) ? http_head_parse(in.p, in.n, &h) : 0;
	bool preflight;
	int err;

	c->looked = n == 0 ? in.n : 0;
	if (n == 0)
		return 0;
	c->no_body = n > 0 && h.method.n == 4 &&
		     memcmp(h.method.p, "HEAD", 4) == 0;
	preflight = n > 0 && add_cors(c, &h);
	err = n > 0 ? http_body_begin(&h, &c->framing) : (int)n;
	if (err != 0) {
		no = err == -ENOTSUP
			? response_text(501, "Transfer coding not supported\n")
			: request_unreadable(err);
		conn_refuse(c, &no);
		return in.n;
	}
	c->then = then_of(&h);
	if (preflight)
		return (size_t)n + answer(c, &h, &no_content,
					  (struct slice){ in.p + n,
							  in.n - (size_t)n });
	v = request_judge(&h, &env);
	if (opens_session(&v) && may_go_home(c)) {
		v.action = REQUEST_ELSEWHERE;
		v.owner = c->from.home;
	} else if (opens_session(&v)) {		/* home is gone, or here */
		c->from.home = c->cs->instance;
	}
	c->owner = CONN_OWNER_HERE;
	/* One that came by hand-over stays for its session's requests only. */
	if (c->cs->draining && v.action != REQUEST_POLL &&
	    v.action != REQUEST_POST)
		c->then = RESPONSE_CLOSE;
	return act(c, &h, &v, in, (size_t)n, s.found);
}

static void refuse_body(struct conn *c, int err)
{
	struct polling *p = c->polling;
	struct response r = request_unreadable(err);

	c->polling = NULL;
	if (err == -EFBIG) {	/* that the client can do without */
		r = (struct response){ .status = 413 };
		if (p != NULL)
			polling_post_refused(p);
	} else if (p != NULL) {
		polling_lost(p, c, CLOSE_CLIENT);
	}
	buf_free(&c->body);
	conn_refuse(c, &r);
}

size_t exchange_body(struct conn *c, struct slice in)
{
	struct conns *cs = c->cs;
	bool began = c->body.len != 0;
	struct buf *b = began ? &c->body : &cs->body;
	size_t used;
	int err;

	if (!began)
		buf_clear(b);
	err = http_body_read(&c->framing, in, b, cs->max_payload, &used);
	if (err != 0) {
		refuse_body(c, err);
		return in.n;
	}
	if (http_body_done(&c->framing)) {
		end_post(c, buf_slice(b));
		buf_free(&c->body);
	} else if (!began) {	/* no memory of its own until it has to wait */
		buf_add(&c->body, b->p, b->len);
	}
	return used;
}
