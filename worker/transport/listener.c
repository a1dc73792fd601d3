#define _GNU_SOURCE	/* accept4 */
#include "worker/transport/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "worker/transport/conn.h"
#include "worker/transport/farewell.h"
#include "worker/transport/handover.h"
#include "worker/transport/ws.h"

#define ACCEPTS_PER_TURN 64
#define PAUSE_MS 100
/* Longer than a busy machine lets a worker stand still, and than it takes to
 * replace one that is stuck: its connections are then answered, if not served. */
#define HANDOVER_WAIT_MS 10000
/* Descriptors for all that is no client: backends, logs, the loop itself. */
#define DESCRIPTORS_KEPT 128

/* One listening socket. */
struct door {
	struct list node;
	struct listener *li;
	struct io io;
	uint32_t slot;
	int fd;
};

struct listener {
	struct loop *loop;
	struct list doors;
	struct timer pause;	/* running: no descriptors, nothing is accepted */
	bool short_of_fds;	/* said so */
	struct handover *handover;	/* NULL: there is none */
	struct conns conns;
};

static void watch_all(struct listener *li, int what)
{
	struct list *pos, *tmp;

	LIST_FOREACH_SAFE(pos, tmp, &li->doors)
		io_watch(&LIST_ENTRY(pos, struct door, node)->io, what);
}

static void on_pause_over(void *arg)
{
	watch_all(arg, IO_READ);
}

/* Level-triggered readiness without a descriptor to accept into would turn the
 * loop at full speed. */
static void pause_accepting(struct listener *li, int err)
{
	if (!li->short_of_fds)
		log_warn("cannot accept: %s; trying again every %d ms",
			 strerror(err), PAUSE_MS);
	li->short_of_fds = true;
	watch_all(li, 0);
	timer_arm(&li->pause, PAUSE_MS);
}

/* False: nothing more to accept in this turn. */
static bool accept_one(struct door *d)
{
	struct listener *li = d->li;
	struct sockaddr_storage from = { .ss_family = AF_UNSPEC };
	socklen_t from_n = sizeof(from);
	int one = 1;
	int fd = accept4(d->fd, (struct sockaddr *)&from, &from_n,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct net_addr peer;

	if (fd == -1) {
		switch (errno) {
		case EMFILE:
		case ENFILE:
		case ENOBUFS:
		case ENOMEM:
			pause_accepting(li, errno);
			return false;
		case EAGAIN:
			return false;
		case EBADF:
		case EINVAL:
		case ENOTSOCK:
		case EOPNOTSUPP:
			log_fatal("descriptor %d is no listening socket: %s",
				  d->fd, strerror(errno));
		default:	/* of the one connection that is gone already */
			return true;
		}
	}
	if (li->short_of_fds)
		log_info("accepting again");
	li->short_of_fds = false;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	stats_inc(STAT_accepted);
	peer = net_addr_of((struct sockaddr *)&from);
	conn_new(&li->conns, fd, &peer);
	return true;
}

static void on_acceptable(void *arg, int what)
{
	(void)what;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		if (!accept_one(arg))
			break;
	}
}

static void door_free(struct door *d)
{
	io_free(&d->io);
	list_remove(&d->node);
	close(d->fd);
	free(d);
}

static void open_door(struct listener *li, uint32_t slot, int fd)
{
	struct door *d = mem_zalloc(sizeof(*d));
	int flags = fcntl(fd, F_GETFL);

	/* Shared with other processes, all of which want it so. */
	if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1)
		log_err("listening socket: %s", strerror(errno));
	d->li = li;
	d->slot = slot;
	d->fd = fd;
	io_init(&d->io, li->loop, fd, on_acceptable, d);
	list_append(&li->doors, &d->node);
	if (!timer_armed(&li->pause))
		io_watch(&d->io, IO_READ);
}

static struct door *find_door(struct listener *li, uint32_t slot)
{
	struct list *pos, *tmp;

	LIST_FOREACH_SAFE(pos, tmp, &li->doors) {
		struct door *d = LIST_ENTRY(pos, struct door, node);

		if (d->slot == slot)
			return d;
	}
	return NULL;
}

