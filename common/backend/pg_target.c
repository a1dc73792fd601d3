#include "common/backend/pg_target.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/backend/resolve.h"
#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"

#define PARAMS_MAX 96	/* libpq 15 knows 43 */
#define PLACES_MAX 32

/* One address, or one UNIX socket's directory. */
struct place {
	struct slice host;	/* as in the URL: for TLS and .pgpass */
	struct slice port;
	char addr[RESOLVE_ADDR_LEN];	/* "" for a UNIX socket */
};

struct pg_target {
	struct loop *loop;
	PQconninfoOption *opts;	/* NULL: the URL cannot be read */
	char *name;
	char *host;		/* of the URL, or PGHOST; may be NULL */

	struct place places[PLACES_MAX];
	unsigned nplaces;
	unsigned first;		/* rotation; taken modulo nplaces */

	/* One run of pg_target_resolve(). */
	struct task start;
	struct resolve *resolve;
	const char *rest;	/* of host, from the name being looked up on */
	unsigned index;		/* which of the hosts that is */
	int err;		/* EAI_*, of the last name without address */
	pg_target_cb *cb;
	void *arg;
};

static const char *option(const PQconninfoOption *opts, const char *keyword)
{
	for (; opts != NULL && opts->keyword != NULL; opts++) {
		if (strcmp(opts->keyword, keyword) == 0)
			return opts->val;
	}
	return NULL;
}

/* The n-th element of a comma-separated list; the only one counts for all. */
static struct slice element(const char *list, unsigned n)
{
	if (list == NULL)
		return (struct slice){ "", 0 };
	if (strchr(list, ',') == NULL)
		return slice_of(list);
	for (; n > 0 && list != NULL; n--) {
		list = strchr(list, ',');
		list = list != NULL ? list + 1 : NULL;
	}
	if (list == NULL)
		return (struct slice){ "", 0 };
	return (struct slice){ list, strcspn(list, ",") };
}

static unsigned count(const char *list)
{
	unsigned n = 1;

	for (; *list != '\0'; list++)
		n += *list == ',';
	return n;
}

static void add_place(struct pg_target *t, struct slice host, const char *addr)
{
	struct place *p = &t->places[t->nplaces];

	if (t->nplaces == PLACES_MAX)
		return;
	t->nplaces++;
	p->host = host;
	p->port = element(option(t->opts, "port"), t->index);
	snprintf(p->addr, sizeof(p->addr), "%s", addr);
}

static void next_host(struct pg_target *t);

static void host_done(struct pg_target *t)
{
	t->rest += strcspn(t->rest, ",");
	t->rest = *t->rest == ',' ? t->rest + 1 : NULL;
	t->index++;
	next_host(t);
}

static void on_resolved(void *arg, int err, const struct resolved *addrs)
{
	struct pg_target *t = arg;
	struct slice host = { t->rest, strcspn(t->rest, ",") };

	t->resolve = NULL;
	if (err != 0)
		t->err = err;
	else
		for (int i = 0; i < addrs->n; i++)
			add_place(t, host, addrs->addr[i]);
	host_done(t);
}

static void finish(struct pg_target *t)
{
	const char *error = NULL;

	if (t->nplaces == 0 && t->err != 0)
		error = gai_strerror(t->err);
	t->cb(t->arg, error);
}

static void next_host(struct pg_target *t)
{
	struct slice host;
	char *name;

	if (t->rest == NULL) {
		finish(t);
		return;
	}
	host = (struct slice){ t->rest, strcspn(t->rest, ",") };
	name = mem_strndup(host.p, host.n);
	if (name[0] == '\0' || name[0] == '/' || name[0] == '@') {
		add_place(t, host, "");
		host_done(t);
	} else if (resolve_is_numeric(name)) {
		add_place(t, host, name);
		host_done(t);
	} else {
		t->resolve = resolve_start(t->loop, name, on_resolved, t);
	}
	free(name);
}

/* Nothing to look up: no host at all (libpq's default socket), addresses given
 * beside the names, or lists that libpq will complain about. */
static bool leave_to_libpq(const struct pg_target *t)
{
	const char *port = option(t->opts, "port");

	return t->host == NULL || t->host[0] == '\0' ||
	       option(t->opts, "hostaddr") != NULL ||
	       getenv("PGHOSTADDR") != NULL ||
	       (port != NULL && count(port) != 1 &&
		count(port) != count(t->host));
}

static void on_start(void *arg)
{
	struct pg_target *t = arg;

	t->nplaces = 0;
	t->err = 0;
	t->index = 0;
	t->rest = t->host;
	if (t->opts == NULL)
		t->cb(t->arg, "the URL cannot be read");
	else if (leave_to_libpq(t))
		t->cb(t->arg, NULL);
	else
		next_host(t);
}

