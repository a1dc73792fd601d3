#include "tests/unit/chat/catch_up_world.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "worker/chat/connect.h"

/* --- the store --- */
struct message db[ROWS_MAX];
char ids[ROWS_MAX][MESSAGE_ID_LEN + 1];
size_t nrows;
bool store_is_up = true;
struct query asked;

static void ask(enum asked what, const struct store_missed *q, void *cb, void *arg)
{
	cr_assert_eq(asked.what, NOTHING, "one query of a device at a time");
	asked.what = what;
	asked.q = *q;
	asked.q.user_id = "ben";	/* the store copies it */
	asked.cb = cb;
	asked.arg = arg;
}
void message_store_missed(struct message_store *s, const struct store_missed *q,
			  store_rows_cb *cb, void *arg)
{
	(void)s;
	ask(MISSED, q, (void *)cb, arg);
}
void message_store_receipts(struct message_store *s, const struct store_missed *q,
			    store_rows_cb *cb, void *arg)
{
	(void)s;
	ask(RECEIPTS, q, (void *)cb, arg);
}
void message_store_missed_count(struct message_store *s, const char *user,
				int64_t since, size_t max, store_count_cb *cb,
				void *arg)
{
	struct store_missed q = { .user_id = user, .since = since };

	(void)s;
	cr_expect_eq(max, 151);
	ask(COUNT, &q, (void *)cb, arg);
}
bool message_store_up(const struct message_store *s)
{
	(void)s;
	return store_is_up;
}

static const char *const people[] = { "anna", "ben" };

struct message *row(unsigned from, int64_t pos)
{
	struct message *m = &db[nrows];

	snprintf(ids[nrows], sizeof(ids[0]), "%024zx", nrows);
	*m = (struct message){
		.match_id = "m1", .sender_id = people[from],
		.recipient_id = people[1 - from], .content = SLICE("x"),
		.src = "h:b:1", .pos = pos, .chg = pos, .sent_at_ms = pos / 1000,
	};
	memcpy(m->id, ids[nrows], sizeof(m->id));
	nrows++;
	return m;
}

/* --- the rest of the world --- */
char sent[4000][120];
int nsent;
size_t nread;
uint32_t marks;
struct dir dir;
void (*entered)(void *arg, int err);
void *entered_arg;
unsigned made_good;
const char *accepted_as;

bool sio_send_pieces(struct sio_socket *k, const struct slice *p, size_t n)
{
	char frame[600];
	const char *id;

	(void)k;
	cr_assert_eq(n, 2);
	snprintf(frame, sizeof(frame), "%.*s", (int)p[0].n, p[0].p);
	id = strstr(frame, "d\":\"");	/* id or messageId */
	snprintf(sent[nsent++], sizeof(sent[0]), "%.*s %.*s",
		 (int)strcspn(frame + 4, "\""), frame + 4,
		 id != NULL ? MESSAGE_ID_LEN : 0, id != NULL ? id + 4 : "");
	return true;
}
uint32_t sio_mark(struct sio_socket *k) { (void)k; return ++marks; }
const char *sio_socket_id(const struct sio_socket *k) { (void)k; return "sid"; }
int64_t good_us;
int64_t router_good_us(const struct router *r) { (void)r; return good_us; }
unsigned router_losses(const struct router *r) { (void)r; return 7; }
void router_made_good(struct router *r, unsigned lost)
{
	(void)r;
	made_good = lost;
}
void presence_enter(struct presence *p, const char *u, const char *s,
		    void (*cb)(void *arg, int err), void *arg)
{
	(void)p; (void)u; (void)s;
	entered = cb;
	entered_arg = arg;
}
void directory_match(struct directory *d, const char *id, directory_match_cb *cb,
		     void *arg)
{
	struct match m = { id, "anna", "ben", !dir.ended };

	(void)d;
	if (dir.async) {
		dir.cb = cb;
		dir.arg = arg;
		return;
	}
	cb(arg, dir.err, dir.err == 0 ? &m : NULL);
}
void connect_accept(struct device *d, const char *sid)
{
	d->accepted = true;
	accepted_as = sid != NULL ? "recovered" : "anew";
}

/* --- ben's device --- */
struct chat c;
struct device *ben;

struct device *device(void)
{
	struct device *d = device_new(&c, &c.users, "ben",
				      (struct sio_socket *)(uintptr_t)3);

	d->since_ms = (uint64_t)NOW_US / 1000;
	d->user->registered = true;
	return d;
}

