#include "tests/servers/directory/fixture.h"

#include <stdarg.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/ipc/stats.h"

struct loop *l;
PGconn *db;
struct proxy *proxy;
struct directory *d;
struct directory_conf conf;

static struct stats_view *stats;
static char schema[32];
static struct buf url_direct, url_proxy;

static void add_keyword(struct buf *b, const char *key, const char *value)
{
	buf_printf(b, "%s='", key);
	for (; *value != '\0'; value++) {
		if (*value == '\'' || *value == '\\')
			buf_addc(b, '\\');
		buf_addc(b, *value);
	}
	buf_adds(b, "' ");
}

static void make_urls(const char *url)
{
	PQconninfoOption *opts = PQconninfoParse(url, NULL);
	const char *host = "127.0.0.1", *port = "5432";
	char own_port[8];

	cr_assert_not_null(opts, "PW_TEST_DATABASE_URL: not a connection string");
	for (PQconninfoOption *o = opts; o->keyword != NULL; o++) {
		if (o->val == NULL)
			continue;
		if (strcmp(o->keyword, "host") == 0) {
			host = o->val;
			add_keyword(&url_direct, "host", o->val);
		} else if (strcmp(o->keyword, "port") == 0) {
			port = o->val;
			add_keyword(&url_direct, "port", o->val);
		} else {
			add_keyword(&url_direct, o->keyword, o->val);
			add_keyword(&url_proxy, o->keyword, o->val);
		}
	}
	/* so that the first packet is the one with the names */
	add_keyword(&url_proxy, "sslmode", "disable");
	add_keyword(&url_proxy, "gssencmode", "disable");
	proxy = proxy_new(l, host, port);
	snprintf(own_port, sizeof(own_port), "%u", proxy_port(proxy));
	add_keyword(&url_proxy, "host", "127.0.0.1");
	add_keyword(&url_proxy, "port", own_port);
	buf_printf(&url_direct, "options='-csearch_path=%s'", schema);
	buf_printf(&url_proxy, "options='-csearch_path=%s'", schema);
	PQconninfoFree(opts);
}

static void migrate(void)
{
	const char *srcdir = getenv("srcdir");
	char cmd[512];

	snprintf(cmd, sizeof(cmd), "%s/common/schema/pairwire-migrate >/dev/null",
		 srcdir != NULL ? srcdir : ".");
	setenv("DATABASE_URL", buf_str(&url_direct), 1);
	cr_assert_eq(system(cmd), 0, "%s failed", cmd);
}

static void setup(void)
{
	const char *url = getenv("PW_TEST_DATABASE_URL");
	int fd = stats_create();

	cr_assert_not_null(url, "PW_TEST_DATABASE_URL must be set");
	signal(SIGPIPE, SIG_IGN);
	log_init("test", LOG_LVL_DEBUG);
	cr_assert(fd >= 0);
	cr_assert_eq(stats_attach(fd), 0);
	stats = stats_view_open(fd);
	close(fd);
	l = loop_new();
	snprintf(schema, sizeof(schema), "directory_%d", (int)getpid());
	make_urls(url);
	db = PQconnectdb(buf_str(&url_direct));
	cr_assert_eq(PQstatus(db), CONNECTION_OK, "%s", PQerrorMessage(db));
	sql("SET client_min_messages = warning");
	sql("CREATE SCHEMA %s", schema);
	migrate();
	conf = (struct directory_conf){
		.name = schema,
		.timeout_ms = 20000,
		.stale_max_ms = 600000,
		.cache_max = 1000,
		.flush_ms = 100,
	};
}

static void teardown(void)
{
	directory_free(&d);
	proxy_free(&proxy);
	sql("DROP SCHEMA %s CASCADE", schema);
	PQfinish(db);
	loop_free(&l);
	stats_view_close(&stats);
	buf_free(&url_direct);
	buf_free(&url_proxy);
}

TestSuite(directory, .init = setup, .fini = teardown, .timeout = 240);

