#include "common/backend/redis_conn.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/base/mem.h"

static void attempt(struct redis_conn *c);

/* There is no connection (any more), for the reason in c->retry. */
static void ended(struct redis_conn *c)
{
	task_cancel(&c->drop);
	c->state = REDIS_CONN_WAITING;
	c->greetings = 0;
	if (retry_ended(&c->retry, c->next_addr < c->addrs.n))
		c->ops->state(c->arg, false);
}

void redis_conn_break(struct redis_conn *c, const char *fmt, ...)
{
	va_list ap;

	if (c->ac == NULL || c->state == REDIS_CONN_BROKEN)
		return;
	va_start(ap, fmt);
	retry_vwhy(&c->retry, fmt, ap);
	va_end(ap);
	loop_defer(c->loop, &c->drop);
	c->state = REDIS_CONN_BROKEN;
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
	ended(c);
}

static void on_disconnect(const redisAsyncContext *ac, int status)
{
	struct redis_conn *c = ac->data;

	(void)status;
	if (c == NULL)
		return;
	c->ac = NULL;
	if (c->state != REDIS_CONN_BROKEN)
		retry_why(&c->retry, "%s",
			  ac->errstr != NULL ? ac->errstr : "");
	ended(c);
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
				   { c->retry.name, strlen(c->retry.name) } };
	struct slice ping[] = { SLICE("PING") };

	if (c->password[0] != '\0')
		redis_conn_greet(c, 2, auth, NULL, NULL);
	if (c->db != 0)
		redis_conn_greet(c, 2, sel, NULL, NULL);
	if (c->retry.name[0] != '\0')
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
		retry_why(&c->retry, "%s", ac->c.errstr);
		ended(c);
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

	if (!tcp && strlen(addr) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
		/* hiredis would cut it */
		retry_why(&c->retry, "the socket's path is too long");
		ended(c);
		return;
	}
	/* Numeric by now, so that hiredis' own look-up cannot block. */
	ac = tcp ? redisAsyncConnect(addr, (int)c->port) :
		   redisAsyncConnectUnix(addr);
	if (ac == NULL || ac->err != 0) {
		retry_why(&c->retry, "%s", ac != NULL ? ac->errstr : "no memory");
		ended(c);
		if (ac != NULL)
			redisAsyncFree(ac);
		return;
	}
	set_socket_options(ac->c.fd, tcp);
	ac->data = c;
	c->ac = ac;
	c->state = REDIS_CONN_CONNECTING;
	redis_io_attach(ac, c->loop);
	redisAsyncSetConnectCallback(ac, on_connect);
	redisAsyncSetDisconnectCallback(ac, on_disconnect);
	timer_arm(&c->retry.timer, c->timeout_ms);
}

static void on_resolved(void *arg, int err, const struct resolved *addrs)
{
	struct redis_conn *c = arg;

	c->resolve = NULL;
	if (err != 0) {
		retry_why(&c->retry, "%s", gai_strerror(err));
		ended(c);
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
		connect_to(c, c->host);
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
	c->state = REDIS_CONN_UP;
	c->next_addr = c->addrs.n;	/* look the name up anew next time */
	retry_up(&c->retry);
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
	char where[320];

	*c = (struct redis_conn){ .loop = l, .ops = ops, .arg = arg };
	c->host = mem_strdup(conf->host);
	c->password = mem_strdup(conf->password != NULL ? conf->password : "");
	c->port = conf->port;
	c->db = conf->db;
	c->timeout_ms = conf->timeout_ms;
	if (conf->host[0] == '/')
		snprintf(where, sizeof(where), "socket=%s", conf->host);
	else
		snprintf(where, sizeof(where), "host=%s port=%u", conf->host,
			 conf->port);
	retry_init(&c->retry, l, "redis", conf->name, mem_strdup(where),
		   on_timer, c);
	task_init(&c->drop, LOOP_WORK, on_drop, c);
	c->state = REDIS_CONN_WAITING;
	timer_arm(&c->retry.timer, 0);
}

void redis_conn_free(struct redis_conn *c)
{
	task_cancel(&c->drop);
	resolve_cancel(&c->resolve);
	retry_free(&c->retry);
	c->state = REDIS_CONN_WAITING;	/* nothing more is accepted */
	if (c->ac != NULL)
		drop_now(c);
	buf_free(&c->scratch);
	free(c->host);
	explicit_bzero(c->password, strlen(c->password));
	free(c->password);
}
