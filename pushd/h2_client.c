#include "pushd/h2_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "pushd/h2_call.h"
#include "pushd/h2_conn.h"
#include "pushd/h2_tls.h"
#include "pushd/h2_url.h"

struct h2_client {
	struct loop *loop;
	char *name;
	struct h2_url url;
	unsigned connections;
	struct h2_conn_conf conf;
	struct list waiting;	/* calls that no connection has room for */
	struct list done;	/* calls that ended and are not told yet */
	struct list conns;
	unsigned nconns;
	struct list draining;	/* connections that take no more */
	struct list dead;	/* to be freed at the end of the turn */
	size_t pending;
	struct task tell;
	struct task place;
	struct task reap;
	struct timer retry;	/* armed: no new connection until then */
	struct backoff backoff;
	char logged[256];	/* last reason logged of this outage */
	bool barren;		/* the last one that ended had been of no use */
};

static void call_done(struct h2_call *call, int err)
{
	struct h2_client *c = call->client;

	call->err = err;
	timer_disarm(&call->deadline);
	list_append(&c->done, &call->node);
	loop_defer(c->loop, &c->tell);
}

static void on_tell(void *arg)
{
	struct h2_client *c = arg;
	struct list *n;

	while ((n = list_shift(&c->done)) != NULL) {
		c->pending--;
		h2_call_tell(LIST_ENTRY(n, struct h2_call, node));
	}
}

static void on_deadline(void *arg)
{
	struct h2_call *call = arg;

	if (call->conn == NULL) {
		list_remove(&call->node);
		call_done(call, -ENOTCONN);
		return;
	}
	h2_conn_cancel(call->conn, call);
	call_done(call, call->packed ? -ETIMEDOUT : -ENOTCONN);
}

static void open_connection(struct h2_client *c)
{
	struct h2_conn *conn = h2_conn_new(&c->conf);

	list_append(&c->conns, &conn->node);
	c->nconns++;
}

/* Of those with room the one with the fewest streams; NULL: none has any. */
static struct h2_conn *least_busy(struct h2_client *c, const struct h2_call *call)
{
	struct h2_conn *best = NULL;

	for (struct list *n = c->conns.next; n != &c->conns; n = n->next) {
		struct h2_conn *conn = LIST_ENTRY(n, struct h2_conn, node);

		if (h2_conn_room(conn, call->body.n) > 0 &&
		    (best == NULL || conn->streams < best->streams))
			best = conn;
	}
	return best;
}

/* Another connection is worth its handshake only if those that there are have
 * shown what they can do, and are full. */
static bool wants_connection(const struct h2_client *c)
{
	if (c->nconns >= c->connections || timer_armed(&c->retry))
		return false;
	for (struct list *n = c->conns.next; n != &c->conns; n = n->next) {
		if (h2_conn_promises(LIST_ENTRY(n, struct h2_conn, node)))
			return false;
	}
	return true;
}

static void on_place(void *arg)
{
	struct h2_client *c = arg;
	struct list *n;

	while ((n = list_first(&c->waiting)) != NULL) {
		struct h2_call *call = LIST_ENTRY(n, struct h2_call, node);
		struct h2_conn *conn = least_busy(c, call);

		if (conn == NULL)
			break;
		list_remove(n);
		h2_conn_submit(conn, call);
	}
	if (!list_empty(&c->waiting) && wants_connection(c))
		open_connection(c);
}

static void on_room(void *arg)
{
	struct h2_client *c = arg;

	if (!list_empty(&c->waiting))
		loop_defer(c->loop, &c->place);
}

static void on_reap(void *arg)
{
	struct h2_client *c = arg;
	struct list *n;

	while ((n = list_shift(&c->dead)) != NULL) {
		struct h2_conn *conn = LIST_ENTRY(n, struct h2_conn, node);

		h2_conn_free(&conn);
	}
}

static void on_open(void *arg, struct h2_conn *conn)
{
	struct h2_client *c = arg;

	(void)conn;
	if (!c->barren) {
		log_info("h2 %s: connected host=%s port=%u", c->name, c->url.host,
			 c->url.port);
		c->logged[0] = '\0';
	}
	on_room(c);
}

static void on_done(void *arg, struct h2_call *call, int err)
{
	struct h2_client *c = arg;

	if (c->barren && err == 0 && call->status < 500) {
		c->barren = false;
		c->logged[0] = '\0';
		log_info("h2 %s: answers again host=%s port=%u", c->name, c->url.host,
			 c->url.port);
	}
	call_done(call, err);
}

static void on_back(void *arg, struct h2_call *call)
{
	struct h2_client *c = arg;

	h2_call_rewind(call);
	list_insert_before(c->waiting.next, &call->node);
	loop_defer(c->loop, &c->place);
}

static void retry_later(struct h2_client *c)
{
	timer_arm(&c->retry, backoff_next(&c->backoff));
}

/* Of those that come to nothing, one after another, each reason is told once. */
static bool is_news(struct h2_client *c, const struct h2_conn *conn)
{
	if (strcmp(conn->why, c->logged) == 0)
		return false;
	memcpy(c->logged, conn->why, sizeof(c->logged));
	return true;
}

