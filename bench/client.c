#include "bench/client_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "bench/upgrade.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/protocol/sio_packet.h"

#define READS_PER_WAKEUP 4
#define LEAVING_MS 1000

static void on_io(void *arg, int what);

void client_finish(struct client *c, enum client_end why, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	if (c->state == ENDED)
		return;
	if (fmt != NULL && c->state != LEAVING) {
		va_start(ap, fmt);
		vsnprintf(text, sizeof(text), fmt, ap);
		va_end(ap);
		c->why_text = mem_strdup(text);
	}
	c->why = why;
	c->state = ENDED;
	deadline_drop(&c->deadline);
	io_free(&c->io);
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	list_remove(&c->node);
	list_append(&c->cs->ended, &c->node);
	loop_defer(c->cs->loop, &c->cs->reap);
}

static void free_client(struct client *c)
{
	buf_free(&c->in);
	buf_free(&c->out);
	buf_free(&c->parts);
	free(c->handshake);
	free(c->why_text);
	free(c);
}

static void on_reap(void *arg)
{
	struct clients *cs = arg;
	struct list *n;

	while ((n = list_shift(&cs->ended)) != NULL) {
		struct client *c = LIST_ENTRY(n, struct client, node);

		if (c->why_text != NULL)
			cs->ops->ended(c, c->arg, c->why, c->why_text);
		free_client(c);
	}
	if (cs->left != NULL && list_empty(&cs->live)) {
		void (*left)(void *arg) = cs->left;

		cs->left = NULL;
		left(cs->left_arg);
	}
}

/* --- writing --- */

static void flush(struct client *c)
{
	while (c->out.len > 0) {
		ssize_t n = send(c->fd, c->out.p, c->out.len, MSG_NOSIGNAL);

		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n == -1) {
			client_finish(c, CLIENT_CLOSED, "the connection broke: %s",
			       strerror(errno));
			return;
		}
		buf_consume(&c->out, (size_t)n);
	}
	buf_free(&c->out);
	io_watch(&c->io, IO_READ);
}

static void write_bytes(struct client *c, const char *p, size_t n)
{
	ssize_t done = 0;

	if (c->out.len == 0)
		done = send(c->fd, p, n, MSG_NOSIGNAL);
	if (done == -1) {
		if (errno != EAGAIN && errno != EINTR) {
			client_finish(c, CLIENT_CLOSED, "the connection broke: %s",
			       strerror(errno));
			return;
		}
		done = 0;
	}
	if ((size_t)done == n)
		return;
	if (c->out.len == 0)
		io_watch(&c->io, IO_READ | IO_WRITE);
	buf_add(&c->out, p + done, n - (size_t)done);
}

/* xorshift64: masks protect old proxies from hostile script; the only script
 * here is ours. */
static uint64_t next_random(struct clients *cs)
{
	cs->random ^= cs->random << 13;
	cs->random ^= cs->random >> 7;
	cs->random ^= cs->random << 17;
	return cs->random;
}

void client_send_frame(struct client *c, enum ws_opcode op, struct slice payload)
{
	struct clients *cs = c->cs;

	if (c->state == ENDED)
		return;
	buf_clear(&cs->frame);
	ws_frame_masked(&cs->frame, op, payload, (uint32_t)next_random(cs));
	write_bytes(c, cs->frame.p, cs->frame.len);
}

void client_on_deadline(struct deadline *d, void *arg)
{
	struct client *c = CONTAINER_OF(d, struct client, deadline);

	(void)arg;
	switch (c->state) {
	case CONNECTING:
		client_finish(c, CLIENT_TIMEOUT, "no connection in time");
		break;
	case UPGRADING:
	case OPENING:
		client_finish(c, CLIENT_TIMEOUT, "the server did not answer in time");
		break;
	case JOINED:
	case LEAVING:
	case ENDED:
		client_finish(c, CLIENT_TIMEOUT, "no ping from the server any more");
		break;
	}
}

