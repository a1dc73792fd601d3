#include "worker/transport/conn_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "worker/engineio/session.h"
#include "worker/transport/connect_rate.h"
#include "worker/transport/cors.h"
#include "worker/transport/farewell.h"
#include "worker/transport/listener.h"
#include "worker/transport/ws.h"

/* With a head that is not whole yet, no more than can be handed over. */
#define READ_MAX (HANDOVER_READ_MAX - HTTP_HEAD_MAX)
/* Requests sent without waiting for answers; the rest is next turn's. */
#define REQUESTS_PER_TURN 16
/* What two requests' ways to us may differ by: straight, or over another worker. */
#define CROSSING_MS 50
/* An answered client's leftovers are read for so long and so far, lest a reset
 * take our answer from it. */
#define GOODBYE_MS 2000
#define GOODBYE_BYTES (4u << 20)
/* So many above the maximum get it: the descriptors kept for the backends must
 * outlast any number of clients. */
#define GOODBYES_ABOVE_MAX 32

static void on_ready(void *arg, int what);

static void watch(struct conn *c, int what)
{
	if (c->watched == what)
		return;
	if (c->io.ev == NULL)
		io_init(&c->io, c->cs->loop, c->fd, on_ready, c);
	io_watch(&c->io, what);
	c->watched = (uint8_t)what;
}

/* Each state has its deadline, counted from its beginning; a connection idles
 * anew after each answer. */
void conn_enter(struct conn *c, enum conn_state to)
{
	struct conns *cs = c->cs;
	struct deadlines *const of[] = {
		[CONN_IDLE] = &cs->idles,
		[CONN_HEAD] = &cs->heads,
		[CONN_BODY] = &cs->bodies,
		[CONN_ANSWER] = &cs->bodies,
		[CONN_GOODBYE] = &cs->goodbyes,
		[CONN_DEAD] = &cs->agains,
		[CONN_GONE] = NULL,
	};

	if (c->state == to && to != CONN_IDLE)
		return;
	c->state = (uint8_t)to;
	if (of[to] != NULL)
		deadline_arm(of[to], &c->deadline);
	else
		deadline_drop(&c->deadline);
}

/* --- ends --- */

int conn_release(struct conn *c)
{
	struct conns *cs = c->cs;
	int fd = c->fd;

	io_free(&c->io);
	conn_enter(c, CONN_GONE);
	list_remove(&c->node);
	list_append(&cs->gone, &c->node);
	loop_defer(cs->loop, &cs->reap);
	cs->count--;
	stats_dec(STAT_connections);
	(void)partials_move(&cs->partials, c->counted, 0);
	c->counted = 0;
	c->polling = NULL;
	return fd;
}

