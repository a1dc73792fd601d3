#include "common/backend/pg_conn.h"

#include <stdio.h>

#include "common/base/log.h"

static void ended(struct pg_conn *c)
{
	task_cancel(&c->drop);
	task_cancel(&c->flush);
	c->state = PG_CONN_WAITING;
	c->ops->gone(c->arg);
	if (retry_ended(&c->retry, false))
		c->ops->state(c->arg, false);
}

void pg_conn_break(struct pg_conn *c, const char *fmt, ...)
{
	va_list ap;

	if (c->pg == NULL || c->state == PG_CONN_BROKEN)
		return;
	va_start(ap, fmt);
	retry_vwhy(&c->retry, fmt, ap);
	va_end(ap);
	loop_defer(c->loop, &c->drop);
	c->state = PG_CONN_BROKEN;
}

/* libpq's own words: the first line, which names no values of rows. */
static void break_by_libpq(struct pg_conn *c)
{
	pg_conn_break(c, "%s", PQerrorMessage(c->pg));
}

static void on_drop(void *arg)
{
	struct pg_conn *c = arg;

	io_free(&c->io);
	PQfinish(c->pg);
	c->pg = NULL;
	ended(c);
}

static void watch(struct pg_conn *c, bool write)
{
	if (c->wants_write != write)
		io_watch(&c->io, IO_READ | (write ? IO_WRITE : 0));
	c->wants_write = write;
}

static void flush(struct pg_conn *c)
{
	int rc = PQflush(c->pg);

	if (rc == -1)
		break_by_libpq(c);
	else
		watch(c, rc == 1);
}

static void on_flush(void *arg)
{
	struct pg_conn *c = arg;

	if (c->state == PG_CONN_UP)
		flush(c);
}

void pg_conn_flush(struct pg_conn *c)
{
	loop_defer(c->loop, &c->flush);
}

/* Closing a socket ends no statement: one that waits for a lock would go on
 * waiting, and might commit long after its caller was told that it failed. So
 * the server gives up first; and a statement whose client is gone ends at the
 * server's next look (PostgreSQL 14, not on Windows). */
static void write_limits(struct pg_conn *c)
{
	unsigned ms = c->timeout_ms - c->timeout_ms / 10;

	snprintf(c->limits, sizeof(c->limits),
		 "SELECT set_config('statement_timeout', '%u', false);"
		 "SELECT set_config('client_connection_check_interval', '1s',"
		 " false) WHERE current_setting('server_version_num')::int >="
		 " 140000 AND version() !~* 'mingw|visual|msvc'",
		 ms > 0 ? ms : 1);
}

static const char *next_statement(struct pg_conn *c)
{
	if (!c->limited) {
		c->limited = true;
		return c->limits;
	}
	if (c->next_setup == NULL || *c->next_setup == NULL)
		return NULL;
	return *c->next_setup++;
}

/* Sends the next setup statement; after the last, pipelining begins. */
static void setup_next(struct pg_conn *c)
{
	const char *sql = next_statement(c);

	if (sql != NULL) {
		if (PQsendQuery(c->pg, sql) == 0)
			break_by_libpq(c);
		else
			flush(c);
		return;
	}
	if (PQenterPipelineMode(c->pg) == 0) {
		break_by_libpq(c);
		return;
	}
	c->state = PG_CONN_UP;
	retry_up(&c->retry);
	c->ops->state(c->arg, true);
	if (c->state == PG_CONN_UP)
		c->ops->input(c->arg);	/* what LISTEN has brought already */
}

static void setup_input(struct pg_conn *c)
{
	while (c->state == PG_CONN_SETUP && PQisBusy(c->pg) == 0) {
		PGresult *res = PQgetResult(c->pg);
		const char *error;

		if (res == NULL) {
			setup_next(c);
			continue;
		}
		error = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
		if (PQresultStatus(res) == PGRES_FATAL_ERROR)
			pg_conn_break(c, "setup statement refused: %s",
				      error != NULL ? error :
						      PQresultErrorMessage(res));
		PQclear(res);
	}
}

static void on_io(void *arg, int what)
{
	struct pg_conn *c = arg;

	if (c->state == PG_CONN_BROKEN)
		return;
	if ((what & IO_READ) && PQconsumeInput(c->pg) == 0) {
		break_by_libpq(c);
		return;
	}
	if (c->state == PG_CONN_SETUP)
		setup_input(c);
	else if (c->state == PG_CONN_UP)
		c->ops->input(c->arg);
	/* Room may be there now, and what was read may have been what the
	 * server needed to get rid of first. */
	if (c->wants_write && c->state != PG_CONN_BROKEN)
		flush(c);
}