/* Straight from the shared buffer unless a beginning was kept. */
static void on_bytes(struct client *c, const char *p, size_t n)
{
	size_t used;

	if (c->state == LEAVING)
		return;
	if (c->in.len == 0) {
		used = client_take(c, (struct slice){ p, n });
		if (c->state != ENDED)
			buf_add(&c->in, p + used, n - used);
		return;
	}
	buf_add(&c->in, p, n);
	used = client_take(c, buf_slice(&c->in));
	buf_consume(&c->in, used);
	if (c->in.len == 0)
		buf_free(&c->in);
}

static void on_end_of_stream(struct client *c, const char *how)
{
	if (c->state == UPGRADING)
		client_finish(c, CLIENT_NOT_UPGRADED,
		       "the server closed the connection without an answer");
	else
		client_finish(c, CLIENT_CLOSED, "%s", how);
}

static void on_readable(struct client *c)
{
	for (int i = 0; i < READS_PER_WAKEUP && c->state != ENDED; i++) {
		ssize_t n = recv(c->fd, c->cs->scratch, SCRATCH_SIZE, 0);

		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n == -1)
			on_end_of_stream(c, strerror(errno));
		else if (n == 0)
			on_end_of_stream(c, "the server closed the connection");
		else
			on_bytes(c, c->cs->scratch, (size_t)n);
		if (n < SCRATCH_SIZE)
			return;
	}
}

/* --- connecting --- */

/* 0 or -errno. */
static int start_connect(struct client *c)
{
	struct target *t = c->cs->target;
	unsigned i = c->handshake->addr;
	const struct sockaddr *sa = (const struct sockaddr *)&t->addrs[i].sa;
	int one = 1;
	int rc = 0;

	c->fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd == -1)
		return -errno;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (t->from_len != 0) {		/* a port is chosen by connect() */
		setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one,
			   sizeof(one));
		if (bind(c->fd, (const struct sockaddr *)&t->from, t->from_len) == -1)
			rc = -errno;
	}
	if (rc == 0 && connect(c->fd, sa, t->addrs[i].len) == -1 &&
	    errno != EINPROGRESS)
		rc = -errno;
	if (rc != 0) {
		close(c->fd);
		c->fd = -1;
		return rc;
	}
	io_init(&c->io, c->cs->loop, c->fd, on_io, c);
	io_watch(&c->io, IO_WRITE);
	return 0;
}

/* Through the addresses until one can be tried. err: why the last one failed,
 * 0 at the beginning. */
static void connect_next(struct client *c, int err)
{
	struct target *t = c->cs->target;
	struct handshake *h = c->handshake;
	char where[128];

	io_free(&c->io);
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	while (h->tried < t->naddrs) {
		h->addr = h->tried == 0 ? t->preferred
					: (h->addr + 1) % t->naddrs;
		h->tried++;
		err = -start_connect(c);
		if (err == 0)
			return;
	}
	target_addr_text(t, h->addr, where, sizeof(where));
	client_finish(c, CLIENT_UNREACHABLE, "cannot connect to %s: %s", where,
	       strerror(err));
}

static void on_connect_done(struct client *c)
{
	struct target *t = c->cs->target;
	socklen_t len = sizeof(int);
	struct buf request = { 0 };
	unsigned char key[16];
	uint64_t r;
	int err = 0;

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1)
		err = errno;
	if (err != 0) {
		connect_next(c, err);
		return;
	}
	t->preferred = c->handshake->addr;
	r = next_random(c->cs);
	memcpy(key, &r, 8);
	r = next_random(c->cs);
	memcpy(key + 8, &r, 8);
	c->state = UPGRADING;
	io_watch(&c->io, IO_READ);
	upgrade_request(&request, t->host, key, c->handshake->accept);
	write_bytes(c, request.p, request.len);
	buf_free(&request);
}

