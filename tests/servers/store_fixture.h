/* A message store against the server that the program's environment names,
 * and callers that remember how they were answered. */
#ifndef PW_STORE_FIXTURE_H
#define PW_STORE_FIXTURE_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/store/message_store.h"
#include "tests/servers/loop_wait.h"

typedef char message_id[MESSAGE_ID_LEN + 1];

struct inserted {
	bool done;
	int order;
	enum store_result r;
	struct message *first;	/* copy; free() */
};
static int inserted_count;

static inline void on_inserted(void *arg, enum store_result r,
			       const struct message *first)
{
	struct inserted *a = arg;

	cr_assert(!a->done, "answered twice");
	a->done = true;
	a->order = inserted_count++;
	a->r = r;
	a->first = first != NULL ? message_dup(first) : NULL;
}

/* Rows of a get, delivered or read, copied. */
struct got {
	bool done;
	int err;
	struct message *v[64];
	size_t n;
};

static inline void on_rows(void *arg, int err, const struct message *rows,
			   size_t n)
{
	struct got *g = arg;

	cr_assert(!g->done, "answered twice");
	g->done = true;
	g->err = err;
	for (size_t i = 0; i < n && i < ARRAY_SIZE(g->v); i++)
		g->v[g->n++] = message_dup(&rows[i]);
}

static inline void got_clear(struct got *g)
{
	for (size_t i = 0; i < g->n; i++)
		free(g->v[i]);
	*g = (struct got){ 0 };
}

static inline const struct message *got_find(const struct got *g, const char *id)
{
	for (size_t i = 0; i < g->n; i++)
		if (strcmp(g->v[i]->id, id) == 0)
			return g->v[i];
	return NULL;
}

struct last {
	bool done;
	int err;
	int64_t ms;
};

static inline void on_last(void *arg, int err, int64_t sent_at_ms)
{
	struct last *l = arg;

	*l = (struct last){ true, err, sent_at_ms };
}

static inline void on_done(void *arg, int err)
{
	struct last *l = arg;

	*l = (struct last){ true, err, 0 };
}

static inline void on_store_state(void *arg, bool up)
{
	*(bool *)arg = up;
}

static inline const char *store_url(void)
{
	const char *url = getenv("PW_TEST_STORE_URL");

	if (url == NULL)
		url = getenv(STORE_ENV);
	cr_assert_not_null(url, "neither PW_TEST_STORE_URL nor " STORE_ENV
				" says where the server is");
	return url;
}

/* What the server sees its connections called. */
static const char *store_name = "test";

static inline struct message_store *store_new_at(struct loop *l,
						 const char *url,
						 unsigned timeout_ms, bool *up)
{
	char err[256] = "";
	const struct message_store_conf conf = {
		.url = url,
		.name = store_name,
		.lanes = 4,
		.timeout_ms = timeout_ms,
		.queue_max = 20000,
	};
	struct message_store *s =
		message_store_new(l, &conf, on_store_state, up, err);

	cr_assert_not_null(s, "%s", err);
	return s;
}

/* Waits until it is up. */
static inline struct message_store *store_new(struct loop *l)
{
	static bool up[8];
	static unsigned n;
	bool *mine = &up[n++ % ARRAY_SIZE(up)];
	struct message_store *s = store_new_at(l, store_url(), 60000, mine);

	WAIT_FOR(l, *mine);
	cr_assert(message_store_up(s));
	return s;
}

/* A message like no other, from and to users like no other unless set. */
static inline struct message message_new(const char *content)
{
	static char user[3][MESSAGE_ID_LEN + 1];
	struct message m = {
		.match_id = user[0],
		.sender_id = user[1],
		.recipient_id = user[2],
		.content = { content, strlen(content) },
		.src = "host:boot:1",
	};

	if (user[0][0] == '\0')
		for (int i = 0; i < 3; i++)
			message_id_make("", "", NULL, user[i]);
	message_id_make("", "", NULL, m.id);
	m.pos = cluster_next_pos();
	m.chg = m.pos;
	m.owe = m.pos + 10000000;
	m.sent_at_ms = m.pos / 1000;
	return m;
}

static inline enum store_result insert_one(struct loop *l,
					   struct message_store *s,
					   const struct message *m,
					   struct message **first_out)
{
	struct inserted a = { 0 };

	message_store_insert(s, m, on_inserted, &a);
	cr_assert(!a.done, "answered within the call");
	WAIT_FOR(l, a.done);
	if (first_out != NULL)
		*first_out = a.first;
	else
		free(a.first);
	return a.r;
}

static inline struct message *get_one(struct loop *l, struct message_store *s,
				      const char *id)
{
	struct got g = { 0 };
	message_id ids[1];

	memcpy(ids[0], id, sizeof(ids[0]));
	message_store_get(s, (const char(*)[MESSAGE_ID_LEN + 1])ids, 1, on_rows,
			  &g);
	WAIT_FOR(l, g.done);
	cr_assert_eq(g.err, 0, "get: %d", g.err);
	return g.n > 0 ? g.v[0] : NULL;
}

/* What is logged from now on goes to a file; it has no name. */
static inline int log_start(void)
{
	char path[] = "/tmp/pw-log.XXXXXX";
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	unlink(path);
	cr_assert_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	log_init("test", LOG_LVL_INFO);
	return fd;
}

static inline int log_count(int fd, const char *what)
{
	static char text[1 << 16];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	int count = 0;

	cr_assert_geq(n, 0);
	text[n] = '\0';
	for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
		count++;
	return count;
}

#endif
