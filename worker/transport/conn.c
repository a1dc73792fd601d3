#include "worker/transport/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "worker/engineio/session.h"
#include "worker/transport/ws.h"

#define READ_MAX HTTP_HEAD_MAX
/* An answered client's leftovers are read for so long and so far, lest a reset
 * take our answer from it. */
#define GOODBYE_MS 2000
#define GOODBYE_BYTES (256 * 1024)
/* So many above the maximum get it: the descriptors kept for the backends must
 * outlast any number of clients. */
#define GOODBYES_ABOVE_MAX 32

enum conn_state { CONN_HEAD, CONN_ANSWER, CONN_GOODBYE };

struct conn {
	struct list node;
	struct conns *cs;
	struct io io;		/* io.ev NULL: nothing had to be waited for */
	struct deadline deadline;
	struct buf in;		/* a head that came in pieces */
	struct buf out;		/* the answer's rest */
	size_t drained;
	int fd;
	enum conn_state state;
};

static void on_ready(void *arg, int what);

static void conn_free(struct conn *c, bool close_fd)
{
	io_free(&c->io);
	deadline_drop(&c->deadline);
	list_remove(&c->node);
	buf_free(&c->in);
	buf_free(&c->out);
	if (close_fd)
		close(c->fd);
	c->cs->count--;
	stats_dec(STAT_connections);
	free(c);
}

static void wait_for(struct conn *c, int what)
{
	if (c->io.ev == NULL)
		io_init(&c->io, c->cs->loop, c->fd, on_ready, c);
	io_watch(&c->io, what);
}

/* The client has our answer once it closes its side. */
static void say_goodbye(struct conn *c)
{
	c->state = CONN_GOODBYE;
	shutdown(c->fd, SHUT_WR);
	deadline_arm(&c->cs->goodbyes, &c->deadline);
	wait_for(c, IO_READ);
}

static void write_answer(struct conn *c)
{
	ssize_t n = send(c->fd, c->out.p, c->out.len, MSG_NOSIGNAL);

	if (n == -1 && errno != EAGAIN && errno != EINTR) {
		conn_free(c, true);
		return;
	}
	if (n > 0)
		buf_consume(&c->out, (size_t)n);
	if (c->out.len != 0)
		wait_for(c, IO_WRITE);
	else
		say_goodbye(c);
}

static void write_response(struct buf *out, const struct request_verdict *v)
{
	stats_add(STAT_http_refused, v->status >= 400);
	buf_printf(out,
		   "HTTP/1.1 %u %s\r\n"
		   "Connection: close\r\n"
		   "Content-Type: %s\r\n"
		   "Content-Length: %zu\r\n"
		   "%s\r\n%s",
		   v->status, request_reason(v->status), v->type,
		   strlen(v->body), v->fields, v->body);
}

static void answer(struct conn *c, const struct request_verdict *v)
{
	c->state = CONN_ANSWER;
	write_response(&c->out, v);
	write_answer(c);
}

static void switch_protocols(struct conn *c, struct slice key, struct slice rest)
{
	struct ws_upgrade u = { .key = key, .early = rest };
	struct ws *ws = c->cs->ws;
	struct buf in = c->in;	/* key and rest may point into it */
	int fd = c->fd;

	c->in = (struct buf){ 0 };
	conn_free(c, false);
	ws_adopt(ws, fd, &u);
	buf_free(&in);
}

/* True when the head is whole or unreadable: c is done with reading. */
static bool try_head(struct conn *c, struct slice in)
{
	struct request_verdict v;
	struct http_head h;
	long n = http_head_parse(in.p, in.n, &h);

	if (n == 0)
		return false;
	v = n < 0 ? request_unreadable(n) : request_judge(&h, &c->cs->env);
	if (v.action == REQUEST_WEBSOCKET)
		switch_protocols(c, v.key,
				 (struct slice){ in.p + n, in.n - (size_t)n });
	else
		answer(c, &v);
	return true;
}

/* A client that sends its head byte by byte does not get it parsed each time:
 * only when an empty line arrived, or too much. */
static bool worth_parsing(const struct buf *in, size_t fresh)
{
	size_t from = in->len - fresh > 3 ? in->len - fresh - 3 : 0;

	if (in->len >= HTTP_HEAD_MAX)
		return true;
	for (size_t i = from; i + 3 < in->len; i++) {
		if (memcmp(in->p + i, "\r\n\r\n", 4) == 0)
			return true;
	}
	return false;
}

