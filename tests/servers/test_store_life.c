/* Beginning and end of a store, URLs and bounds, against a real server. */
#include "tests/servers/store_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

static unsigned closed_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&a, n), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	close(fd);
	return ntohs(a.sin_port);
}

Test(store_life, nobody_there)
{
	struct loop *l = loop_new();
	bool up = false;
	struct message_store *s;
	struct inserted a = { 0 };
	struct last last = { 0 };
	struct got g = { 0 };
	struct message m = message_new("x");
	char url[128];

	snprintf(url, sizeof(url), "%s127.0.0.1:%u/x",
		 strncmp(store_url(), "mongodb", 7) == 0 ? "mongodb://" :
							   "postgresql://",
		 closed_port());
	s = store_new_at(l, url, 500, &up);
	message_store_insert(s, &m, on_inserted, &a);
	message_store_last_sent(s, "u", "m", on_last, &last);
	message_store_get(s, (const char(*)[MESSAGE_ID_LEN + 1])&m.id, 1,
			  on_rows, &g);
	WAIT_FOR(l, a.done && last.done && g.done);
	cr_expect_eq(a.r, STORE_UNAVAILABLE);
	cr_expect_lt(last.err, 0);
	cr_expect_lt(g.err, 0);
	cr_expect(!up);
	cr_expect(!message_store_up(s));
	message_store_free(&s);
	loop_free(&l);
}

Test(store_life, free_with_work_pending)
{
	static struct inserted a[300];
	struct loop *l = loop_new();
	struct message_store *s = store_new(l);
	struct message m = message_new("x");
	struct last last = { 0 };
	struct got g = { 0 }, d = { 0 };
	const struct store_confirm c = {
		.recipient_id = m.recipient_id,
		.at_ms = m.sent_at_ms,
		.chg = m.pos,
		.ids = (const char(*)[MESSAGE_ID_LEN + 1])&m.id,
		.n = 1,
	};

	for (int i = 0; i < 300; i++) {
		struct message n = message_new("x");

		message_store_insert(s, &n, on_inserted, &a[i]);
		if (i == 200)
			loop_turn(l, 0);	/* some are on their way */
	}
	message_store_last_sent(s, m.sender_id, m.match_id, on_last, &last);
	message_store_delivered(s, &c, on_rows, &d);
	loop_turn(l, 0);
	message_store_get(s, c.ids, 1, on_rows, &g);
	message_store_free(&s);
	cr_expect_eq(inserted_count, 300);
	cr_expect(last.done && g.done && d.done);
	cr_expect_eq(g.err, -ECANCELED);
	for (int i = 0; i < 300; i++)
		cr_expect(a[i].r == STORE_UNAVAILABLE || a[i].r == STORE_OK);
	got_clear(&d);
	loop_free(&l);
}

/* A server that hangs, or many who confirm at once, do not fill the memory. */
#define FLOOD 3000
Test(store_life, operations_are_bounded)
{
	static struct got g[FLOOD];
	static message_id ids[500];
	struct loop *l = loop_new();
	struct message_store *s = store_new(l);
	struct message m = message_new("x");
	struct store_confirm c = {
		.recipient_id = m.recipient_id,
		.at_ms = m.sent_at_ms,
		.ids = (const char(*)[MESSAGE_ID_LEN + 1])ids,
		.n = ARRAY_SIZE(ids),
	};
	int refused = 0;

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		message_id_make("", "", NULL, ids[i]);
	for (int i = 0; i < FLOOD; i++) {
		c.chg = cluster_next_pos();
		if (i % 3 == 0)
			message_store_get(s, c.ids, c.n, on_rows, &g[i]);
		else if (i % 3 == 1)
			message_store_read(s, m.match_id, &c, on_rows, &g[i]);
		else
			message_store_delivered(s, &c, on_rows, &g[i]);
		cr_assert(!g[i].done, "answered within the call");
	}
	loop_turn(l, 0);
	for (int i = 0; i < FLOOD; i++) {
		bool over = g[i].done && g[i].err == -EAGAIN;

		refused += over;
		cr_assert(over || refused == 0, "operation %d", i);
	}
	cr_expect_gt(refused, FLOOD / 3);
	cr_expect_lt(refused, 2 * FLOOD / 3);
	message_store_free(&s);	/* those on their way do not matter */
	for (int i = 0; i < FLOOD; i++)
		cr_expect(g[i].done);
	s = store_new(l);
	memset(ids, 'x', sizeof(ids));		/* answered without the server */
	for (int turn = 0; turn < 3; turn++) {	/* what is answered counts no more */
		memset(g, 0, sizeof(g));
		for (int i = 0; i < 1000; i++)
			message_store_get(s, c.ids, c.n, on_rows, &g[i]);
		for (int i = 0; i < 1000; i++) {
			WAIT_FOR(l, g[i].done);
			cr_assert_eq(g[i].err, 0);
		}
	}
	message_store_free(&s);
	loop_free(&l);
}