static void connected(struct pg_conn *c)
{
	if (PQsetnonblocking(c->pg, 1) == -1) {
		break_by_libpq(c);
		return;
	}
	io_init(&c->io, c->loop, PQsocket(c->pg), on_io, c);
	io_watch(&c->io, IO_READ);
	c->wants_write = false;
	c->state = PG_CONN_SETUP;
	c->limited = false;
	c->next_setup = c->setup;
	setup_next(c);
}

static void on_connecting(void *arg, int what);

/* libpq may close its socket and open another one, perhaps of the same
 * number, in each step (next host, TLS or not): so the event is made anew. */
static void watch_connecting(struct pg_conn *c, int what)
{
	io_init(&c->io, c->loop, PQsocket(c->pg), on_connecting, c);
	io_watch(&c->io, what);
}

static void on_connecting(void *arg, int what)
{
	struct pg_conn *c = arg;

	(void)what;
	if (c->state != PG_CONN_CONNECTING)
		return;
	io_free(&c->io);
	switch (PQconnectPoll(c->pg)) {
	case PGRES_POLLING_READING:
		watch_connecting(c, IO_READ);
		break;
	case PGRES_POLLING_WRITING:
		watch_connecting(c, IO_WRITE);
		break;
	case PGRES_POLLING_OK:
		connected(c);
		break;
	default:
		break_by_libpq(c);
	}
}

/* A server that ends an idle session tells why in what libpq hands over as a
 * notice. */
static void on_notice(void *arg, const PGresult *res)
{
	struct pg_conn *c = arg;
	const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

	if (pg_is_fatal(res))
		pg_conn_break(c, "%s", text != NULL ? text : "fatal error");
	log_debug("postgres %s: notice \"%s\"", c->retry.name,
		  text != NULL ? text : "");
}

static void on_target(void *arg, const char *error)
{
	struct pg_conn *c = arg;

	if (error != NULL) {
		retry_why(&c->retry, "%s", error);
		ended(c);
		return;
	}
	c->pg = pg_target_connect(c->target);
	if (c->pg == NULL || PQstatus(c->pg) == CONNECTION_BAD) {
		retry_why(&c->retry, "%s", c->pg != NULL ?
			  PQerrorMessage(c->pg) : "no memory");
		PQfinish(c->pg);
		c->pg = NULL;
		ended(c);
		return;
	}
	PQsetNoticeReceiver(c->pg, on_notice, c);
	c->state = PG_CONN_CONNECTING;
	watch_connecting(c, IO_WRITE);
	timer_arm(&c->retry.timer, c->timeout_ms);
}

static void on_timer(void *arg)
{
	struct pg_conn *c = arg;

	if (c->state == PG_CONN_WAITING) {
		c->state = PG_CONN_RESOLVING;
		pg_target_resolve(c->target, on_target, c);
	} else {
		if (c->state == PG_CONN_CONNECTING)
			pg_target_rotate(c->target);
		pg_conn_break(c, "not connected within %u ms", c->timeout_ms);
	}
}

void pg_conn_init(struct pg_conn *c, struct loop *l, const struct pg_conf *conf,
		  const struct pg_conn_ops *ops, void *arg)
{
	*c = (struct pg_conn){ .loop = l, .ops = ops, .arg = arg };
	c->setup = conf->setup;
	c->timeout_ms = conf->timeout_ms;
	write_limits(c);
	c->target = pg_target_new(l, conf->url, conf->name);
	retry_init(&c->retry, l, "postgres", conf->name,
		   pg_target_where(c->target), on_timer, c);
	task_init(&c->drop, LOOP_WORK, on_drop, c);
	task_init(&c->flush, LOOP_WRITE, on_flush, c);
	c->state = PG_CONN_WAITING;
	timer_arm(&c->retry.timer, 0);
}

void pg_conn_free(struct pg_conn *c)
{
	task_cancel(&c->drop);
	task_cancel(&c->flush);
	io_free(&c->io);
	PQfinish(c->pg);
	c->pg = NULL;
	c->state = PG_CONN_WAITING;
	pg_target_free(&c->target);
	retry_free(&c->retry);
}
