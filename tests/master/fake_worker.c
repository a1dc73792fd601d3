/* A worker that speaks IPC and nothing else. It tells every connection who
 * answered ("slot instance on listener N"), writes what happens to it into
 * $FAKE_DIR/events, and misbehaves as files in $FAKE_DIR say:
 *   crash.SLOT  exits before READY      bad.SLOT   sends rubbish after READY
 *   deaf.SLOT   ignores STOP            mute.SLOT  does not answer queries
 *   dies.SLOT   exits when asked        late.SLOT  answers after 300 ms
 *   holds.SLOT  answers when that is gone
 *   refuses.SLOT  answers {"error"}     babbles.SLOT  answers no object
 *   old.SLOT    does not know any question
 *   full.SLOT   loses lent listeners, as if at its descriptor limit
 *   whole.SLOT  reaches all backends, not just Redis
 *   hang.SLOT   does not become READY as long as that is there
 *   stay.SLOT   told to DRAIN, has clients that do not leave
 *   lingers.SLOT  has drained, and takes its time to exit
 */
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/conf/conf.h"
#include "common/ipc/ipc.h"
#include "common/ipc/stats.h"

#define SLOTS 16
/* What every connection is recorded as. */
#define MESSAGE "00000000000000000000000a"

static const char *dir;
static struct ipc_hello hello;
static int listeners[SLOTS];	/* by slot; -1: not ours */
static bool draining;

static void PRINTF(1, 2) event(const char *fmt, ...)
{
	char path[256], line[256];
	va_list ap;
	int fd, n;

	snprintf(path, sizeof(path), "%s/events", dir);
	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	line[n++] = '\n';
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd == -1 || write(fd, line, (size_t)n) != n)
		_exit(9);
	close(fd);
}

static bool flag(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s.%u", dir, name, hello.slot);
	return access(path, F_OK) == 0;
}

static void lent(const struct ipc_message *m)
{
	struct ipc_lend lend;
	struct slice tail;
	bool has, again;

	if (ipc_payload(m, &lend, sizeof(lend), &tail) != 0)
		_exit(8);
	again = listeners[lend.slot] != -1;
	has = m->fd != -1 && !flag("full");
	event("%s %u to %u fd %s", again ? "again" : "lend", lend.slot,
	      hello.slot, has ? "yes" : "no");
	if (has && !again)
		listeners[lend.slot] = m->fd;
	else if (m->fd != -1)
		close(m->fd);
}

static void answer(const struct ipc_message *m)
{
	struct ipc_query q;
	struct slice tail;
	char json[256];

	if (ipc_payload(m, &q, sizeof(q), &tail) != 0)
		_exit(8);
	event("query %u %.*s", hello.slot, (int)tail.n, tail.p);
	if (flag("dies"))
		_exit(3);
	if (flag("mute"))
		return;
	if (flag("late"))
		poll(NULL, 0, 300);
	while (flag("holds"))
		poll(NULL, 0, 20);
	snprintf(json, sizeof(json),
		 "{\"devices\":[{\"sid\":\"s%u\",\"transport\":\"websocket\","
		 "\"since\":1700000000000}],\"closed\":%u,\"instances\":5,"
		 "\"token\":\"of slot %u\",\"hosts\":[\"elsewhere\"]}",
		 hello.slot, hello.slot + 1, hello.slot);
	if (flag("refuses"))
		strcpy(json, "{\"error\":\"not today\"}");
	if (flag("old"))
		strcpy(json, "{\"error\":\"unknown query\"}");
	if (flag("babbles"))
		strcpy(json, "[]");
	if (ipc_send(WORKER_FD_IPC, IPC_ANSWER, &q, sizeof(q),
		     (struct slice){ json, strlen(json) }, -1) != 0)
		_exit(8);
}

static void drain(const struct ipc_message *m)
{
	struct ipc_drain d;
	struct slice tail;

	if (ipc_payload(m, &d, sizeof(d), &tail) != 0)
		_exit(8);
	event("drain %u grace %u", hello.instance, d.grace_ms);
	draining = true;
	for (unsigned i = 0; i < SLOTS; i++) {
		if (listeners[i] != -1)
			close(listeners[i]);
		listeners[i] = -1;
	}
}

static void reload(const struct ipc_message *m)
{
	char err[CONF_ERR_MAX];
	struct conf *conf = NULL;

	if (m->fd == -1 || conf_read_fd(m->fd, &conf, err) != 0)
		_exit(8);
	event("reload %u drain_timeout %lld message_rate %llu redis_host %s "
	      "node %s", hello.instance, (long long)conf->drain_timeout,
	      (unsigned long long)conf->message_rate, conf->redis_host,
	      conf->node);
	conf_free(&conf);
	close(m->fd);
}

static void new_level(const struct ipc_message *m)
{
	struct slice area;
	struct ipc_log l;

	if (ipc_payload(m, &l, sizeof(l), &area) != 0)
		_exit(8);
	event("log %u level %d area \"%.*s\"", hello.instance, l.level,
	      (int)area.n, area.p);
}

static void on_message(const struct ipc_message *m)
{
	struct ipc_worker_died died;
	struct ipc_lend lend;
	struct slice tail;

	switch ((int)m->type) {
	case IPC_STOP:
		event("stop %u", hello.instance);
		if (!flag("deaf"))
			exit(0);
		break;
	case IPC_LEND:
		lent(m);
		break;
	case IPC_UNLEND:
		if (ipc_payload(m, &lend, sizeof(lend), &tail) == 0) {
			close(listeners[lend.slot]);
			listeners[lend.slot] = -1;
		}
		event("unlend %u from %u", lend.slot, hello.slot);
		break;
	case IPC_WORKER_DIED:
		if (ipc_payload(m, &died, sizeof(died), &tail) == 0)
			event("died %u told %u", died.instance, hello.instance);
		break;
	case IPC_QUERY:
		answer(m);
		break;
	case IPC_DRAIN:
		drain(m);
		break;
	case IPC_RELOAD:
		reload(m);
		break;
	case IPC_LOG:
		new_level(m);
		break;
	}
}