/* What a client does not take the kernel would keep for minutes. */
static void reset_on_close(int fd)
{
	struct linger reset = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

static void end_for(struct conn *c, enum close_reason why)
{
	struct polling *p = c->polling;

	if (c->state == CONN_GONE)
		return;
	if (c->state == CONN_ANSWER)
		reset_on_close(c->fd);
	close(conn_release(c));
	if (p != NULL)
		polling_lost(p, c, why);
}

static void end(struct conn *c)
{
	end_for(c, CLOSE_CLIENT);
}

static void on_reap(void *arg)
{
	struct conns *cs = arg;
	struct list *n;

	while ((n = list_shift(&cs->gone)) != NULL) {
		struct conn *c = LIST_ENTRY(n, struct conn, node);

		buf_free(&c->in);
		buf_free(&c->body);
		buf_free(&c->out);
		buf_free(&c->fields);
		free(c);
	}
}

void conn_detach(struct conn *c)
{
	c->polling = NULL;
}

void conn_cut(struct conn *c)
{
	c->polling = NULL;
	end(c);
}

/* --- writing --- */

/* The client has our answer once it closes its side. */
static void say_goodbye(struct conn *c)
{
	conn_enter(c, CONN_GOODBYE);
	if (!c->reading)	/* else it is in use */
		buf_free(&c->in);
	shutdown(c->fd, SHUT_WR);
	watch(c, IO_READ);
}

static void answered(struct conn *c)
{
	struct polling *p = c->polling;

	c->polling = NULL;
	c->no_body = false;
	if (p != NULL)
		polling_answered(p);
	if (c->then == RESPONSE_CLOSE) {
		say_goodbye(c);
		return;
	}
	conn_enter(c, CONN_IDLE);
	if (c->reading)
		return;
	watch(c, IO_READ);
	if (c->in.len != 0)
		deadline_arm(&c->cs->agains, &c->deadline);
}

static void write_rest(struct conn *c)
{
	ssize_t n = send(c->fd, c->out.p + c->sent, c->out.len - c->sent,
			 MSG_NOSIGNAL);

	if (n == -1 && errno != EAGAIN && errno != EINTR) {
		end(c);
		return;
	}
	if (n > 0)
		c->sent += (size_t)n;
	if (c->sent != c->out.len)
		return;
	buf_free(&c->out);
	c->sent = 0;
	answered(c);
}

static void keep_rest(struct conn *c, struct slice head, struct slice body,
		      size_t sent)
{
	if (sent < head.n) {
		buf_add(&c->out, head.p + sent, head.n - sent);
		sent = head.n;
	}
	sent -= head.n;
	buf_reserve(&c->out, body.n - sent);
	buf_add(&c->out, body.p + sent, body.n - sent);
}

void conn_answer(struct conn *c, const struct response *r)
{
	struct buf *h = &c->cs->head;
	struct slice body = { r->body.p, c->no_body ? 0 : r->body.n };
	struct iovec iov[2];
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = body.n != 0 ? 2 : 1 };
	ssize_t n;

	if (c->cs->draining && c->from.home == c->cs->instance)
		c->then = RESPONSE_CLOSE;
	buf_clear(h);
	response_head(h, r, c->then, buf_slice(&c->fields));
	buf_free(&c->fields);
	iov[0] = (struct iovec){ h->p, h->len };
	iov[1] = (struct iovec){ (void *)(uintptr_t)body.p, body.n };
	n = sendmsg(c->fd, &m, MSG_NOSIGNAL);
	if (n == -1 && errno != EAGAIN && errno != EINTR) {
		/* Not now: this may be a session's call. */
		conn_enter(c, CONN_DEAD);
	} else if (n == (ssize_t)(h->len + body.n)) {
		answered(c);
	} else {
		keep_rest(c, buf_slice(h), body, n > 0 ? (size_t)n : 0);
		conn_enter(c, CONN_ANSWER);
		watch(c, IO_WRITE);
	}
}

void conn_refuse(struct conn *c, const struct response *r)
{
	c->then = RESPONSE_CLOSE;
	conn_answer(c, r);
}

/* --- reading --- */

/* Of `in`: the requests that can be dealt with now. Gives the bytes used. */
static size_t consume(struct conn *c, struct slice in)
{
	int requests = 0;
	size_t used = 0;

	c->reading = true;
	while (used < in.n) {
		struct slice rest = { in.p + used, in.n - used };
		size_t n;

		if (c->state == CONN_BODY) {
			used += exchange_body(c, rest);
			continue;
		}
		if (c->proxied) {
			conn_enter(c, CONN_HEAD);
			n = exchange_proxy_header(c, rest);
			if (n == 0)
				break;
			used += n;
			continue;
		}
		if (c->state > CONN_HEAD || requests++ == REQUESTS_PER_TURN)
			break;
		n = exchange_head(c, rest);
		if (n == 0) {
			conn_enter(c, CONN_HEAD);
			break;
		}
		used += n;
	}
	c->reading = false;
	return used;
}

/* False: c is gone, for all together hold too much. */
static bool count_unread(struct conn *c)
{
	size_t before = c->counted;

	if (c->state == CONN_GONE)
		return false;
	c->counted = c->in.len + c->body.len;
	if (partials_move(&c->cs->partials, before, c->counted))
		return true;
	end_for(c, CLOSE_TOO_LARGE);
	return false;
}

/* fresh: just read. Without any: on with what waits. */
static void take(struct conn *c, struct slice fresh)
{
	size_t used;

	if (c->in.len == 0) {
		used = consume(c, fresh);
		if (used < fresh.n && c->state < CONN_GOODBYE)
			buf_add(&c->in, fresh.p + used, fresh.n - used);
	} else {
		buf_add(&c->in, fresh.p, fresh.n);
		used = consume(c, buf_slice(&c->in));
		if (used == c->in.len || c->state >= CONN_GOODBYE)
			buf_free(&c->in);
		else if (used != 0)
			buf_consume(&c->in, used);
	}
	if (!count_unread(c) || c->state >= CONN_ANSWER)
		return;
	watch(c, IO_READ);
	if (c->state == CONN_IDLE && c->in.len != 0)
		deadline_arm(&c->cs->agains, &c->deadline);
}

