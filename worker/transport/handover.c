#include "worker/transport/handover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/base/siphash.h"
#include "common/ipc/ipc.h"
#include "common/ipc/stats.h"
#include "common/loop/deadlines.h"

/* Of all waiting connections, their own structs included. Each counts as 4 KiB
 * at least: a descriptor is worth as much, and 2,048 of them are enough to wait
 * for a worker that hangs. */
#define WAITING_BYTES_MAX (8 * 1024 * 1024)
/* Of those for one owner: one that hangs leaves room for the others', whose queues
 * are full now and then. */
#define WAITING_BYTES_OF_ONE (WAITING_BYTES_MAX / 4 * 3)
#define WAITING_BYTES_MIN 4096
/* Descriptors kept open to owners; more are opened while connections wait. */
#define OWNERS_KEPT 64
#define SENDS_PER_TURN 64
#define RECEIVES_PER_TURN 32

/* A worker that has a socket here. An owner that is gone never comes back under
 * its number. */
struct owner {
	struct map_node node;	/* by_instance */
	struct list used;	/* owners, the longest unused first */
	struct handover *h;
	struct list waiting;	/* of struct waiting */
	size_t waiting_bytes;
	struct io io;
	uint32_t instance;
	int sock;		/* connected */
};

struct waiting {
	struct list node;
	struct owner *owner;	/* NULL: lost */
	struct deadline deadline;
	struct conn_origin from;
	int fd;
	size_t n;
	char read[];
};

struct handover {
	struct loop *loop;
	char *run_dir;
	struct handover_ops ops;
	int fd;
	struct io io;
	bool losing;		/* connections come without descriptor: said so */
	bool failing;		/* none can be sent: said so */
	struct map by_instance;
	struct list owners;
	struct deadlines deadlines;
	size_t waiting_bytes;
	char buf[IPC_TEXT_MAX + 256];
};

static void fail(struct handover *h, int fd, const struct conn_origin *from,
		 struct slice read, bool gone)
{
	stats_inc(STAT_handover_failed);
	h->ops.failed(h->ops.arg, fd, from, read, gone);
}

/* --- waiting --- */

static size_t waiting_size(size_t n)
{
	size_t all = sizeof(struct waiting) + n;

	return all > WAITING_BYTES_MIN ? all : WAITING_BYTES_MIN;
}

static struct waiting *waiting_first(const struct owner *o)
{
	struct list *n = list_first(&o->waiting);

	return n != NULL ? LIST_ENTRY(n, struct waiting, node) : NULL;
}

static void waiting_free(struct handover *h, struct waiting *w)
{
	h->waiting_bytes -= waiting_size(w->n);
	if (w->owner != NULL)
		w->owner->waiting_bytes -= waiting_size(w->n);
	deadline_drop(&w->deadline);
	list_remove(&w->node);
	free(w);
}

static void waiting_fail(struct handover *h, struct waiting *w, bool gone)
{
	list_remove(&w->node);
	fail(h, w->fd, &w->from, (struct slice){ w->read, w->n }, gone);
	waiting_free(h, w);
}

/* --- owners --- */

static bool owner_equal(const struct map_node *node, const void *key)
{
	return CONTAINER_OF(node, struct owner, node)->instance ==
	       *(const uint32_t *)key;
}

/* Nothing waits for it. */
static void owner_free(struct owner *o)
{
	map_remove(&o->h->by_instance, &o->node);
	list_remove(&o->used);
	io_free(&o->io);
	close(o->sock);
	free(o);
}

/* What waits for it is failed when it is out of sight: failed() may well send
 * again. */
static void owner_lost(struct owner *o, bool gone)
{
	struct handover *h = o->h;
	struct list lost, *n, *tmp;

	LIST_FOREACH_SAFE(n, tmp, &o->waiting)
		LIST_ENTRY(n, struct waiting, node)->owner = NULL;
	list_init(&lost);
	list_splice(&lost, &o->waiting);
	owner_free(o);
	while ((n = list_shift(&lost)) != NULL)
		waiting_fail(h, LIST_ENTRY(n, struct waiting, node), gone);
}

static bool is_gone(int err)
{
	return err == -ENOENT || err == -ECONNREFUSED || err == -EPIPE ||
	       err == -ENOTCONN;
}