static void receive(void)
{
	static char buf[IPC_TEXT_MAX + 256];
	struct ipc_message m;
	int rc;

	while ((rc = ipc_recv(WORKER_FD_IPC, buf, sizeof(buf), &m)) == 1)
		on_message(&m);
	if (rc < 0) {
		event("eof %u", hello.instance);
		exit(0);
	}
}

static void serve(unsigned slot)
{
	int fd = accept4(listeners[slot], NULL, NULL, SOCK_CLOEXEC);
	char text[64];
	int n;

	if (fd == -1)
		return;
	stats_inc(STAT_messages_accepted);
	flight_record(FLIGHT_ACCEPTED, MESSAGE, 0);
	stats_observe(STAT_store_us, 1000);
	n = snprintf(text, sizeof(text), "%u %u on listener %u\n", hello.slot,
		     hello.instance, slot);
	if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		event("send failed");
	close(fd);
}

static void greet(void)
{
	static char buf[IPC_TEXT_MAX + 256];
	struct ipc_message m;
	struct slice tail;
	struct pollfd p = { .fd = WORKER_FD_IPC, .events = POLLIN };

	if (poll(&p, 1, 60000) != 1 ||
	    ipc_recv(WORKER_FD_IPC, buf, sizeof(buf), &m) != 1 ||
	    m.type != IPC_HELLO ||
	    ipc_payload(&m, &hello, sizeof(hello), &tail) != 0)
		_exit(7);
}

/* What the contract says about the inherited descriptors. */
static void check_inheritance(void)
{
	struct sockaddr_un sa = { 0 };	/* without a name, perhaps */
	socklen_t n = sizeof(sa);
	char err[CONF_ERR_MAX], path[128];
	struct conf *conf = NULL;
	int extra = 0;

	if (stats_attach(WORKER_FD_STATS) != 0 ||
	    conf_read_fd(WORKER_FD_CONF, &conf, err) != 0 ||
	    getsockname(WORKER_FD_HANDOVER, (struct sockaddr *)&sa, &n) != 0)
		_exit(6);
	handover_path(conf->run_dir, hello.instance, path, sizeof(path));
	for (int fd = WORKER_FD_HANDOVER + 1; fd < 256; fd++)
		if (fcntl(fd, F_GETFD) != -1)
			extra++;
	event("drain_timeout %u %lld", hello.instance,
	      (long long)conf->drain_timeout);
	event("hello %u %u host %s conf_node %s boot %zu handover %s seals %d "
	      "extra_fds %d", hello.slot, hello.instance, hello.host, conf->node,
	      strlen(hello.boot), strcmp(path, sa.sun_path) == 0 ? "ok" : "wrong",
	      write(WORKER_FD_CONF, "x", 1) == -1, extra);
	event("conf %u redis_host %s", hello.slot, conf->redis_host);
	conf_free(&conf);
}

static void tell_state(void)
{
	bool whole = flag("whole");

	stats_set(STAT_redis_up, 1);
	stats_set(STAT_redis_sub_up, whole);
	stats_set(STAT_postgres_up, whole);
	stats_set(STAT_listen_up, whole);
	stats_set(STAT_push_up, whole);
	stats_set(STAT_heartbeat_ms, clock_mono_ms());
	stats_set(STAT_store_up, whole);	/* last: tests wait for it */
}

static void turn(void)
{
	struct pollfd p[SLOTS + 1] = { { .fd = WORKER_FD_IPC, .events = POLLIN } };

	for (unsigned i = 0; i < SLOTS; i++)
		p[i + 1] = (struct pollfd){ .fd = listeners[i], .events = POLLIN };
	poll(p, SLOTS + 1, 50);
	tell_state();
	if (p[0].revents != 0)
		receive();
	for (unsigned i = 0; i < SLOTS; i++)
		if (p[i + 1].revents & POLLIN)
			serve(i);
	if (draining && !flag("stay")) {
		close(WORKER_FD_IPC);
		event("leaves %u", hello.instance);
		while (flag("lingers"))
			poll(NULL, 0, 20);
		exit(0);
	}
}

int main(int argc, char **argv)
{
	struct ipc_ready ready = { .version = IPC_VERSION };

	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("pairwire-worker " PACKAGE_VERSION);
		return 0;
	}
	dir = getenv("FAKE_DIR");
	if (dir == NULL)
		return 5;
	greet();
	if (flag("crash"))
		_exit(3);
	check_inheritance();
	for (unsigned i = 0; i < SLOTS; i++)
		listeners[i] = -1;
	if (flag("hang"))
		event("hang %u", hello.instance);
	while (flag("hang"))
		turn();
	if (!draining)
		listeners[hello.slot] = WORKER_FD_LISTEN;
	ready.instance = hello.instance;
	tell_state();
	if (ipc_send(WORKER_FD_IPC, IPC_READY, &ready, sizeof(ready), SLICE(""),
		     -1) != 0)
		return 4;
	if (flag("bad") && send(WORKER_FD_IPC, "rubbish", 7, 0) != 7)
		return 4;
	for (;;)
		turn();
}