void pg_target_resolve(struct pg_target *t, pg_target_cb *cb, void *arg)
{
	t->cb = cb;
	t->arg = arg;
	loop_defer(t->loop, &t->start);
}

struct params {
	const char *keys[PARAMS_MAX];
	const char *vals[PARAMS_MAX];
	int n;
};

static void set(struct params *p, const char *key, const char *val)
{
	for (int i = 0; i < p->n; i++) {
		if (strcmp(p->keys[i], key) == 0) {
			p->vals[i] = val;
			return;
		}
	}
	if (p->n < PARAMS_MAX - 1) {
		p->keys[p->n] = key;
		p->vals[p->n++] = val;
	}
}

static void set_default(struct params *p, const char *key, const char *val,
			const char *env)
{
	if (env != NULL && getenv(env) != NULL)
		return;
	for (int i = 0; i < p->n; i++) {
		if (strcmp(p->keys[i], key) == 0)
			return;
	}
	set(p, key, val);
}

/* The places as three lists of equal length, as libpq wants them. hostaddr
 * is left out when all are UNIX sockets: it may not be all commas. */
static void set_places(const struct pg_target *t, struct params *p,
		       struct buf lists[3])
{
	bool any_addr = false;

	for (unsigned i = 0; i < t->nplaces; i++) {
		const struct place *pl =
			&t->places[(t->first + i) % t->nplaces];

		if (i > 0) {
			for (int k = 0; k < 3; k++)
				buf_addc(&lists[k], ',');
		}
		buf_add(&lists[0], pl->host.p, pl->host.n);
		buf_adds(&lists[1], pl->addr);
		buf_add(&lists[2], pl->port.p, pl->port.n);
		any_addr |= pl->addr[0] != '\0';
	}
	if (t->nplaces == 0)
		return;
	set(p, "host", buf_str(&lists[0]));
	if (any_addr)
		set(p, "hostaddr", buf_str(&lists[1]));
	if (option(t->opts, "port") != NULL)
		set(p, "port", buf_str(&lists[2]));
}

PGconn *pg_target_connect(const struct pg_target *t)
{
	struct params p = { .n = 0 };
	struct buf lists[3] = { 0 };
	PGconn *pg;

	for (const PQconninfoOption *o = t->opts; o->keyword != NULL; o++) {
		if (o->val != NULL)
			set(&p, o->keyword, o->val);
	}
	set_places(t, &p, lists);
	set_default(&p, "application_name", t->name, NULL);
	set_default(&p, "client_encoding", "UTF8", NULL);
	/* A peer that vanished without a word. */
	set_default(&p, "keepalives_idle", "10", NULL);
	set_default(&p, "keepalives_interval", "5", NULL);
	set_default(&p, "keepalives_count", "3", NULL);
	/* Kerberos libraries ask their servers, blocking: only on request. */
	set_default(&p, "gssencmode", "disable", "PGGSSENCMODE");
	pg = PQconnectStartParams(p.keys, p.vals, 0);
	for (int k = 0; k < 3; k++)
		buf_free(&lists[k]);
	return pg;
}

void pg_target_rotate(struct pg_target *t)
{
	t->first++;
}

char *pg_target_where(const struct pg_target *t)
{
	const char *db = option(t->opts, "dbname");
	struct buf b = { 0 };
	char *where;

	buf_printf(&b, "host=%s dbname=%s",
		   t->host != NULL ? t->host : "(default)",
		   db != NULL ? db : "(default)");
	where = mem_strdup(buf_str(&b));
	buf_free(&b);
	return where;
}

struct pg_target *pg_target_new(struct loop *l, const char *url,
				const char *name)
{
	struct pg_target *t = mem_zalloc(sizeof(*t));
	const char *host;

	t->loop = l;
	t->name = mem_strdup(name);
	/* The error text may quote the password: it is not logged. */
	t->opts = PQconninfoParse(url, NULL);
	host = option(t->opts, "host");
	if (host == NULL && option(t->opts, "service") == NULL)
		host = getenv("PGHOST");
	if (host != NULL)
		t->host = mem_strdup(host);
	task_init(&t->start, LOOP_WORK, on_start, t);
	return t;
}

void pg_target_free(struct pg_target **tp)
{
	struct pg_target *t = *tp;

	if (t == NULL)
		return;
	task_cancel(&t->start);
	resolve_cancel(&t->resolve);
	if (t->opts != NULL)
		PQconninfoFree(t->opts);
	free(t->name);
	free(t->host);
	free(t);
	*tp = NULL;
}
