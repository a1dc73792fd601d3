#include "config.h"	/* accept4 */

#include "common/service/admin_http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "common/protocol/http_head.h"

#define CONNS_MAX 32
#define HEAD_MAX 4096
#define CONN_MS 10000
/* An answered caller's leftovers are read for so long, lest a reset take our
 * answer from it. */
#define GOODBYE_MS 1000
#define ACCEPT_PAUSE_MS 1000

enum conn_state { CONN_HEAD, CONN_ANSWER, CONN_GOODBYE };

struct conn {
	struct list node;	/* oldest first */
	struct admin_http *http;	/* NULL: closed, waits for its reaping */
	int fd;
	enum conn_state state;
	struct io io;
	struct timer end;
	struct task reap;
	char head[HEAD_MAX];
	size_t nhead;
	struct buf out;
};

struct admin_http {
	struct loop *loop;
	int fd;
	admin_handler *fn;
	void *arg;
	struct io io;
	struct timer pause;
	struct list conns;
	size_t nconns;
};

static void conn_free(struct conn *c)
{
	task_cancel(&c->reap);
	timer_free(&c->end);
	io_free(&c->io);
	close(c->fd);
	buf_free(&c->out);
	free(c);
}

static void on_reap(void *arg)
{
	conn_free(arg);
}

/* Its callbacks may still be running: freed at the end of the turn. */
static void conn_close(struct conn *c)
{
	if (c->http == NULL)
		return;
	list_remove(&c->node);
	c->http->nconns--;
	io_watch(&c->io, 0);
	timer_disarm(&c->end);
	loop_defer(c->http->loop, &c->reap);
	c->http = NULL;
}

static void on_end(void *arg)
{
	conn_close(arg);
}

static const char *reason(unsigned status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 431:
		return "Request Header Fields Too Large";
	case 503:
		return "Service Unavailable";
	}
	return "Error";
}

static void conn_send(struct conn *c)
{
	ssize_t n = send(c->fd, c->out.p, c->out.len, MSG_NOSIGNAL);

	if (n > 0)
		buf_consume(&c->out, (size_t)n);
	else if (n == -1 && errno != EAGAIN && errno != EINTR) {
		conn_close(c);
		return;
	}
	if (c->out.len > 0) {
		io_watch(&c->io, IO_WRITE);
		return;
	}
	c->state = CONN_GOODBYE;
	shutdown(c->fd, SHUT_WR);
	io_watch(&c->io, IO_READ);
	timer_arm(&c->end, GOODBYE_MS);
}

/* a's body is taken. */
static void conn_answer(struct conn *c, struct admin_answer *a, bool body)
{
	buf_printf(&c->out, "HTTP/1.1 %u %s\r\nContent-Type: %s\r\n"
		   "Content-Length: %zu\r\nCache-Control: no-store\r\n"
		   "Connection: close\r\n", a->status, reason(a->status),
		   a->type, a->body.len);
	if (a->allow != NULL)
		buf_printf(&c->out, "Allow: %s\r\n", a->allow);
	buf_adds(&c->out, "\r\n");
	if (body)
		buf_add(&c->out, a->body.p, a->body.len);
	buf_free(&a->body);
	c->state = CONN_ANSWER;
	conn_send(c);
}

static void conn_refuse(struct conn *c, unsigned status)
{
	struct admin_answer a = { .status = status, .type = "text/plain" };

	buf_printf(&a.body, "%s\n", reason(status));
	conn_answer(c, &a, true);
}

static void conn_head(struct conn *c)
{
	struct admin_answer a = { .status = 0 };
	struct http_head h;
	ssize_t n = recv(c->fd, c->head + c->nhead, HEAD_MAX - c->nhead, 0);
	long rc;

	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		conn_close(c);
	if (n <= 0)
		return;
	c->nhead += (size_t)n;
	rc = http_head_parse(c->head, c->nhead, &h);
	if (rc > 0) {
		c->http->fn(c->http->arg, h.method, h.path, &a);
		conn_answer(c, &a, h.method.n != 4 ||
				   memcmp(h.method.p, "HEAD", 4) != 0);
	} else if (rc == -E2BIG || (rc == 0 && c->nhead == HEAD_MAX)) {
		conn_refuse(c, 431);
	} else if (rc != 0) {
		conn_refuse(c, 400);
	}
}

static void conn_goodbye(struct conn *c)
{
	char rest[4096];
	ssize_t n = recv(c->fd, rest, sizeof(rest), 0);

	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		conn_close(c);
}

static void on_conn(void *arg, int what)
{
	struct conn *c = arg;

	(void)what;
	if (c->http == NULL)
		return;
	if (c->state == CONN_HEAD)
		conn_head(c);
	else if (c->state == CONN_ANSWER)
		conn_send(c);
	else
		conn_goodbye(c);
}

static void conn_new(struct admin_http *h, int fd)
{
	struct conn *c = mem_zalloc(sizeof(*c));

	if (h->nconns >= CONNS_MAX)
		conn_close(LIST_ENTRY(list_first(&h->conns), struct conn, node));
	c->http = h;
	c->fd = fd;
	io_init(&c->io, h->loop, fd, on_conn, c);
	timer_init(&c->end, h->loop, on_end, c);
	task_init(&c->reap, LOOP_REAP, on_reap, c);
	list_append(&h->conns, &c->node);
	h->nconns++;
	timer_arm(&c->end, CONN_MS);
	io_watch(&c->io, IO_READ);
}

static void on_accept(void *arg, int what)
{
	struct admin_http *h = arg;
	int fd = accept4(h->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (fd != -1) {
		conn_new(h, fd);
		return;
	}
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return;
	/* Out of descriptors: the socket stays readable, so look away. */
	log_warn("admin listener: cannot accept: %s", strerror(errno));
	io_watch(&h->io, 0);
	timer_arm(&h->pause, ACCEPT_PAUSE_MS);
}

static void on_pause_over(void *arg)
{
	struct admin_http *h = arg;

	io_watch(&h->io, IO_READ);
}

struct admin_http *admin_http_new(struct loop *l, int fd, admin_handler *fn,
				  void *arg)
{
	struct admin_http *h = mem_zalloc(sizeof(*h));

	h->loop = l;
	h->fd = fd;
	h->fn = fn;
	h->arg = arg;
	list_init(&h->conns);
	io_init(&h->io, l, fd, on_accept, h);
	timer_init(&h->pause, l, on_pause_over, h);
	io_watch(&h->io, IO_READ);
	return h;
}

void admin_http_free(struct admin_http **hp)
{
	struct admin_http *h = *hp;
	struct list *n;

	if (h == NULL)
		return;
	while ((n = list_shift(&h->conns)) != NULL)
		conn_free(LIST_ENTRY(n, struct conn, node));
	timer_free(&h->pause);
	io_free(&h->io);
	free(h);
	*hp = NULL;
}