/* Not the owner's fault: our own limits. */
static void say_failing(struct handover *h, int err)
{
	if (!h->failing)
		log_err("connections cannot be handed over: %s", strerror(-err));
	h->failing = true;
}

static int send_now(struct owner *o, int fd, const struct conn_origin *from,
		    struct slice read)
{
	struct ipc_handover m = { .from_instance = from->home };
	int rc;

	memcpy(m.peer, from->peer.b, sizeof(m.peer));
	rc = ipc_send(o->sock, IPC_HANDOVER, &m, sizeof(m), read, fd);
	if (rc == 0) {
		stats_inc(STAT_handed_over);
		o->h->failing = false;
		close(fd);
	} else if (rc != -EAGAIN && !is_gone(rc)) {
		say_failing(o->h, rc);
	}
	return rc;
}

static void on_room(void *arg, int what)
{
	struct owner *o = arg;
	struct waiting *w;

	(void)what;
	for (int i = 0; i < SENDS_PER_TURN; i++) {
		int rc;

		w = waiting_first(o);
		if (w == NULL)
			break;
		rc = send_now(o, w->fd, &w->from,
			      (struct slice){ w->read, w->n });
		if (rc == -EAGAIN)
			return;
		if (is_gone(rc)) {
			owner_lost(o, true);
			return;
		}
		if (rc != 0) {
			/* failed() may do away with the owner. */
			waiting_fail(o->h, w, false);
			return;
		}
		waiting_free(o->h, w);
	}
	if (list_empty(&o->waiting))
		io_watch(&o->io, 0);
}

static void on_waited(struct deadline *d, void *arg)
{
	waiting_fail(arg, CONTAINER_OF(d, struct waiting, deadline), false);
}

static void forget_unused(struct handover *h)
{
	struct list *pos, *tmp;

	LIST_FOREACH_SAFE(pos, tmp, &h->owners) {
		struct owner *o = LIST_ENTRY(pos, struct owner, used);

		if (h->by_instance.count < OWNERS_KEPT)
			return;
		if (list_empty(&o->waiting))
			owner_free(o);
	}
}

static int owner_new(struct handover *h, uint32_t instance, uint64_t hash,
		     struct owner **out)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct owner *o;
	int sock;

	forget_unused(h);
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (sock == -1)
		return -errno;
	handover_path(h->run_dir, instance, sa.sun_path, sizeof(sa.sun_path));
	if (connect(sock, (struct sockaddr *)&sa, sizeof(sa)) == -1) {
		int err = errno;

		close(sock);
		return -err;
	}
	o = mem_zalloc(sizeof(*o));
	o->h = h;
	o->instance = instance;
	o->sock = sock;
	list_init(&o->waiting);
	list_init(&o->used);
	io_init(&o->io, h->loop, sock, on_room, o);
	map_insert(&h->by_instance, &o->node, hash);
	*out = o;
	return 0;
}

static int find_owner(struct handover *h, uint32_t instance, struct owner **out)
{
	uint64_t hash = hash_bytes(&instance, sizeof(instance));
	struct map_node *node = map_find(&h->by_instance, hash, &instance);

	if (node != NULL) {
		*out = CONTAINER_OF(node, struct owner, node);
	} else {
		int rc = owner_new(h, instance, hash, out);

		if (rc != 0)
			return rc;
	}
	list_remove(&(*out)->used);
	list_append(&h->owners, &(*out)->used);
	return 0;
}

/* --- sending --- */

static void wait_for_room(struct owner *o, int fd, const struct conn_origin *from,
			  struct slice read)
{
	struct handover *h = o->h;
	size_t size = waiting_size(read.n);
	struct waiting *w;

	if (h->waiting_bytes + size > WAITING_BYTES_MAX ||
	    o->waiting_bytes + size > WAITING_BYTES_OF_ONE) {
		fail(h, fd, from, read, false);
		return;
	}
	w = mem_alloc(size);
	w->owner = o;
	w->from = *from;
	w->fd = fd;
	w->n = read.n;
	if (read.n > 0)
		memcpy(w->read, read.p, read.n);
	h->waiting_bytes += size;
	o->waiting_bytes += size;
	list_init(&w->node);
	list_append(&o->waiting, &w->node);
	deadline_init(&w->deadline);
	deadline_arm(&h->deadlines, &w->deadline);
	/* Writable: so is the owner's queue, of which the kernel wakes us. */
	io_watch(&o->io, IO_WRITE);
}

