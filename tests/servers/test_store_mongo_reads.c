/* The reads where MongoDB has ways of its own: what other programs wrote, and
 * many users in one query. */
#include <mongoc/mongoc.h>
#include <sys/resource.h>

#include "common/store/store_backend.h"
#include "tests/servers/store_fixture.h"

#define MATCH_ROWS 6

/* The linker puts this one before the store's own. */
static _Atomic size_t rows_copied;

void __real_store_rows_add(struct store_rows *r, const struct message *m,
			   unsigned call);
void __wrap_store_rows_add(struct store_rows *r, const struct message *m,
			   unsigned call);

void __wrap_store_rows_add(struct store_rows *r, const struct message *m,
			   unsigned call)
{
	rows_copied++;
	__real_store_rows_add(r, m, call);
}

static struct loop *loop;
static struct message_store *store;
static mongoc_client_t *client;
static mongoc_collection_t *raw;
static message_id me, match;
static char database[40];
static int64_t t0;		/* µs */

/* A database of its own: FerretDB looks at every row. */
static struct message_store *own_store(void)
{
	const char *url = store_url(), *host = strstr(url, "//") + 2;
	const char *query = strchr(url, '?');
	static bool up;
	char own[512];
	struct message_store *s;

	snprintf(database, sizeof(database), "reads_%s", me);
	snprintf(own, sizeof(own), "%.*s/%s%s",
		 (int)(host - url + (ptrdiff_t)strcspn(host, "/?")), url,
		 database, query != NULL ? query : "");
	s = store_new_at(loop, own, 60000, &up);
	WAIT_FOR(loop, up);
	return s;
}

static void setup(void)
{
	mongoc_init();
	loop = loop_new();
	message_id_make("", "", NULL, me);
	message_id_make("", "", NULL, match);
	t0 = cluster_now_us() / 1000 * 1000;
	store = own_store();
	client = mongoc_client_new(store_url());
	raw = mongoc_client_get_collection(client, database, "messages");
}

static void teardown(void)
{
	mongoc_database_t *db = mongoc_client_get_database(client, database);

	mongoc_database_drop(db, NULL);
	mongoc_database_destroy(db);
	mongoc_collection_destroy(raw);
	mongoc_client_destroy(client);
	message_store_free(&store);
	loop_free(&loop);
}

TestSuite(mongo_reads, .init = setup, .fini = teardown, .timeout = 240);

/* As the program wrote that had the collection before us, and then some. */
static bson_t *foreign_row(bson_oid_t *id)
{
	bson_oid_init(id, NULL);
	return BCON_NEW("_id", BCON_OID(id), "matchId", BCON_UTF8(match),
			"senderId", BCON_UTF8("somebody"), "recipientId",
			BCON_UTF8(me), "content", BCON_UTF8("x"), "type",
			BCON_UTF8("text"));
}

static void insert_raw(const bson_t *doc)
{
	bson_error_t error;

	cr_assert(mongoc_collection_insert_one(raw, doc, NULL, NULL, &error),
		  "%s", error.message);
}

static struct got missed(const char *user, int64_t since, int64_t after_pos,
			 const char *after_id, unsigned limit)
{
	struct store_missed q = { .user_id = user, .since = since,
				  .after_pos = after_pos, .limit = limit };
	struct got g = { 0 };

	snprintf(q.after_id, sizeof(q.after_id), "%s", after_id);
	message_store_missed(store, &q, on_rows, &g);
	WAIT_FOR(loop, g.done);
	cr_assert_eq(g.err, 0);
	return g;
}

static void expect_none(struct got *g, const char *what)
{
	WAIT_FOR(loop, g->done);
	cr_expect_eq(g->err, 0, "%s: %d", what, g->err);
	cr_expect_eq(g->n, 0, "%s: %zu rows", what, g->n);
	got_clear(g);
}

