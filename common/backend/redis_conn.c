#include "common/backend/redis_conn.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"

static void attempt(struct redis_conn *c);

static PRINTF(2, 0) void set_why(struct redis_conn *c, const char *fmt,
				 va_list ap)
{
	vsnprintf(c->why, sizeof(c->why), fmt, ap);
	/* From the server or a library: keep it on one line. */
	for (char *p = c->why; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ')
			*p = ' ';
	}
}

/* There is no connection (any more), for the reason in c->why. One line when
 * it was up, and one per new reason while it is down. */
static void ended(struct redis_conn *c, bool was_up)
{
	bool more = c->next_addr < c->addrs.n;

	task_cancel(&c->drop);
	c->state = REDIS_CONN_WAITING;
	c->greetings = 0;
	if (was_up) {
		backoff_lost(&c->backoff, clock_mono_ms() - c->up_since_ms);
		log_warn("redis %s: connection lost host=%s reason=\"%s\"",
			 c->name, c->host, c->why);
	} else if (!more && strcmp(c->why, c->logged) != 0) {
		log_warn("redis %s: cannot connect, trying on host=%s port=%u reason=\"%s\"",
			 c->name, c->host, c->port, c->why);
		snprintf(c->logged, sizeof(c->logged), "%s", c->why);
	}
	timer_arm(&c->timer, more ? 0 : (int64_t)backoff_next(&c->backoff));
	if (was_up)
		c->ops->state(c->arg, false);
}

static PRINTF(2, 3) void attempt_failed(struct redis_conn *c,
					const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_why(c, fmt, ap);
	va_end(ap);
	ended(c, false);
}

void redis_conn_break(struct redis_conn *c, const char *fmt, ...)
{
	va_list ap;

	if (c->ac == NULL || c->state == REDIS_CONN_BROKEN)
		return;
	va_start(ap, fmt);
	set_why(c, fmt, ap);
	va_end(ap);
	loop_defer(c->loop, &c->drop);
	/* up_since_ms tells on_drop() whether it was up */
	c->state = REDIS_CONN_BROKEN;
}

static bool was_up(const struct redis_conn *c)
{
	return c->up_since_ms >= 0;
}

static void drop_now(struct redis_conn *c)
{
	redisAsyncContext *ac = c->ac;

	c->ac = NULL;
	ac->data = NULL;	/* our connect and disconnect callbacks: not us */
	redisAsyncFree(ac);
}

static void on_drop(void *arg)
{
	struct redis_conn *c = arg;

	drop_now(c);
	ended(c, was_up(c));
}

static void on_disconnect(const redisAsyncContext *ac, int status)
{
	struct redis_conn *c = ac->data;

	(void)status;
	if (c == NULL)
		return;
	c->ac = NULL;
	if (c->state != REDIS_CONN_BROKEN)
		snprintf(c->why, sizeof(c->why), "%s",
			 ac->errstr != NULL ? ac->errstr : "");
	ended(c, was_up(c));
}

static void greeting_answered(struct redis_conn *c)
{
	if (--c->greetings == 0 && c->state == REDIS_CONN_GREETING)
		c->ops->greeted(c->arg);
}

struct greeting {
	struct redis_conn *c;
	redis_greet_cb *cb;
	void *arg;
	char what[16];
};

static void greeting_refused(struct redis_conn *c, const char *what,
			     const char *error)
{
	if (strncmp(error, "NOAUTH", 6) == 0)
		redis_conn_break(c, "it wants a password and none is configured");
	else if (strcmp(what, "AUTH") == 0)
		redis_conn_break(c, "it refuses our password: %s", error);
	else if (strcmp(what, "CLIENT") == 0)
		greeting_answered(c);	/* the name is only for CLIENT LIST */
	else
		redis_conn_break(c, "%s: %s", what, error);
}