void handover_send(struct handover *h, uint32_t instance, int fd,
		   const struct conn_origin *from, struct slice read)
{
	struct owner *o = NULL;
	int rc = find_owner(h, instance, &o);

	if (rc != 0) {
		if (!is_gone(rc))
			say_failing(h, rc);
		fail(h, fd, from, read, is_gone(rc));
		return;
	}
	rc = list_empty(&o->waiting) ? send_now(o, fd, from, read) : -EAGAIN;
	if (rc == 0)
		return;
	if (rc == -EAGAIN) {
		wait_for_room(o, fd, from, read);
		return;
	}
	if (is_gone(rc))
		owner_lost(o, true);
	fail(h, fd, from, read, is_gone(rc));
}

/* --- receiving --- */

/* The system dropped the descriptor: nobody can answer that client any more. */
static void lose(struct handover *h)
{
	stats_inc(STAT_handover_failed);
	if (!h->losing)
		log_warn("connections from other workers are lost: no "
			 "descriptors left");
	h->losing = true;
}

static void take_in(struct handover *h, const struct ipc_message *m)
{
	struct ipc_handover head;
	struct conn_origin from;
	struct slice read;

	if (ipc_payload(m, &head, sizeof(head), &read) != 0) {
		log_err("a connection was handed over without its head");
		if (m->fd != -1)
			close(m->fd);
		return;
	}
	if (m->fd == -1) {
		lose(h);
		return;
	}
	h->losing = false;
	memcpy(from.peer.b, head.peer, sizeof(from.peer.b));
	from.home = head.from_instance;
	stats_inc(STAT_handed_in);
	h->ops.adopt(h->ops.arg, m->fd, &from, read);
}

/* 1: one was there; 0; or -errno. */
static int receive(struct handover *h)
{
	struct ipc_message m;
	int rc = ipc_recv(h->fd, h->buf, sizeof(h->buf), &m);

	if (rc != 1)
		return rc;
	if (m.type == IPC_HANDOVER)
		take_in(h, &m);
	else if (m.fd != -1)
		close(m.fd);
	return 1;
}

static void on_datagrams(void *arg, int what)
{
	struct handover *h = arg;
	int rc = 1;

	(void)what;
	for (int i = 0; i < RECEIVES_PER_TURN && rc == 1; i++)
		rc = receive(h);
	if (rc == -EBADF || rc == -ENOTSOCK)
		log_fatal("the hand-over socket: %s", strerror(-rc));
	if (rc < 0)
		log_err("the hand-over socket: %s", strerror(-rc));
}

bool handover_waiting(const struct handover *h)
{
	return h->waiting_bytes != 0;
}

/* What is in the socket can still be read then; who sends gets EPIPE, which is
 * his word for an owner that is gone. */
void handover_shut(struct handover *h)
{
	io_watch(&h->io, 0);
	if (shutdown(h->fd, SHUT_RD) == -1)
		log_err("the hand-over socket: shutdown: %s", strerror(errno));
	while (receive(h) == 1)
		;
}

struct handover *handover_new(struct loop *l, const struct handover_conf *c,
			      const struct handover_ops *ops)
{
	struct handover *h = mem_zalloc(sizeof(*h));

	h->loop = l;
	h->run_dir = mem_strdup(c->run_dir);
	h->ops = *ops;
	h->fd = c->fd;
	list_init(&h->owners);
	map_init(&h->by_instance, owner_equal);
	deadlines_init(&h->deadlines, l, c->wait_ms, on_waited, h);
	io_init(&h->io, l, h->fd, on_datagrams, h);
	io_watch(&h->io, IO_READ);
	return h;
}

void handover_free(struct handover **hp)
{
	struct handover *h = *hp;
	struct list *n;

	if (h == NULL)
		return;
	while ((n = list_first(&h->owners)) != NULL) {
		struct owner *o = LIST_ENTRY(n, struct owner, used);
		struct waiting *w;

		while ((w = waiting_first(o)) != NULL) {
			close(w->fd);
			waiting_free(h, w);
		}
		owner_free(o);
	}
	map_free(&h->by_instance);
	deadlines_free(&h->deadlines);
	io_free(&h->io);
	close(h->fd);
	free(h->run_dir);
	free(h);
	*hp = NULL;
}