/* Old rows, and rows whose fields are of other types, are history only. */
static void insert_foreign(void)
{
	for (int i = 0; i < MATCH_ROWS; i++) {
		bson_oid_t id;
		bson_t *doc = foreign_row(&id);

		BSON_APPEND_DATE_TIME(doc, "sentAt", t0 / 1000 + i);
		switch (i) {
		case 0: break;	/* no pos, no deliveredAt, no owe */
		case 1: BCON_APPEND(doc, "pos", BCON_NULL, "owe", BCON_NULL,
				    "deliveredAt", BCON_NULL); break;
		case 2: BCON_APPEND(doc, "pos", BCON_INT64(0), "owe",
				    BCON_INT64(1)); break;
		case 3: BCON_APPEND(doc, "pos", BCON_UTF8("17"), "owe",
				    BCON_INT64(1)); break;
		case 4: BCON_APPEND(doc, "pos", BCON_INT64(-5), "readAt",
				    BCON_BOOL(false)); break;
		case 5: BCON_APPEND(doc, "pos", BCON_DOUBLE(0.5), "deliveredAt",
				    BCON_NULL); break;
		}
		insert_raw(doc);
		bson_destroy(doc);
	}
}

Test(mongo_reads, rows_without_pos_are_history)
{
	const struct store_missed q = { .user_id = "somebody", .since = 1,
					.limit = 500 };
	struct store_page p = { .match_id = match, .limit = 4 };
	struct got g;

	insert_foreign();
	g = missed(me, 0, 0, "", 500);
	expect_none(&g, "missed");
	g = missed(me, 1, 0, "", 500);
	expect_none(&g, "missed since");
	message_store_receipts(store, &q, on_rows, &g);
	expect_none(&g, "receipts");
	message_store_due(store, 2, 500, on_rows, &g);
	expect_none(&g, "due");
	message_store_unread(store, me, on_rows, &g);
	expect_none(&g, "unread");
	message_store_history(store, &p, on_rows, &g);
	WAIT_FOR(loop, g.done);
	cr_assert_eq(g.n, 4);
	for (size_t i = 0; i < g.n; i++)
		cr_expect_eq(g.v[i]->sent_at_ms, t0 / 1000 + 2 + (int64_t)i);
	memcpy(p.before.id, g.v[0]->id, sizeof(p.before.id));
	got_clear(&g);
	message_store_history(store, &p, on_rows, &g);
	WAIT_FOR(loop, g.done);
	cr_assert_eq(g.n, 2);
	cr_expect_eq(g.v[0]->sent_at_ms, t0 / 1000);
	got_clear(&g);
}

/* What has another kind of _id, or no date, is not ours, and takes no place on
 * a page. */
Test(mongo_reads, other_documents_take_no_place)
{
	struct store_page p = { .match_id = match, .limit = 2 };
	bson_oid_t ours, undated;
	bson_t *doc = foreign_row(&ours), *none = foreign_row(&undated);
	struct got g;
	char hex[25];

	for (int i = 0; i < 3; i++) {
		char name[64];
		bson_t *other;

		snprintf(name, sizeof(name), "%s %d", match, i);
		other = BCON_NEW("_id", BCON_UTF8(name), "matchId",
				 BCON_UTF8(match), "recipientId", BCON_UTF8(me),
				 "pos", BCON_INT64(t0), "deliveredAt", BCON_NULL,
				 "sentAt", BCON_DATE_TIME(t0 / 1000));
		insert_raw(other);
		bson_destroy(other);
	}
	BCON_APPEND(doc, "pos", BCON_INT64(t0 + 5), "sentAt",
		    BCON_DATE_TIME(t0 / 1000));	/* deliveredAt is missing */
	insert_raw(doc);
	insert_raw(none);
	bson_oid_to_string(&ours, hex);
	g = missed(me, 0, 0, "", 1);
	cr_assert_eq(g.n, 1);
	cr_expect_str_eq(g.v[0]->id, hex);
	got_clear(&g);
	for (int i = 0; i < 2; i++) {	/* from the end, from the start */
		p.after.at_ms = i == 0 ? 0 : t0 / 1000 - 1;
		message_store_history(store, &p, on_rows, &g);
		WAIT_FOR(loop, g.done);
		cr_assert_eq(g.n, 1);
		cr_expect_str_eq(g.v[0]->id, hex);
		got_clear(&g);
	}
	bson_destroy(doc);
	bson_destroy(none);
}

/* A batch of rows that differ in recipient and pos, without the store. */
static mongoc_bulk_operation_t *rows_begin(void)
{
	bson_t opts = BSON_INITIALIZER;
	mongoc_bulk_operation_t *b;

	BSON_APPEND_BOOL(&opts, "ordered", false);
	b = mongoc_collection_create_bulk_operation_with_opts(raw, &opts);
	bson_destroy(&opts);
	return b;
}

