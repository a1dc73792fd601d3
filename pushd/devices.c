#include "pushd/devices.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/base/siphash.h"
#include "pushd/devices_impl.h"

#define BATCH_MAX 256		/* users of a query */
#define OUT_MAX 2		/* queries at a time: the more wait, the fewer */

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

/* The array takes the type of the user_id column, so that an index on it serves
 * whatever type the app has chosen; so may its provider be an enum. */
static const struct pg_stmt stmt_devices = {
	.name = "devices_of",
	.sql = "SELECT user_id, id, push_token, provider, platform, app,"
	       " environment, locale, updated_ms FROM"
	       " (SELECT user_id, id, push_token, lower(provider::text) AS provider,"
	       " platform, app, lower(environment::text) AS environment, locale,"
	       " " UPDATED_MS("updated_at")
	       " AS updated_ms, row_number() OVER (PARTITION BY user_id"
	       " ORDER BY updated_at DESC NULLS LAST, id) AS rank FROM devices"
	       " WHERE user_id = ANY($1) AND lower(provider::text) IN ('fcm', 'apns')"
	       " AND octet_length(push_token::text) BETWEEN 1 AND " TEXT(TOKEN_MAX)
	       ") AS d WHERE rank <= " TEXT(DEVICES_MAX) " ORDER BY rank",
	.nparams = 1,
};
enum { COL_USER, COL_ID, COL_TOKEN, COL_PROVIDER, COL_PLATFORM, COL_APP,
       COL_ENVIRONMENT, COL_LOCALE, COL_UPDATED };

/* Plans are made once a connection, often while the tables are all but empty, and
 * must hold when they have grown: each statement finds its rows by an index. */
static const char *const query_setup[] = {
	"SELECT set_config(name, value, false) FROM (VALUES"
	" ('timezone', 'UTC'), ('plan_cache_mode', 'force_generic_plan'),"
	" ('enable_seqscan', 'off'), ('enable_mergejoin', 'off'),"
	" ('jit', 'off')) AS s (name, value)",
	NULL,
};

/* One who asks for the devices of a user. */
struct ask {
	struct list node;	/* s->asks, its batch's or its first's twins */
	struct map_node by_user;	/* in its batch */
	struct list twins;	/* who ask for the same user's, in its batch */
	devices_cb *cb;
	void *arg;
	struct device *found;
	size_t n, cap;
	char user[];
};

struct batch {
	struct devices *s;
	struct list asks;
	struct map map;		/* of these */
	size_t n;
};

static bool ask_is(const struct map_node *n, const void *user)
{
	return strcmp(CONTAINER_OF(n, struct ask, by_user)->user, user) == 0;
}

static void ask_done(struct ask *a, int err)
{
	size_t n = err == 0 ? a->n : 0;
	struct list *twin;

	a->cb(a->arg, err, a->found, n);
	while ((twin = list_shift(&a->twins)) != NULL) {
		struct ask *t = LIST_ENTRY(twin, struct ask, node);

		t->cb(t->arg, err, a->found, n);
		free(t);
	}
	free(a->found);
	free(a);
}

/* Registered anew under another id: still one device. */
static bool ask_has(const struct ask *a, const struct device *d)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->found[i].provider == d->provider &&
		    strcmp(a->found[i].token, d->token) == 0)
			return true;
	return false;
}

static void ask_found(struct ask *a, const struct device *d)
{
	if (ask_has(a, d))
		return;
	if (a->n == a->cap) {
		a->cap = a->cap ? 2 * a->cap : 4;
		a->found = mem_realloc(a->found, a->cap * sizeof(*a->found));
	}
	a->found[a->n++] = *d;
}

static struct batch *batch_new(struct devices *s)
{
	struct batch *b = mem_zalloc(sizeof(*b));

	b->s = s;
	list_init(&b->asks);
	map_init(&b->map, ask_is);
	return b;
}

static void batch_add(struct batch *b, struct ask *a)
{
	uint64_t hash = hash_str(a->user);
	struct map_node *same = map_find(&b->map, hash, a->user);

	if (same != NULL) {
		list_append(&CONTAINER_OF(same, struct ask, by_user)->twins,
			    &a->node);
		return;
	}
	list_append(&b->asks, &a->node);
	map_insert(&b->map, &a->by_user, hash);
	b->n++;
}

static void batch_send(struct batch *b);

/* One of them has an id that the column cannot hold: each by itself. */
static void batch_split(struct batch *b)
{
	struct list *n;

	while ((n = list_shift(&b->asks)) != NULL) {
		struct batch *one = batch_new(b->s);

		batch_add(one, LIST_ENTRY(n, struct ask, node));
		batch_send(one);
	}
}