/* Callbacks that ask again, whatever they were told. */
static struct message_store *again_store;
static struct message again_m;
static int again_asked, again_left;

static void ask_again(int n);

static void on_again_insert(void *arg, enum store_result r,
			    const struct message *first)
{
	int *times = arg;

	(void)r;
	(void)first;
	cr_assert_eq(++*times, 1);
	ask_again(*times);
}

static void on_again_last(void *arg, int err, int64_t sent_at_ms)
{
	int *times = arg;

	(void)err;
	(void)sent_at_ms;
	cr_assert_eq(++*times, 1);
	ask_again(*times);
}

static int again_times[1000];

static void ask_again(int n)
{
	char match[16];

	for (int i = 0; i < n && again_left > 0; i++) {
		int *times = &again_times[again_asked++];
		struct message m = again_m;

		again_left--;
		snprintf(match, sizeof(match), "m%d", again_asked);
		m.match_id = match;
		message_id_make("", "", NULL, m.id);
		if (again_left % 3 == 0)
			message_store_last_sent(again_store, "a", match,
						on_again_last, times);
		else
			message_store_insert(again_store, &m, on_again_insert,
					     times);
	}
}

Test(store_life, free_while_callbacks_ask_again)
{
	struct loop *l = loop_new();

	again_store = store_new(l);
	again_m = message_new("x");
	again_left = 900;
	ask_again(20);
	loop_turn(l, 0);	/* some are on their way */
	ask_again(20);
	message_store_free(&again_store);
	cr_expect_eq(again_left, 0);
	for (int i = 0; i < again_asked; i++)
		cr_expect_eq(again_times[i], 1, "call %d", i);
	loop_free(&l);
}

/* What is wrong with a URL is told without its password. */
Test(store_life, url_with_a_password)
{
	static const char *const bad[] = {
		"mongodb://u:s:ecret@h/db",
		"mongodb://u:s%zzecret@h/db",
		"mongodb://u:secret@h/db?tls=true&tlsCAFile=/no/secret",
		"mongodb://u:secret@h:secret/db",
		"mongodb+srv://u:secret@secret/db",
		"mongodb://u:secret@h/?authMechanism=secret",
		"postgresql://u:secret@h:secret/db?x=y",
		"postgresql://u:s%zzecret@h/db",
	};
	struct loop *l = loop_new();

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char err[256] = "";
		struct message_store_conf conf = {
			.url = bad[i], .name = "t", .lanes = 1,
			.timeout_ms = 500, .queue_max = 1,
		};
		struct message_store *s =
			message_store_new(l, &conf, NULL, NULL, err);

		if (s == NULL)
			cr_expect_neq(err[0], '\0', "%s", bad[i]);
		message_store_free(&s);
		cr_expect_null(strstr(err, "ecret"), "%s", err);
	}
	loop_free(&l);
}

Test(store_life, urls)
{
	static const char *const bad[] = {
		"", "redis://x", "mysql://x/y", "mongodb://", "mongodb://h:x/y",
		"postgresql://h?nonsense=1", "localhost",
	};
	struct loop *l = loop_new();

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char err[256] = "";
		struct message_store_conf conf = {
			.url = bad[i], .name = "t", .lanes = 1,
			.timeout_ms = 500, .queue_max = 1,
		};

		cr_expect_null(message_store_new(l, &conf, NULL, NULL, err),
			       "%s", bad[i]);
		cr_expect_neq(err[0], '\0', "%s", bad[i]);
	}
	loop_free(&l);
}
