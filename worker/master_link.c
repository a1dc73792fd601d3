#include "worker/master_link.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/ipc.h"
#include "common/loop/loop.h"

#define HELLO_TIMEOUT_MS 10000
/* Messages taken per wake-up, so that a chatty master cannot starve clients. */
#define PER_TURN 16
#define LOG_AREA_MAX 63

struct master_link {
	struct io io;
	struct loop *loop;
	int fd;
	struct master_link_ops ops;
	bool no_room;		/* for a lent listener; said so */
	char buf[IPC_TEXT_MAX + 256];
};

static const char *type_name(enum ipc_type t)
{
#define IPC_NAME(name, dir, payload) [IPC_##name] = #name,
	static const char *const names[] = { IPC_MESSAGES(IPC_NAME) };
#undef IPC_NAME
	return (size_t)t < ARRAY_SIZE(names) && names[t] != NULL ? names[t] : "?";
}

/* The fixed part of a message of our own master: anything else is a bug. */
static struct slice fixed(const struct ipc_message *m, void *out, size_t n)
{
	struct slice tail;

	if (ipc_payload(m, out, n, &tail) != 0)
		log_fatal("ipc: malformed %s from the master",
			  type_name(m->type));
	return tail;
}

void master_link_hello(int fd, struct ipc_hello *out)
{
	static char buf[IPC_TEXT_MAX + 256];
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct ipc_message m;

	if (poll(&pfd, 1, HELLO_TIMEOUT_MS) != 1 ||
	    ipc_recv(fd, buf, sizeof(buf), &m) != 1 || m.type != IPC_HELLO)
		log_fatal("no HELLO from a master: this program is started by pairwire");
	fixed(&m, out, sizeof(*out));
	out->host[sizeof(out->host) - 1] = '\0';
	out->boot[sizeof(out->boot) - 1] = '\0';
	if (out->version != IPC_VERSION)
		log_warn("master speaks ipc version %u, this worker %u",
			 out->version, IPC_VERSION);
}

/* At the descriptor limit the kernel delivers the message without its
 * descriptor. The master sends a listener again. */
static void lent(struct master_link *ml, struct ipc_message *m)
{
	struct ipc_lend lend;

	fixed(m, &lend, sizeof(lend));
	if (m->fd == -1) {
		LOG_AT(ml->no_room ? LOG_LVL_DEBUG : LOG_LVL_WARN,
		       "ipc: no room for the listener of slot %u", lend.slot);
		ml->no_room = true;
		return;
	}
	ml->no_room = false;
	ml->ops.lend(ml->ops.arg, lend.slot, m->fd);
	m->fd = -1;
}

static void reloaded(struct master_link *ml, const struct ipc_message *m)
{
	struct ipc_reload reload;

	fixed(m, &reload, sizeof(reload));
	if (m->fd == -1)
		log_err("ipc: no room for the new configuration: the old one "
			"stays");
	ml->ops.reload(ml->ops.arg, m->fd);
}

static void log_changed(struct master_link *ml, const struct ipc_message *m)
{
	struct ipc_log log;
	struct slice tail = fixed(m, &log, sizeof(log));
	char area[LOG_AREA_MAX + 1];

	if (tail.n > LOG_AREA_MAX)
		return;		/* none of ours is so long */
	memcpy(area, tail.p, tail.n);
	area[tail.n] = '\0';
	ml->ops.log(ml->ops.arg, log.level, area);
}

static void handle(struct master_link *ml, struct ipc_message *m)
{
	struct ipc_drain drain;
	struct ipc_stop stop;
	struct ipc_worker_died died;
	struct ipc_lend lend;
	struct ipc_query query;
	struct slice tail;

	switch (m->type) {
	case IPC_DRAIN:
		fixed(m, &drain, sizeof(drain));
		ml->ops.drain(ml->ops.arg, drain.grace_ms);
		break;
	case IPC_STOP:
		fixed(m, &stop, sizeof(stop));
		ml->ops.stop(ml->ops.arg, stop.deadline_ms);
		break;
	case IPC_WORKER_DIED:
		fixed(m, &died, sizeof(died));
		ml->ops.worker_died(ml->ops.arg, died.instance);
		break;
	case IPC_LEND:
		lent(ml, m);
		break;
	case IPC_UNLEND:
		fixed(m, &lend, sizeof(lend));
		ml->ops.unlend(ml->ops.arg, lend.slot);
		break;
	case IPC_QUERY:
		tail = fixed(m, &query, sizeof(query));
		ml->ops.query(ml->ops.arg, query.id, tail);
		break;
	case IPC_RELOAD:
		reloaded(ml, m);
		break;
	case IPC_LOG:
		log_changed(ml, m);
		break;
	default:
		log_debug("ipc: %s from the master ignored", type_name(m->type));
		break;
	}
	if (m->fd != -1)
		close(m->fd);
}

static void on_readable(void *arg, int what)
{
	struct master_link *ml = arg;
	struct ipc_message m;
	int rc = 1;

	(void)what;
	for (int i = 0; i < PER_TURN && rc == 1; i++) {
		rc = ipc_recv(ml->fd, ml->buf, sizeof(ml->buf), &m);
		if (rc == 1)
			handle(ml, &m);
	}
	if (rc < 0) {
		io_watch(&ml->io, 0);
		if (rc != -EPIPE)
			log_err("ipc: receive from the master: %s", strerror(-rc));
		ml->ops.master_gone(ml->ops.arg);
	}
}

struct master_link *master_link_new(struct loop *l, int fd,
				    const struct master_link_ops *ops)
{
	struct master_link *ml = mem_zalloc(sizeof(*ml));

	ml->loop = l;
	ml->fd = fd;
	ml->ops = *ops;
	io_init(&ml->io, l, fd, on_readable, ml);
	io_watch(&ml->io, IO_READ);
	return ml;
}

void master_link_free(struct master_link **mlp)
{
	struct master_link *ml = *mlp;

	if (ml == NULL)
		return;
	io_free(&ml->io);
	close(ml->fd);
	free(ml);
	*mlp = NULL;
}

void master_link_ready(struct master_link *ml, uint32_t instance)
{
	struct ipc_ready ready = { .instance = instance, .version = IPC_VERSION };
	int rc = ipc_send(ml->fd, IPC_READY, &ready, sizeof(ready),
			  (struct slice){ NULL, 0 }, -1);

	if (rc != 0)
		log_err("ipc: READY not sent: %s", strerror(-rc));
}

void master_link_answer(struct master_link *ml, uint32_t id, struct slice json)
{
	struct ipc_query q = { .id = id };
	int rc = ipc_send(ml->fd, IPC_ANSWER, &q, sizeof(q), json, -1);

	if (rc != 0)
		log_warn("ipc: answer not sent: %s", strerror(-rc));
}