static void rows_add_with(mongoc_bulk_operation_t *b, const char *recipient,
			  int64_t pos, const char *content)
{
	bson_oid_t id;
	message_id hex;
	bson_t *doc;

	message_id_make("", "", NULL, hex);	/* in no order */
	bson_oid_init_from_string(&id, hex);
	doc = BCON_NEW("_id", BCON_OID(&id), "matchId", BCON_UTF8(match),
		       "senderId", BCON_UTF8("somebody"), "recipientId",
		       BCON_UTF8(recipient), "content", BCON_UTF8(content), "pos", BCON_INT64(pos), "chg",
		       BCON_INT64(pos), "owe", BCON_INT64(0), "deliveredAt",
		       BCON_NULL, "readAt", BCON_NULL, "sentAt",
		       BCON_DATE_TIME(pos / 1000));
	mongoc_bulk_operation_insert(b, doc);
	bson_destroy(doc);
}

static void rows_add(mongoc_bulk_operation_t *b, const char *recipient,
		     int64_t pos)
{
	rows_add_with(b, recipient, pos, "");
}

static void rows_end(mongoc_bulk_operation_t *b)
{
	bson_error_t error;

	cr_assert(mongoc_bulk_operation_execute(b, NULL, &error), "%s",
		  error.message);
	mongoc_bulk_operation_destroy(b);
}

/* Far more rows of one pos than a page has: none twice, none left out. */
Test(mongo_reads, pages_through_rows_of_one_pos)
{
	mongoc_bulk_operation_t *b = rows_begin();
	char last[25] = "";
	int64_t pos = 0;
	size_t sum = 0;

	for (int i = 0; i < 40; i++)
		rows_add(b, me, t0 + i / 30);
	rows_end(b);
	for (;;) {
		struct got g = missed(me, 0, pos, last, 7);
		size_t n = g.n;

		for (size_t i = 0; i < n; i++) {
			cr_expect(g.v[i]->pos > pos || (g.v[i]->pos == pos &&
				  strcmp(g.v[i]->id, last) > 0));
			pos = g.v[i]->pos;
			memcpy(last, g.v[i]->id, sizeof(last));
		}
		got_clear(&g);
		sum += n;
		if (n < 7)
			break;
	}
	cr_expect_eq(sum, 40, "%zu", sum);
}

#define USERS 60

static void user_name(char out[40], int i)
{
	snprintf(out, 40, "%s.%02d", me, i);
}

/* How many rows user i has: most have none, one has more than a query of many
 * may report, one more than he asks for. */
static int rows_of(int i)
{
	if (i == 7)
		return 1050;
	if (i == 40)
		return 100;
	return i % 3 == 0 ? 20 : 0;
}

/* Each gets the first of his own, whatever the others have. */
Test(mongo_reads, many_users_at_once)
{
	static struct got g[USERS + 2];
	mongoc_bulk_operation_t *b = rows_begin();
	char name[40];

	for (int i = 0; i < USERS; i++) {
		user_name(name, i);
		for (int k = rows_of(i); k-- > 0;)
			rows_add(b, name, t0 + k);
	}
	rows_end(b);
	for (int i = 0; i < USERS + 2; i++) {	/* two of them ask twice */
		struct store_missed q = {
			.user_id = name,
			.since = i % 10 == 7 ? t0 + 9 : 0,
			.limit = i % 4 < 2 ? 60 : 15,
		};

		user_name(name, i < USERS ? i : i == USERS ? 7 : 3);
		message_store_missed(store, &q, on_rows, &g[i]);
	}
	for (int i = 0; i < USERS + 2; i++) {
		const int of = i < USERS ? i : i == USERS ? 7 : 3;
		const int limit = i % 4 < 2 ? 60 : 15;
		const int want = rows_of(of) < limit ? rows_of(of) : limit;

		user_name(name, of);
		WAIT_FOR(loop, g[i].done);
		cr_expect_eq(g[i].err, 0);
		cr_expect_eq(g[i].n, want, "user %d: %zu, not %d", i, g[i].n,
			     want);
		for (size_t k = 0; k < g[i].n; k++) {
			cr_expect_str_eq(g[i].v[k]->recipient_id, name);
			cr_expect_eq(g[i].v[k]->pos, t0 + (int64_t)k);
		}
		got_clear(&g[i]);
	}
}