static void batch_fill(struct batch *b, const PGresult *res)
{
	for (int i = 0; i < pg_rows(res); i++) {
		const char *user = PQgetvalue(res, i, COL_USER);
		struct map_node *n = map_find(&b->map, hash_str(user), user);
		struct device d = {
			.id = PQgetvalue(res, i, COL_ID),
			.token = PQgetvalue(res, i, COL_TOKEN),
			.provider = PQgetvalue(res, i, COL_PROVIDER)[0] == 'a' ?
					    PROVIDER_APNS : PROVIDER_FCM,
			.platform = PQgetvalue(res, i, COL_PLATFORM),
			.app = PQgetvalue(res, i, COL_APP),
			.environment = PQgetvalue(res, i, COL_ENVIRONMENT),
			.locale = PQgetvalue(res, i, COL_LOCALE),
			.updated_at_ms = pg_int(res, i, COL_UPDATED),
		};

		if (n != NULL)
			ask_found(CONTAINER_OF(n, struct ask, by_user), &d);
	}
}

static void on_devices(void *arg, int err, const PGresult *res)
{
	struct batch *b = arg;
	struct devices *s = b->s;
	struct list *n;

	s->out--;
	if (err == 0) {
		batch_fill(b, res);
		s->refused[0] = '\0';
	} else if (err == -EREMOTEIO && pg_error_is(res, "22")) {
		if (b->n > 1)
			batch_split(b);
		err = 0;	/* nobody can have this id */
	} else if (err == -EREMOTEIO) {
		devices_refused(s->refused, "reading devices", res);
	}
	while ((n = list_shift(&b->asks)) != NULL)
		ask_done(LIST_ENTRY(n, struct ask, node), err);
	map_free(&b->map);
	free(b);
	if (!list_empty(&s->asks))
		loop_defer(s->loop, &s->flush);
}

static void batch_send(struct batch *b)
{
	struct buf users = { 0 };
	struct list *pos, *tmp;
	const char *param;

	LIST_FOREACH_SAFE(pos, tmp, &b->asks) {
		const char *user = LIST_ENTRY(pos, struct ask, node)->user;

		pg_array_add(&users, user, strlen(user));
	}
	pg_array_end(&users);
	param = users.p;
	b->s->out++;
	pg_query(b->s->pg, &stmt_devices, &param, on_devices, b);
	buf_free(&users);
}

static void on_flush(void *arg)
{
	struct devices *s = arg;

	while (s->out < OUT_MAX && !list_empty(&s->asks)) {
		struct batch *b = batch_new(s);
		struct list *n;

		while (b->n < BATCH_MAX && (n = list_shift(&s->asks)) != NULL)
			batch_add(b, LIST_ENTRY(n, struct ask, node));
		batch_send(b);
	}
}

void devices_of(struct devices *s, const char *user_id, devices_cb *cb, void *arg)
{
	size_t n = strlen(user_id) + 1;
	struct ask *a = mem_zalloc(sizeof(*a) + n);

	a->cb = cb;
	a->arg = arg;
	list_init(&a->twins);
	memcpy(a->user, user_id, n);
	list_append(&s->asks, &a->node);
	loop_defer(s->loop, &s->flush);
}

void devices_refused(char logged[REFUSAL_MAX], const char *what,
		     const PGresult *res)
{
	const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	char why[REFUSAL_MAX];

	/* Messages of some classes quote values; those of 22 and 23 do. */
	if (text == NULL || pg_error_is(res, "22") || pg_error_is(res, "23"))
		text = "a row's values";
	snprintf(why, sizeof(why), "%s (%s)", text, state != NULL ? state : "?");
	if (strcmp(why, logged) == 0)
		return;
	memcpy(logged, why, sizeof(why));
	log_err("PostgreSQL refuses %s reason=\"%s\"", what, why);
}

static void on_state(void *arg, bool up)
{
	struct devices *s = arg;

	if (up)
		dead_rows_up(&s->dead);
	if (s->state != NULL)
		s->state(s->arg, up);
}

struct devices *devices_new(struct loop *l, const char *url, unsigned timeout_ms,
			    void (*state)(void *arg, bool up), void *arg)
{
	struct devices *s = mem_zalloc(sizeof(*s));
	struct pg_conf pc = { .name = "pairwire-pushd devices", .url = url,
			      .timeout_ms = timeout_ms, .setup = query_setup };

	s->loop = l;
	s->state = state;
	s->arg = arg;
	list_init(&s->asks);
	task_init(&s->flush, LOOP_WORK, on_flush, s);
	s->pg = pg_new(l, &pc, on_state, NULL, s);
	dead_rows_init(&s->dead, l, s->pg);
	return s;
}

bool devices_up(const struct devices *s)
{
	return pg_up(s->pg);
}

void devices_free(struct devices **sp)
{
	struct devices *s = *sp;
	struct list *n;

	if (s == NULL)
		return;
	pg_free(&s->pg);
	while ((n = list_shift(&s->asks)) != NULL)
		ask_done(LIST_ENTRY(n, struct ask, node), -ECANCELED);
	task_cancel(&s->flush);
	dead_rows_free(&s->dead);
	free(s);
	*sp = NULL;
}
