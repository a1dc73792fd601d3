#include "config.h"	/* accept4 */

#include "master/control.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/ctl_protocol.h"
#include "common/loop/loop.h"
#include "master/control_rows.h"
#include "master/control_socket.h"

#define CONNS_MAX 32
#define IDLE_MS 30000
#define READ_CHUNK 16384
#define ACCEPT_PAUSE_MS 1000

struct conn {
	struct list node;	/* oldest activity first */
	struct control *control;
	uint64_t id;
	int fd;
	struct io io;
	struct timer idle;
	struct task reap;
	struct buf in;
	struct buf out;
	bool busy;		/* a request waits for its answer */
	bool last;		/* close once out is written */
};

struct control {
	struct loop *loop;
	struct control_handlers handlers;
	int fd;
	struct io io;
	struct timer pause;
	struct list conns;
	size_t nconns;
	uint64_t next_id;
	char *path;
};

static void conn_free(struct conn *c)
{
	task_cancel(&c->reap);
	timer_free(&c->idle);
	io_free(&c->io);
	close(c->fd);
	buf_free(&c->in);
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
	if (c->control == NULL)
		return;
	list_remove(&c->node);
	c->control->nconns--;
	io_watch(&c->io, 0);
	timer_disarm(&c->idle);
	loop_defer(c->control->loop, &c->reap);
	c->control = NULL;
}

static void on_idle(void *arg)
{
	conn_close(arg);
}

static void conn_active(struct conn *c)
{
	list_remove(&c->node);
	list_append(&c->control->conns, &c->node);
	timer_arm(&c->idle, IDLE_MS);
}

/* Reads while it has nothing to answer, else writes. */
static void conn_watch(struct conn *c)
{
	if (c->out.len > 0)
		io_watch(&c->io, IO_WRITE);
	else
		io_watch(&c->io, c->busy ? 0 : IO_READ);
}

static void conn_send(struct conn *c, json_t *message)
{
	char *text = json_dumps(message, JSON_COMPACT);
	uint32_t be;
	size_t n;

	json_decref(message);
	if (text == NULL || strlen(text) > CTL_ANSWER_MAX) {
		free(text);
		text = mem_strdup("{\"ok\":false,\"error\":\"the answer is too "
				  "large\"}");
	}
	n = strlen(text);
	be = htonl((uint32_t)n);
	buf_add(&c->out, &be, sizeof(be));
	buf_add(&c->out, text, n);
	free(text);
	c->busy = false;
	conn_watch(c);
}

static struct conn *find(struct control *ctl, uint64_t id)
{
	struct list *pos, *tmp;

	LIST_FOREACH_SAFE(pos, tmp, &ctl->conns) {
		struct conn *c = LIST_ENTRY(pos, struct conn, node);

		if (c->id == id)
			return c;
	}
	return NULL;
}

void control_answer(struct control_request r, json_t *data)
{
	struct conn *c = find(r.control, r.conn);

	if (c == NULL)
		json_decref(data);
	else
		conn_send(c, json_pack("{s:b, s:o}", "ok", 1, "data", data));
}