static void on_greeting(redisAsyncContext *ac, void *r, void *arg)
{
	const redisReply *reply = r;
	struct greeting *g = arg;
	struct redis_conn *c = g->c;

	(void)ac;
	if (reply != NULL && c->state != REDIS_CONN_BROKEN) {
		if (reply->type != REDIS_REPLY_ERROR) {
			if (g->cb != NULL)
				g->cb(c, reply, g->arg);
			greeting_answered(c);
		} else {
			greeting_refused(c, g->what, reply->str);
		}
	}
	free(g);
}

void redis_conn_greet(struct redis_conn *c, int argc, const struct slice *argv,
		      redis_greet_cb *cb, void *arg)
{
	struct greeting *g = mem_zalloc(sizeof(*g));

	g->c = c;
	g->cb = cb;
	g->arg = arg;
	snprintf(g->what, sizeof(g->what), "%.*s", (int)argv[0].n, argv[0].p);
	if (redis_conn_send(c, argc, argv, on_greeting, g) == 0)
		c->greetings++;
	else
		free(g);	/* going down: greeted anew on the next one */
}

/* Before anything else, in one write. PING last: it alone is refused while
 * the server loads its dataset, or when it wants a password. */
static void greet(struct redis_conn *c)
{
	char db[16];
	int n = snprintf(db, sizeof(db), "%u", c->db);
	struct slice auth[] = { SLICE("AUTH"),
				{ c->password, strlen(c->password) } };
	struct slice sel[] = { SLICE("SELECT"), { db, (size_t)n } };
	struct slice setname[] = { SLICE("CLIENT"), SLICE("SETNAME"),
				   { c->name, strlen(c->name) } };
	struct slice ping[] = { SLICE("PING") };

	if (c->password[0] != '\0')
		redis_conn_greet(c, 2, auth, NULL, NULL);
	if (c->db != 0)
		redis_conn_greet(c, 2, sel, NULL, NULL);
	if (c->name[0] != '\0')
		redis_conn_greet(c, 3, setname, NULL, NULL);
	if (c->ops->greet != NULL)
		c->ops->greet(c->arg);
	redis_conn_greet(c, 1, ping, NULL, NULL);
}

/* A peer that vanished without a word is noticed within 25 s even by a
 * connection that only listens. */