static void on_draining(void *arg, struct h2_conn *conn)
{
	struct h2_client *c = arg;

	c->barren = !conn->useful;
	if (conn->useful || is_news(c, conn))
		LOG_AT(conn->useful ? LOG_LVL_INFO : LOG_LVL_WARN,
		       "h2 %s: connection is being replaced host=%s port=%u in_flight=%u reason=\"%s\"",
		       c->name, c->url.host, c->url.port, conn->ncalls, conn->why);
	list_remove(&conn->node);
	list_append(&c->draining, &conn->node);
	c->nconns--;
	backoff_lost(&c->backoff, clock_mono_ms() - conn->opened_ms);
	/* One that was of no use is no better the next instant. */
	if (!conn->useful)
		retry_later(c);
	else if ((conn->ncalls > 0 || !list_empty(&c->waiting)) &&
		 c->nconns < c->connections)
		open_connection(c);
}

static void log_end(struct h2_client *c, const struct h2_conn *conn, int was)
{
	if (was >= H2_OPEN && conn->useful)
		log_info("h2 %s: connection %s host=%s port=%u reason=\"%s\"", c->name,
			 was == H2_OPEN ? "lost" : "closed", c->url.host, c->url.port,
			 conn->why);
	else if (was != H2_DRAINING && is_news(c, conn))
		log_warn("h2 %s: %s host=%s port=%u reason=\"%s\"", c->name,
			 was == H2_OPEN ? "connection lost" : "cannot connect",
			 c->url.host, c->url.port, conn->why);
}

static void on_ended(void *arg, struct h2_conn *conn, int was)
{
	struct h2_client *c = arg;

	log_end(c, conn, was);
	list_remove(&conn->node);
	list_append(&c->dead, &conn->node);
	loop_defer(c->loop, &c->reap);
	if (was == H2_DRAINING)
		return;
	c->nconns--;
	if (was == H2_OPEN) {
		c->barren = !conn->useful;
		backoff_lost(&c->backoff, clock_mono_ms() - conn->opened_ms);
	}
	retry_later(c);
}

static const struct h2_conn_ops ops = {
	.open = on_open,
	.room = on_room,
	.done = on_done,
	.back = on_back,
	.draining = on_draining,
	.ended = on_ended,
};

struct h2_client *h2_client_new(struct loop *l, const struct h2_client_conf *conf,
				char err[256])
{
	struct h2_client *c;
	struct h2_url url;
	SSL_CTX *tls;

	if (h2_url_parse(conf->url, &url, err) != 0)
		return NULL;
	tls = h2_tls_new(conf->ca_file, err);
	if (tls == NULL)
		return NULL;
	c = mem_zalloc(sizeof(*c));
	c->loop = l;
	c->name = mem_strdup(conf->name);
	c->url = url;
	c->connections = conf->connections;
	c->conf = (struct h2_conn_conf){
		.loop = l, .tls = tls, .host = c->url.host, .port = url.port,
		.timeout_ms = conf->timeout_ms, .ping_ms = conf->ping_ms,
		.ops = &ops, .arg = c,
	};
	list_init(&c->waiting);
	list_init(&c->done);
	list_init(&c->conns);
	list_init(&c->draining);
	list_init(&c->dead);
	task_init(&c->tell, LOOP_WORK, on_tell, c);
	task_init(&c->place, LOOP_ROUTE, on_place, c);
	task_init(&c->reap, LOOP_REAP, on_reap, c);
	timer_init(&c->retry, l, on_room, c);
	backoff_init(&c->backoff);
	return c;
}

void h2_client_send(struct h2_client *c, const struct h2_request *r, h2_cb *cb,
		    void *arg)
{
	struct h2_call *call = h2_call_new(r, c->url.authority);

	call->client = c;
	call->cb = cb;
	call->arg = arg;
	timer_init(&call->deadline, c->loop, on_deadline, call);
	timer_arm(&call->deadline, r->timeout_ms);
	list_append(&c->waiting, &call->node);
	c->pending++;
	loop_defer(c->loop, &c->place);
}

size_t h2_client_pending(const struct h2_client *c)
{
	return c->pending;
}

static void drop_connections(struct h2_client *c, struct list *conns)
{
	struct list *n;

	while ((n = list_shift(conns)) != NULL) {
		struct h2_conn *conn = LIST_ENTRY(n, struct h2_conn, node);

		while (!list_empty(&conn->calls)) {
			struct h2_call *call = LIST_ENTRY(conn->calls.next,
							  struct h2_call, node);

			h2_conn_detach(conn, call);
			list_append(&c->waiting, &call->node);
		}
		h2_conn_free(&conn);
	}
}

void h2_client_free(struct h2_client **cp)
{
	struct h2_client *c = *cp;
	struct list *n;

	if (c == NULL)
		return;
	drop_connections(c, &c->conns);
	drop_connections(c, &c->draining);
	drop_connections(c, &c->dead);
	on_tell(c);
	while ((n = list_shift(&c->waiting)) != NULL) {
		struct h2_call *call = LIST_ENTRY(n, struct h2_call, node);

		call->err = -ECANCELED;
		c->pending--;
		h2_call_tell(call);
	}
	task_cancel(&c->tell);
	task_cancel(&c->place);
	task_cancel(&c->reap);
	timer_free(&c->retry);
	SSL_CTX_free(c->conf.tls);
	free(c->name);
	free(c);
	*cp = NULL;
}