static PRINTF(1, 0) PGresult *run_sql(const char *fmt, va_list ap)
{
	char text[2048];
	PGresult *res;

	vsnprintf(text, sizeof(text), fmt, ap);
	res = PQexec(db, text);
	cr_assert(PQresultStatus(res) == PGRES_COMMAND_OK ||
		  PQresultStatus(res) == PGRES_TUPLES_OK,
		  "%s: %s", text, PQerrorMessage(db));
	return res;
}

void sql(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	PQclear(run_sql(fmt, ap));
	va_end(ap);
}

long sql_long(const char *fmt, ...)
{
	va_list ap;
	PGresult *res;
	long n;

	va_start(ap, fmt);
	res = run_sql(fmt, ap);
	va_end(ap);
	cr_assert_eq(PQntuples(res), 1);
	n = atol(PQgetvalue(res, 0, 0));
	PQclear(res);
	return n;
}

int64_t gauge(const char *name)
{
	return stats_view_value(stats, name, -1);
}

void open_directory(bool via_proxy)
{
	conf.url = buf_str(via_proxy ? &url_proxy : &url_direct);
	d = directory_new(l, &conf);
	WAIT_FOR(l, gauge("postgres_up") == 1 && gauge("listen_up") == 1);
}

void map_matches(void)
{
	sql("ALTER TABLE matches RENAME TO app_matches;"
	    "CREATE TABLE delay AS SELECT 0.0::float8 AS seconds;"
	    "CREATE SEQUENCE reads MINVALUE 0;"
	    "CREATE VIEW matches AS SELECT m.* FROM"
	    " (SELECT nextval('reads'), pg_sleep(seconds) FROM delay OFFSET 0) c,"
	    " app_matches m");
}

long match_reads(void)
{
	return sql_long("SELECT CASE WHEN is_called THEN last_value + 1 ELSE 0"
			" END FROM reads");
}

static void copy_id(char *to, const char *from)
{
	snprintf(to, 64, "%s", from);
}

void on_answer(void *arg, int err, const struct match *m)
{
	struct answer *a = arg;

	a->calls++;
	a->err = err;
	a->exists = m != NULL;
	a->live = m != NULL && m->live;
	if (m != NULL) {
		copy_id(a->id, m->id);
		copy_id(a->a, m->user_a);
		copy_id(a->b, m->user_b);
	}
}

struct answer ask(const char *match_id)
{
	struct answer a = { 0 };

	directory_match(d, match_id, on_answer, &a);
	WAIT_FOR(l, a.calls > 0);
	cr_assert_eq(a.calls, 1);
	return a;
}

void wait_live(const char *match_id, bool live)
{
	WAIT_FOR(l, ask(match_id).live == live);
}

void two_users(void)
{
	sql("INSERT INTO users (id, first_name) VALUES ('ann', 'Ann'),"
	    " ('bob', NULL);"
	    "INSERT INTO matches (id, user_a_id, user_b_id) VALUES"
	    " ('m1', 'ann', 'bob')");
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void on_peers(void *arg, int err, const char *const *ids, size_t n)
{
	const char *sorted[16];
	struct peers *p = arg;

	cr_assert_lt(n, ARRAY_SIZE(sorted));
	p->calls++;
	p->err = err;
	for (size_t i = 0; i < n; i++)
		sorted[i] = ids[i];
	if (n > 0)
		qsort(sorted, n, sizeof(sorted[0]), by_text);
	for (size_t i = 0; i < n; i++)
		snprintf(p->text + strlen(p->text),
			 sizeof(p->text) - strlen(p->text), "%s ", sorted[i]);
}

struct peers peers_of(const char *user_id)
{
	struct peers p = { 0 };

	directory_peers(d, user_id, on_peers, &p);
	cr_assert_eq(p.calls, 0);
	WAIT_FOR(l, p.calls > 0);
	return p;
}

void on_flushed(void *arg, int err)
{
	struct flushed *f = arg;

	f->calls++;
	f->err = err;
}

int flush(void)
{
	struct flushed f = { 0 };

	directory_flush(d, on_flushed, &f);
	cr_assert_eq(f.calls, 0);
	WAIT_FOR(l, f.calls == 1);
	return f.err;
}