void listener_remove(struct listener *li, uint32_t slot)
{
	struct door *d = find_door(li, slot);

	if (d != NULL)
		door_free(d);
}

static size_t descriptors_allow(void)
{
	struct rlimit r;
	size_t max;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1 || r.rlim_cur == RLIM_INFINITY)
		return SIZE_MAX;
	max = r.rlim_cur > 2 * DESCRIPTORS_KEPT ? r.rlim_cur - DESCRIPTORS_KEPT
						: r.rlim_cur / 2;
	log_info("up to %zu connections (descriptor limit %llu)", max,
		 (unsigned long long)r.rlim_cur);
	return max;
}

/* --- hand-over --- */

static void on_adopt(void *arg, int fd, const struct conn_origin *from,
		     struct slice read)
{
	struct listener *li = arg;

	conn_adopt(&li->conns, fd, from, read, CONN_OWNER_HERE);
}

static void on_not_sent(void *arg, int fd, const struct conn_origin *from,
			struct slice read, bool gone)
{
	struct listener *li = arg;

	conn_adopt(&li->conns, fd, from, read,
		   gone ? CONN_OWNER_GONE : CONN_OWNER_AWAY);
}

static void hand_over(void *arg, uint32_t owner, int fd,
		      const struct conn_origin *from, struct slice read)
{
	struct listener *li = arg;

	handover_send(li->handover, owner, fd, from, read);
}

static void init_handover(struct listener *li, const struct listener_conf *c)
{
	struct handover_ops ops = { on_adopt, on_not_sent, li };
	struct handover_conf conf = {
		.run_dir = c->run_dir,
		.fd = c->handover_fd,
		.wait_ms = HANDOVER_WAIT_MS,
	};

	if (c->run_dir == NULL)
		return;
	li->handover = handover_new(li->loop, &conf, &ops);
	li->conns.hand_over = hand_over;
	li->conns.hand_over_arg = li;
}

struct listener *listener_new(struct loop *l, struct eio_sessions *sessions,
			      struct ws *ws, const struct listener_conf *c)
{
	struct listener *li = mem_zalloc(sizeof(*li));
	size_t max = c->connections_max != 0 ? c->connections_max
					     : descriptors_allow();

	li->loop = l;
	list_init(&li->doors);
	timer_init(&li->pause, l, on_pause_over, li);
	conns_init(&li->conns, l, sessions, ws, c, max);
	init_handover(li, c);
	return li;
}

void listener_free(struct listener **lip)
{
	struct listener *li = *lip;

	if (li == NULL)
		return;
	listener_drain(li);
	conns_free(&li->conns);
	handover_free(&li->handover);
	timer_free(&li->pause);
	free(li);
	*lip = NULL;
}

void listener_set_conf(struct listener *li, const struct listener_conf *c)
{
	conns_set_conf(&li->conns, c);
}

bool listener_add(struct listener *li, uint32_t slot, int fd)
{
	if (li->conns.draining || find_door(li, slot) != NULL) {
		close(fd);
		return false;
	}
	open_door(li, slot, fd);
	return true;
}

void listener_stop(struct listener *li)
{
	listener_drain(li);
	li->conns.stopping = true;
}

void listener_drain(struct listener *li)
{
	struct list *n;

	conns_drain(&li->conns);
	while ((n = list_first(&li->doors)) != NULL)
		door_free(LIST_ENTRY(n, struct door, node));
	timer_disarm(&li->pause);
}

bool listener_empty(const struct listener *li)
{
	return li->conns.count == 0 && ws_count(li->conns.ws) == 0 &&
	       (li->handover == NULL || !handover_waiting(li->handover));
}

size_t listener_farewells(const struct listener *li)
{
	return farewells_count(li->conns.farewells);
}

void listener_dismiss(struct listener *li)
{
	conns_dismiss(&li->conns);
}

void listener_shut(struct listener *li)
{
	if (li->handover != NULL)
		handover_shut(li->handover);
}