static void read_head(struct conn *c)
{
	struct conns *cs = c->cs;
	ssize_t n = recv(c->fd, cs->scratch.p, READ_MAX, 0);

	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		wait_for(c, IO_READ);
		return;
	}
	if (n <= 0) {
		conn_free(c, true);
		return;
	}
	if (c->in.len == 0) {
		if (try_head(c, (struct slice){ cs->scratch.p, (size_t)n }))
			return;
		buf_add(&c->in, cs->scratch.p, (size_t)n);
	} else {
		buf_add(&c->in, cs->scratch.p, (size_t)n);
		if (worth_parsing(&c->in, (size_t)n) &&
		    try_head(c, buf_slice(&c->in)))
			return;
	}
	wait_for(c, IO_READ);
}

static void drain(struct conn *c)
{
	ssize_t n = recv(c->fd, c->cs->scratch.p, READ_MAX, 0);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	c->drained += n > 0 ? (size_t)n : 0;
	if (n <= 0 || c->drained > GOODBYE_BYTES)
		conn_free(c, true);
}

static void on_ready(void *arg, int what)
{
	struct conn *c = arg;

	(void)what;
	switch (c->state) {
	case CONN_HEAD:
		read_head(c);
		break;
	case CONN_ANSWER:
		write_answer(c);
		break;
	case CONN_GOODBYE:
		drain(c);
		break;
	}
}

static void on_overdue(struct deadline *d, void *arg)
{
	struct conn *c = CONTAINER_OF(d, struct conn, deadline);
	struct request_verdict v = request_answer(408, "Request timeout\n");

	(void)arg;
	/* A client that sent nothing is not waiting for an answer. */
	if (c->state == CONN_HEAD && c->in.len != 0)
		answer(c, &v);
	else
		conn_free(c, true);
}

/* One answer, one look, gone. What was read cannot turn the close into a reset
 * that takes the answer along; whoever sends more, or later, risks that. */
static void turn_away(struct conns *cs, int fd, const struct request_verdict *v)
{
	struct buf out = { 0 };

	write_response(&out, v);
	(void)send(fd, out.p, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)recv(fd, cs->scratch.p, READ_MAX, MSG_DONTWAIT);
	close(fd);
	buf_free(&out);
}

void conn_new(struct conns *cs, int fd)
{
	struct request_verdict full = request_answer(503, "Too many connections\n");
	size_t count = cs->count + ws_count(cs->ws);
	struct conn *c;

	if (count >= cs->max && count - cs->max >= GOODBYES_ABOVE_MAX) {
		turn_away(cs, fd, &full);
		return;
	}
	c = mem_zalloc(sizeof(*c));
	c->cs = cs;
	c->fd = fd;
	deadline_init(&c->deadline);
	list_append(&cs->all, &c->node);
	cs->count++;
	stats_inc(STAT_connections);
	if (count >= cs->max) {
		answer(c, &full);
		return;
	}
	deadline_arm(&cs->heads, &c->deadline);
	read_head(c);	/* usually the request is there */
}

static bool sid_known(void *arg, struct slice sid)
{
	return eio_sessions_find(arg, sid) != NULL;
}

void conns_init(struct conns *cs, struct loop *l, struct eio_sessions *sessions,
		struct ws *ws, unsigned head_timeout_ms, size_t max)
{
	*cs = (struct conns){ .loop = l, .ws = ws, .max = max };
	cs->env = (struct request_env){ sid_known, sessions };
	list_init(&cs->all);
	deadlines_init(&cs->heads, l, head_timeout_ms, on_overdue, cs);
	deadlines_init(&cs->goodbyes, l, GOODBYE_MS, on_overdue, cs);
	buf_reserve(&cs->scratch, READ_MAX);
}

void conns_free(struct conns *cs)
{
	struct list *n;

	while ((n = list_first(&cs->all)) != NULL)
		conn_free(LIST_ENTRY(n, struct conn, node), true);
	deadlines_free(&cs->heads);
	deadlines_free(&cs->goodbyes);
	buf_free(&cs->scratch);
}