static void read_more(struct conn *c)
{
	struct buf *b = &c->cs->scratch;
	size_t room = HANDOVER_READ_MAX - c->in.len;
	ssize_t n;

	/* So much behind a request that waits is no client of ours; and its
	 * end could not be seen any more. */
	if (room == 0 && c->state == CONN_HELD) {
		end(c);
		return;
	}
	if (room == 0) {
		take(c, (struct slice){ 0 });
		return;
	}
	n = recv(c->fd, b->p, room < READ_MAX ? room : READ_MAX, 0);
	if (n > 0) {
		take(c, (struct slice){ b->p, (size_t)n });
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		end(c);
	} else if (c->state == CONN_NEW) {
		conn_enter(c, CONN_HEAD);
		watch(c, IO_READ);
	}
}

static void drain(struct conn *c)
{
	ssize_t n = recv(c->fd, c->cs->scratch.p, READ_MAX, 0);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	c->drained += n > 0 ? (size_t)n : 0;
	if (n <= 0 || c->drained > GOODBYE_BYTES)
		end(c);
}

static void on_ready(void *arg, int what)
{
	struct conn *c = arg;

	(void)what;
	switch ((enum conn_state)c->state) {
	case CONN_NEW:
	case CONN_IDLE:
	case CONN_HEAD:
	case CONN_BODY:
	case CONN_HELD:
		read_more(c);
		break;
	case CONN_ANSWER:
		write_rest(c);
		break;
	case CONN_GOODBYE:
		drain(c);
		break;
	case CONN_DEAD:
		end(c);
		break;
	case CONN_GONE:
		break;
	}
}

/* --- times --- */

static void on_overdue(struct deadline *d, void *arg)
{
	struct conn *c = CONTAINER_OF(d, struct conn, deadline);
	struct response late = response_text(408, "Request timeout\n");
	struct polling *p = c->polling;

	(void)arg;
	stats_add(STAT_http_timeouts,
		  c->state != CONN_IDLE && c->state != CONN_GOODBYE);
	/* A client that sent nothing is not waiting for an answer, and a proxy
	 * that did not say whom it is for would not know what to do with it. */
	if (c->proxied || (c->state != CONN_BODY &&
			   (c->state != CONN_HEAD || c->in.len == 0))) {
		end_for(c, c->state == CONN_ANSWER ? CLOSE_OUTBOX : CLOSE_CLIENT);
		return;
	}
	c->polling = NULL;
	if (p != NULL)
		polling_lost(p, c, CLOSE_CLIENT);
	conn_refuse(c, &late);
}

static void on_alone(struct deadline *d, void *arg)
{
	(void)arg;
	exchange_alone(CONTAINER_OF(d, struct conn, deadline));
}

static void on_again(struct deadline *d, void *arg)
{
	struct conn *c = CONTAINER_OF(d, struct conn, deadline);

	(void)arg;
	if (c->state == CONN_DEAD)
		end(c);
	else
		take(c, (struct slice){ 0 });
}

/* --- beginnings --- */

/* One answer, one look, gone. What was read cannot turn the close into a reset
 * that takes the answer along; whoever sends more, or later, risks that. */
static void turn_away(struct conns *cs, int fd, const struct response *r)
{
	struct buf out = { 0 };

	response_head(&out, r, RESPONSE_CLOSE, (struct slice){ 0 });
	buf_add(&out, r->body.p, r->body.n);
	(void)send(fd, out.p, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)recv(fd, cs->scratch.p, READ_MAX, MSG_DONTWAIT);
	close(fd);
	buf_free(&out);
}

/* NULL: there are too many; it was told so. */
static struct conn *admit(struct conns *cs, int fd,
			  const struct conn_origin *from)
{
	struct response full = response_text(503, "Too many connections\n");
	size_t count = cs->count + ws_count(cs->ws);
	struct conn *c;

	if (count >= cs->max && count - cs->max >= GOODBYES_ABOVE_MAX) {
		turn_away(cs, fd, &full);
		return NULL;
	}
	c = mem_zalloc(sizeof(*c));
	c->cs = cs;
	c->fd = fd;
	c->from = *from;
	deadline_init(&c->deadline);
	list_append(&cs->all, &c->node);
	cs->count++;
	stats_inc(STAT_connections);
	if (count < cs->max)
		return c;
	conn_refuse(c, &full);
	return NULL;
}

void conn_new(struct conns *cs, int fd, const struct net_addr *peer)
{
	struct conn_origin from = { *peer, cs->instance };
	struct conn *c = admit(cs, fd, &from);

	if (c == NULL)
		return;
	c->proxied = net_list_has(cs->proxied, peer);
	/* Often the request is there, but not before those of connections that
	 * were accepted just before: whatever came first is to be read first. */
	conn_enter(c, CONN_HEAD);
	watch(c, IO_READ);
}