#define LARGE 700000

/* Users with n rows of so much content each, `same` of them with one pos. */
static void add_large(int users, int n, int same)
{
	static char content[LARGE + 1];
	char name[40];

	memset(content, 'x', LARGE);
	for (int i = 0; i < users; i++) {
		mongoc_bulk_operation_t *b = rows_begin();

		user_name(name, i);
		for (int k = 0; k < n; k++)
			rows_add_with(b, name, t0 + k / same, content);
		rows_end(b);
	}
}

/* Nor does a query of many take more content than it should, nor one of a single
 * user; rows of one pos are in one page or the next, none in neither. */
Test(mongo_reads, large_rows)
{
	enum { EACH = 6, HAVE = 5 };
	struct got g[HAVE] = { 0 };
	char name[40];

	add_large(HAVE, EACH, 3);
	for (int i = 0; i < HAVE; i++) {
		struct store_missed q = { .user_id = name, .limit = 100,
					  .bytes = (size_t)i * LARGE };

		user_name(name, i);
		message_store_missed(store, &q, on_rows, &g[i]);
	}
	for (int i = 0; i < HAVE; i++) {
		size_t want = i == 0 ? EACH : (size_t)i;

		user_name(name, i);
		WAIT_FOR(loop, g[i].done);
		cr_expect_eq(g[i].err, 0);
		cr_expect_eq(g[i].n, want, "user %d: %zu", i, g[i].n);
		for (size_t k = 0; k < g[i].n; k++) {
			cr_expect_str_eq(g[i].v[k]->recipient_id, name);
			cr_expect_eq(g[i].v[k]->pos, t0 + (int64_t)k / 3);
			cr_expect(k % 3 == 0 || strcmp(g[i].v[k - 1]->id,
						       g[i].v[k]->id) < 0);
		}
		got_clear(&g[i]);
	}
}

/* Nor is more kept for a user of many than he asked for. */
Test(mongo_reads, large_rows_of_many)
{
	enum { HAVE = 6 };
	struct got g[HAVE] = { 0 };
	char name[40];

	add_large(HAVE, 4, 1);
	rows_copied = 0;
	for (int i = 0; i < HAVE; i++) {
		struct store_missed q = { .user_id = name, .limit = 100,
					  .bytes = 1 };

		user_name(name, i);
		message_store_missed(store, &q, on_rows, &g[i]);
	}
	for (int i = 0; i < HAVE; i++) {
		WAIT_FOR(loop, g[i].done);
		cr_expect_eq(g[i].err, 0);
		cr_expect_eq(g[i].n, 1, "user %d: %zu", i, g[i].n);
		got_clear(&g[i]);
	}
	/* Once more when many of them fill a query, and are asked for again. */
	cr_expect_leq(rows_copied, 2 * HAVE, "%zu", (size_t)rows_copied);
}

#define ASKERS 100
#define ROUNDS 20

static int64_t cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000LL +
	       u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

static int answers;

static void on_empty(void *arg, int err, const struct message *rows, size_t n)
{
	(void)arg;
	(void)rows;
	cr_assert_eq(err, 0);
	cr_assert_eq(n, 0);
	if (++answers == ASKERS)
		loop_stop(loop);
}

/* Nobody has anything, as is usual. Reported, not judged: machines differ. */
Test(mongo_reads, what_it_costs)
{
	int64_t cpu = cpu_us(), t = clock_mono_us();

	for (int r = 0; r < ROUNDS; r++) {
		answers = 0;
		for (int i = 0; i < ASKERS; i++) {
			char name[40];
			struct store_missed q = { .user_id = name,
						  .limit = 100 };

			user_name(name, i);
			message_store_missed(store, &q, on_empty, NULL);
		}
		loop_run(loop);
	}
	cr_log_warn("missed=%d per_round=%d us_each=%.1f client_cpu_us_each=%.1f",
		    ROUNDS * ASKERS, ASKERS,
		    (double)(clock_mono_us() - t) / ROUNDS / ASKERS,
		    (double)(cpu_us() - cpu) / ROUNDS / ASKERS);
}