static void on_io(void *arg, int what)
{
	struct client *c = arg;

	if (c->state == CONNECTING) {
		on_connect_done(c);
		return;
	}
	if ((what & IO_WRITE) != 0)
		flush(c);
	if ((what & IO_READ) != 0 && c->state != ENDED)
		on_readable(c);
}

/* --- the caller's side --- */

struct clients *clients_new(struct loop *l, struct target *target,
			    const struct client_ops *ops, unsigned timeout_ms)
{
	struct clients *cs = mem_zalloc(sizeof(*cs));

	cs->loop = l;
	cs->target = target;
	cs->ops = ops;
	list_init(&cs->live);
	list_init(&cs->ended);
	task_init(&cs->reap, LOOP_REAP, on_reap, cs);
	deadlines_init(&cs->joining, l, timeout_ms, client_on_deadline, cs);
	deadlines_init(&cs->leaving, l, LEAVING_MS, client_on_deadline, cs);
	if (getrandom(&cs->random, sizeof(cs->random), 0) == -1)
		log_fatal("getrandom: %s", strerror(errno));
	cs->random |= 1;
	return cs;
}

void clients_free(struct clients **csp)
{
	struct clients *cs = *csp;
	struct list *n;

	if (cs == NULL)
		return;
	while ((n = list_first(&cs->live)) != NULL)
		client_finish(LIST_ENTRY(n, struct client, node), CLIENT_CLOSED, NULL);
	while ((n = list_shift(&cs->ended)) != NULL)
		free_client(LIST_ENTRY(n, struct client, node));
	task_cancel(&cs->reap);
	deadlines_free(&cs->joining);
	deadlines_free(&cs->leaving);
	if (cs->pings_known)
		deadlines_free(&cs->pings);
	buf_free(&cs->frame);
	free(cs);
	*csp = NULL;
}

struct client *client_new(struct clients *cs, const char *token, void *arg)
{
	struct client *c = mem_zalloc(sizeof(*c));
	size_t n = strlen(token) + 1;

	c->cs = cs;
	c->arg = arg;
	c->fd = -1;
	c->handshake = mem_zalloc(sizeof(*c->handshake) + n);
	memcpy(c->handshake->token, token, n);
	list_append(&cs->live, &c->node);
	deadline_init(&c->deadline);
	deadline_arm(&cs->joining, &c->deadline);
	connect_next(c, 0);
	return c;
}

void client_emit(struct client *c, struct slice json, int64_t ack)
{
	struct buf b = { 0 };

	if (c->state != JOINED)
		return;
	sio_head_write(&b, SIO_EVENT, 0, SLICE("/"), ack);
	buf_add(&b, json.p, json.n);
	client_send_frame(c, WS_TEXT, buf_slice(&b));
	buf_free(&b);
}

/* Closing the socket at once would make the kernel answer what the server
 * still sends with a reset, which may overtake the farewell. */
void client_close(struct client *c)
{
	if (c->state == JOINED)
		client_send_frame(c, WS_TEXT, SLICE("41"));
	if (c->state == JOINED || c->state == OPENING)
		client_send_frame(c, WS_CLOSE, SLICE("\x03\xe8"));
	if (c->state == JOINED || c->state == OPENING) {
		c->state = LEAVING;
		deadline_drop(&c->deadline);
		deadline_arm(&c->cs->leaving, &c->deadline);
		return;
	}
	if (c->state != LEAVING)
		client_finish(c, CLIENT_CLOSED, NULL);
	free(c->why_text);
	c->why_text = NULL;
}

void clients_leave(struct clients *cs, void (*left)(void *arg), void *arg)
{
	struct list *pos, *tmp;

	cs->left = left;
	cs->left_arg = arg;
	LIST_FOREACH_SAFE(pos, tmp, &cs->live)
		client_close(LIST_ENTRY(pos, struct client, node));
	loop_defer(cs->loop, &cs->reap);
}