void conn_adopt(struct conns *cs, int fd, const struct conn_origin *from,
		struct slice read, enum conn_owner owner)
{
	struct conn *c = admit(cs, fd, from);

	if (c == NULL)
		return;
	c->owner = (uint8_t)owner;
	if (owner != CONN_OWNER_HERE) {
		/* Not now: a hundred pipelined requests for owners that are
		 * gone would lie on the stack. */
		conn_enter(c, CONN_IDLE);
		buf_add(&c->in, read.p, read.n);
		deadline_arm(&cs->agains, &c->deadline);
	} else if (read.n != 0) {
		take(c, read);
	} else {
		read_more(c);
	}
}

void conns_drain(struct conns *cs)
{
	cs->draining = true;
}

void conns_dismiss(struct conns *cs)
{
	struct list *pos, *tmp;

	LIST_FOREACH_SAFE(pos, tmp, &cs->all) {
		struct conn *c = LIST_ENTRY(pos, struct conn, node);

		if (c->state <= CONN_HEAD && c->in.len == 0)
			say_goodbye(c);
	}
}

/* The configuration was checked. */
static struct net_list *list_of(const char *text)
{
	struct slice bad;
	struct net_list *l = net_list_new(text != NULL ? text : "", &bad);

	if (l == NULL)
		log_fatal("not an address: %.*s", (int)bad.n, bad.p);
	return l;
}

static void set_peers(struct conns *cs, const struct listener_conf *c)
{
	cs->cors = cors_new(c->allowed_origins != NULL ? c->allowed_origins
						       : "",
			    c->cors_credentials);
	cs->trusted = list_of(c->trusted_proxies);
	cs->proxied = list_of(c->proxy_protocol_from);
}

static void free_peers(struct conns *cs)
{
	cors_free(&cs->cors);
	net_list_free(&cs->trusted);
	net_list_free(&cs->proxied);
}

void conns_set_conf(struct conns *cs, const struct listener_conf *c)
{
	free_peers(cs);
	set_peers(cs, c);
	connect_rate_set_conf(cs->connect_rate, &c->connect_rate);
	deadlines_set_length(&cs->heads, c->head_timeout_ms);
	deadlines_set_length(&cs->bodies, c->body_timeout_ms);
	deadlines_set_length(&cs->idles, c->keepalive_timeout_ms);
}

void conns_init(struct conns *cs, struct loop *l, struct eio_sessions *sessions,
		struct ws *ws, const struct listener_conf *c, size_t max)
{
	*cs = (struct conns){
		.loop = l, .sessions = sessions, .ws = ws,
		.path = c->path != NULL ? c->path : "/socket.io/",
		.max_payload = c->max_payload,
		.instance = c->instance, .max = max,
	};
	set_peers(cs, c);
	cs->connect_rate = connect_rate_new(&c->connect_rate);
	cs->farewells = farewells_new(l);
	cs->pollings = pollings_new(sessions, cs->farewells);
	partials_init(&cs->partials, c->max_payload);
	list_init(&cs->all);
	list_init(&cs->gone);
	task_init(&cs->reap, LOOP_REAP, on_reap, cs);
	deadlines_init(&cs->heads, l, c->head_timeout_ms, on_overdue, cs);
	deadlines_init(&cs->bodies, l, c->body_timeout_ms, on_overdue, cs);
	deadlines_init(&cs->idles, l, c->keepalive_timeout_ms, on_overdue, cs);
	deadlines_init(&cs->goodbyes, l, GOODBYE_MS, on_overdue, cs);
	deadlines_init(&cs->crossings, l, CROSSING_MS, on_alone, cs);
	deadlines_init(&cs->agains, l, 0, on_again, cs);
	buf_reserve(&cs->scratch, READ_MAX);
}

void conns_free(struct conns *cs)
{
	struct list *n;

	pollings_free(&cs->pollings);
	while ((n = list_first(&cs->all)) != NULL)
		end(LIST_ENTRY(n, struct conn, node));
	task_cancel(&cs->reap);
	on_reap(cs);
	farewells_free(&cs->farewells);
	free_peers(cs);
	connect_rate_free(&cs->connect_rate);
	deadlines_free(&cs->heads);
	deadlines_free(&cs->bodies);
	deadlines_free(&cs->idles);
	deadlines_free(&cs->goodbyes);
	deadlines_free(&cs->crossings);
	deadlines_free(&cs->agains);
	buf_free(&cs->scratch);
	buf_free(&cs->head);
	buf_free(&cs->body);
}