static void set_socket_options(int fd, bool tcp)
{
	const int on = 1, idle = 10, interval = 5, count = 3;

	fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (!tcp)
		return;
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

static void on_connect(const redisAsyncContext *ac, int status)
{
	struct redis_conn *c = ac->data;

	if (c == NULL)
		return;
	if (status != REDIS_OK) {
		/* hiredis frees ac; err and errstr are not copied up yet */
		c->ac = NULL;
		attempt_failed(c, "%s", ac->c.errstr);
		return;
	}
	if (c->state != REDIS_CONN_CONNECTING)
		return;
	c->state = REDIS_CONN_GREETING;
	greet(c);
}

static void connect_to(struct redis_conn *c, const char *addr)
{
	bool tcp = addr[0] != '/';
	redisAsyncContext *ac;

	/* Numeric by now, so that hiredis' own look-up cannot block. */
	ac = tcp ? redisAsyncConnect(addr, (int)c->port) :
		   redisAsyncConnectUnix(addr);
	if (ac == NULL || ac->err != 0) {
		attempt_failed(c, "%s", ac != NULL ? ac->errstr : "no memory");
		if (ac != NULL)
			redisAsyncFree(ac);
		return;
	}
	set_socket_options(ac->c.fd, tcp);
	ac->data = c;
	c->ac = ac;
	c->up_since_ms = -1;
	c->state = REDIS_CONN_CONNECTING;
	redis_io_attach(ac, c->loop);
	redisAsyncSetConnectCallback(ac, on_connect);
	redisAsyncSetDisconnectCallback(ac, on_disconnect);
	timer_arm(&c->timer, c->timeout_ms);
}

static void on_resolved(void *arg, int err, const struct resolved *addrs)
{
	struct redis_conn *c = arg;

	c->resolve = NULL;
	if (err != 0) {
		attempt_failed(c, "%s", gai_strerror(err));
		return;
	}
	c->addrs = *addrs;
	c->next_addr = 0;
	attempt(c);
}

/* The next address of the name, or a new look-up once all were tried. */
static void attempt(struct redis_conn *c)
{
	if (c->host[0] == '/') {
		if (strlen(c->host) < sizeof(((struct sockaddr_un *)0)->sun_path))
			connect_to(c, c->host);
		else
			attempt_failed(c, "the socket's path is too long");
	} else if (c->next_addr < c->addrs.n) {
		connect_to(c, c->addrs.addr[c->next_addr++]);
	} else if (resolve_is_numeric(c->host)) {
		connect_to(c, c->host);
	} else {
		c->state = REDIS_CONN_RESOLVING;
		c->resolve = resolve_start(c->loop, c->host, on_resolved, c);
	}
}

static void on_timer(void *arg)
{
	struct redis_conn *c = arg;

	if (c->state == REDIS_CONN_WAITING)
		attempt(c);
	else
		redis_conn_break(c, "no %s within %u ms",
				 c->state == REDIS_CONN_CONNECTING ?
				 "connection" : "answer", c->timeout_ms);
}

void redis_conn_set_up(struct redis_conn *c)
{
	if (c->state != REDIS_CONN_GREETING)
		return;
	timer_disarm(&c->timer);
	c->state = REDIS_CONN_UP;
	c->up_since_ms = clock_mono_ms();
	c->logged[0] = '\0';
	c->next_addr = c->addrs.n;	/* look the name up anew next time */
	log_info("redis %s: connected host=%s port=%u", c->name, c->host,
		 c->port);
	c->ops->state(c->arg, true);
}

int redis_conn_send(struct redis_conn *c, int argc, const struct slice *argv,
		    redisCallbackFn *fn, void *privdata)
{
	if (c->state != REDIS_CONN_UP && c->state != REDIS_CONN_GREETING)
		return -ENOTCONN;
	buf_clear(&c->scratch);
	redis_format(&c->scratch, argc, argv);
	/* buf_str(): hiredis looks for the command's name, up to a NUL.
	 * REDIS_ERR: hiredis itself is taking the connection down. */
	if (redisAsyncFormattedCommand(c->ac, fn, privdata,
				       buf_str(&c->scratch),
				       c->scratch.len) != REDIS_OK)
		return -ENOTCONN;
	return 0;
}

void redis_conn_init(struct redis_conn *c, struct loop *l,
		     const struct redis_conf *conf,
		     const struct redis_conn_ops *ops, void *arg)
{
	*c = (struct redis_conn){ .loop = l, .ops = ops, .arg = arg };
	c->name = mem_strdup(conf->name != NULL ? conf->name : "");
	c->host = mem_strdup(conf->host);
	c->password = mem_strdup(conf->password != NULL ? conf->password : "");
	c->port = conf->port;
	c->db = conf->db;
	c->timeout_ms = conf->timeout_ms;
	c->up_since_ms = -1;
	backoff_init(&c->backoff);
	timer_init(&c->timer, l, on_timer, c);
	task_init(&c->drop, LOOP_WORK, on_drop, c);
	c->state = REDIS_CONN_WAITING;
	timer_arm(&c->timer, 0);
}

void redis_conn_free(struct redis_conn *c)
{
	task_cancel(&c->drop);
	resolve_cancel(&c->resolve);
	timer_free(&c->timer);
	c->state = REDIS_CONN_WAITING;	/* nothing more is accepted */
	if (c->ac != NULL)
		drop_now(c);
	buf_free(&c->scratch);
	free(c->name);
	free(c->host);
	explicit_bzero(c->password, strlen(c->password));
	free(c->password);
}