static void setup(void)
{
	clock_fake_set(1000000, NOW_US);
	c.loop = loop_new();
	c.conf = (struct chat_conf){ .recovery_events = 150,
				     .catch_up_bytes = 100000,
				     .opening_ms = 15000 };
	users_init(&c.users);
	streams_init(&c.streams, 10);
	catch_up_init(&c);
	ben = device();
}

void leave(void)
{
	char id[PW_ID_MAX + 1];

	catch_up_drop(ben);
	device_gone(&c.users, ben, id);
	ben = NULL;
}

void answer_err(int err)
{
	enum asked what = asked.what;

	asked.what = NOTHING;
	if (what == COUNT)
		((store_count_cb *)asked.cb)(asked.arg, err, 0);
	else
		((store_rows_cb *)asked.cb)(asked.arg, err, NULL, 0);
}

static void teardown(void)
{
	if (ben != NULL)
		leave();
	if (asked.what != NOTHING)
		answer_err(-ECANCELED);
	cr_expect_eq(stats_get(STAT_catching_up), 0);
	catch_up_free(&c);
	users_free(&c.users);
	streams_free(&c.streams);
	buf_free(&c.scratch);
	buf_free(&c.offset);
	loop_free(&c.loop);
}

TestSuite(catch_up, .init = setup, .fini = teardown, .timeout = 240);

/* What the contract of message_store_missed() says, of db. */
static bool is_missed(const struct message *m, const struct store_missed *q)
{
	bool mine = strcmp(m->recipient_id, q->user_id) == 0;

	return (m->pos > q->after_pos ||
		(m->pos == q->after_pos && strcmp(m->id, q->after_id) > 0)) &&
	       ((mine && m->delivered_at_ms == 0) ||
		(q->since != 0 && m->pos > q->since));
}

static int by_pos(const void *a, const void *b)
{
	const struct message *m = a, *n = b;

	return m->pos != n->pos ? (m->pos > n->pos) - (m->pos < n->pos) :
				  strcmp(m->id, n->id);
}

/* So many have that much. */
static size_t with_content(const struct message *rows, size_t n, size_t bytes)
{
	size_t i = 0, sum = 0;

	while (i < n && sum < bytes)
		sum += rows[i++].content.n;
	return i;
}

void answer(void)
{
	enum asked what = asked.what;
	static struct message rows[ROWS_MAX];
	struct store_missed q = asked.q;
	size_t n = 0, all = 0;

	cr_assert_neq(what, NOTHING);
	asked.what = NOTHING;
	for (size_t i = 0; i < nrows; i++) {
		bool in = what == RECEIPTS ?
				  strcmp(db[i].sender_id, "ben") == 0 &&
					  db[i].chg > q.since &&
					  db[i].delivered_at_ms != 0 &&
					  db[i].chg > q.after_pos :
				  is_missed(&db[i], &q);

		all += in;
		if (in)
			rows[n++] = db[i];
	}
	qsort(rows, n, sizeof(rows[0]), by_pos);
	cr_assert_leq(q.limit, 500, "what the store allows");
	if (n > q.limit)
		n = q.limit;
	if (q.bytes != 0 && what == MISSED)
		n = with_content(rows, n, q.bytes);
	if (what == COUNT)
		((store_count_cb *)asked.cb)(asked.arg, 0, all);
	else
		((store_rows_cb *)asked.cb)(asked.arg, 0, rows, n);
	nread += n;
}

void settle(void)
{
	do {
		catch_up_pump(c.catch_ups);
		if (asked.what != NOTHING)
			answer();
		if (ben != NULL && ben->catch_up != NULL && ben->catch_up->waiting)
			catch_up_confirmed(ben, marks);
	} while (asked.what != NOTHING || (c.catch_ups->registering == 0 &&
					   !list_empty(&c.catch_ups->ready)));
}

enum emitted live(const struct message *m)
{
	struct emission e = {
		.frame = SLICE("42[\"live\",{\"id\":\"\"}]"), .id = m->id,
		.at = place_of(m),
		.tracked = strcmp(m->recipient_id, "ben") == 0,
	};
	char frame[100];

	e.frame.n = (size_t)snprintf(frame, sizeof(frame),
				     "42[\"message:new\",{\"id\":\"%s\"}]", m->id);
	e.frame.p = frame;
	return emit_message(ben, &e);
}

void sent_rows(size_t first, size_t last)
{
	cr_assert_eq(nsent, (int)(last - first + 1), "%d", nsent);
	for (int i = 0; i < nsent; i++)
		cr_expect_str_eq(strchr(sent[i], ' ') + 1,
				 ids[first + (size_t)i]);
}

void connect_ben(void)
{
	catch_up_registered(ben);
	cr_assert_str_eq(accepted_as, "anew");
}