void control_refuse(struct control_request r, const char *fmt, ...)
{
	struct conn *c = find(r.control, r.conn);
	char text[256];
	va_list ap;

	if (c == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	conn_send(c, json_pack("{s:b, s:s}", "ok", 0, "error", text));
}

static bool strings_only(const json_t *args)
{
	for (size_t i = 0; i < json_array_size(args); i++)
		if (!json_is_string(json_array_get(args, i)))
			return false;
	return true;
}

static void dispatch(struct control *ctl, struct control_request r,
		     const char *cmd, const json_t *args)
{
	const struct control_handlers *h = &ctl->handlers;

#define DISPATCH(name, words, count, help)                                    \
	if (strcmp(cmd, #name) == 0) {                                        \
		if (json_array_size(args) != (count))                         \
			control_refuse(r, "usage: %s %s", #name, words);      \
		else                                                          \
			h->name(h->arg, r, args);                             \
		return;                                                       \
	}
	CONTROL_ROWS(DISPATCH)
#undef DISPATCH
	control_refuse(r, "unknown command");
}

static void request(struct conn *c, const char *text, size_t n)
{
	struct control_request r = { c->control, c->id };
	json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	const char *cmd = json_string_value(json_object_get(root, "cmd"));
	json_t *args = json_object_get(root, "args");
	json_t *version = json_object_get(root, "v");

	c->busy = true;
	if (json_integer_value(version) != CTL_VERSION)
		control_refuse(r, "unknown version of the protocol");
	else if (cmd == NULL || (args != NULL && !json_is_array(args)) ||
		 !strings_only(args))
		control_refuse(r, "malformed request");
	else
		dispatch(c->control, r, cmd, args);
	json_decref(root);
}

/* One request per turn of the loop: a client that sends many in one write must
 * not hold up the rest. */
static void conn_next(struct conn *c)
{
	uint32_t n;

	if (c->busy || c->out.len > 0 || c->in.len < sizeof(n))
		return;
	memcpy(&n, c->in.p, sizeof(n));
	n = ntohl(n);
	if (n > CTL_REQUEST_MAX) {
		struct control_request r = { c->control, c->id };

		c->last = true;
		control_refuse(r, "the request is too large");
		return;
	}
	if (c->in.len < sizeof(n) + n)
		return;
	request(c, c->in.p + sizeof(n), n);
	buf_consume(&c->in, sizeof(n) + n);
}

static void conn_read(struct conn *c)
{
	ssize_t n;

	buf_reserve(&c->in, READ_CHUNK);
	n = recv(c->fd, c->in.p + c->in.len, READ_CHUNK, 0);
	if (n > 0) {
		c->in.len += (size_t)n;
		conn_active(c);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		conn_close(c);
	}
}

static void conn_write(struct conn *c)
{
	ssize_t n = send(c->fd, c->out.p, c->out.len, MSG_NOSIGNAL);

	if (n > 0) {
		buf_consume(&c->out, (size_t)n);
		conn_active(c);
	} else if (n == -1 && errno != EAGAIN && errno != EINTR) {
		conn_close(c);
		return;
	}
	if (c->out.len == 0 && c->last)
		conn_close(c);
}

static void on_conn(void *arg, int what)
{
	struct conn *c = arg;

	if (c->control == NULL)
		return;
	if (what & IO_WRITE)
		conn_write(c);
	else
		conn_read(c);
	if (c->control == NULL)
		return;
	conn_next(c);
	if (c->control != NULL)
		conn_watch(c);
}

static void conn_new(struct control *ctl, int fd)
{
	struct conn *c = mem_zalloc(sizeof(*c));

	if (ctl->nconns >= CONNS_MAX)
		conn_close(LIST_ENTRY(list_first(&ctl->conns), struct conn, node));
	c->control = ctl;
	c->id = ctl->next_id++;
	c->fd = fd;
	io_init(&c->io, ctl->loop, fd, on_conn, c);
	timer_init(&c->idle, ctl->loop, on_idle, c);
	task_init(&c->reap, LOOP_REAP, on_reap, c);
	list_append(&ctl->conns, &c->node);
	ctl->nconns++;
	timer_arm(&c->idle, IDLE_MS);
	io_watch(&c->io, IO_READ);
}

static void on_accept(void *arg, int what)
{
	struct control *ctl = arg;
	int fd = accept4(ctl->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (fd != -1) {
		conn_new(ctl, fd);
		return;
	}
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return;
	/* Out of descriptors: the socket stays readable, so look away. */
	log_warn("control socket: cannot accept: %s", strerror(errno));
	io_watch(&ctl->io, 0);
	timer_arm(&ctl->pause, ACCEPT_PAUSE_MS);
}

static void on_pause_over(void *arg)
{
	struct control *ctl = arg;

	io_watch(&ctl->io, IO_READ);
}

int control_new(struct loop *l, const char *path,
		const struct control_handlers *handlers, struct control **out,
		char err[CONTROL_ERR_MAX])
{
	struct control *ctl;
	int fd = control_socket_listen(path, err);

	if (fd < 0)
		return fd;
	ctl = mem_zalloc(sizeof(*ctl));
	ctl->loop = l;
	ctl->handlers = *handlers;
	ctl->fd = fd;
	ctl->path = mem_strdup(path);
	ctl->next_id = 1;
	list_init(&ctl->conns);
	io_init(&ctl->io, l, fd, on_accept, ctl);
	timer_init(&ctl->pause, l, on_pause_over, ctl);
	io_watch(&ctl->io, IO_READ);
	*out = ctl;
	return 0;
}

void control_free(struct control **cp)
{
	struct control *ctl = *cp;
	struct list *n;

	if (ctl == NULL)
		return;
	while ((n = list_shift(&ctl->conns)) != NULL)
		conn_free(LIST_ENTRY(n, struct conn, node));
	timer_free(&ctl->pause);
	io_free(&ctl->io);
	close(ctl->fd);
	unlink(ctl->path);
	free(ctl->path);
	free(ctl);
	*cp = NULL;
}
