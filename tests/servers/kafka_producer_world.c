#include "tests/servers/kafka_producer_world.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "common/base/log.h"

/* In a turn of the loop: what blocks would wait for a broker. A lock of
 * librdkafka's is waited for, too, for as long as its thread gets no CPU. */
#define LONGEST_BLOCK_MS 1000

struct loop *l;
const char *brokers;
char url[256];
int ups, downs;
unsigned timeout_ms = LONG_MS;
static struct timer ticker;
static int64_t ticked_ms, ran_ms, longest_ms;

/* How long this thread has had a CPU or waited for one. Both are the machine's;
 * what else there is of a turn's time was blocked. */
static int64_t run_ms(void)
{
	static int fd = -1;
	char text[128];
	long long ran, waited;
	ssize_t n;

	if (fd == -1)
		fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
	n = pread(fd, text, sizeof(text) - 1, 0);
	cr_assert_gt(n, 0);
	text[n] = '\0';
	cr_assert_eq(sscanf(text, "%lld %lld", &ran, &waited), 2);
	return (ran + waited) / 1000000;
}

static void on_tick(void *arg)
{
	int64_t now = clock_mono_ms(), ran = run_ms();
	int64_t blocked = now - ticked_ms - (ran - ran_ms);

	(void)arg;
	if (blocked > longest_ms)
		longest_ms = blocked;
	ticked_ms = now;
	ran_ms = ran;
	timer_arm(&ticker, 1);
}

void watch_turns(void)
{
	ticked_ms = clock_mono_ms();
	ran_ms = run_ms();
	longest_ms = 0;
	timer_arm(&ticker, 1);
}

void expect_short_turns(const char *what)
{
	timer_disarm(&ticker);
	cr_log_info("%s: blocked for %d ms", what, (int)longest_ms);
	cr_expect_leq(longest_ms, LONGEST_BLOCK_MS, "%s: blocked for %d ms", what,
		      (int)longest_ms);
}

void begin_world(void)
{
	signal(SIGPIPE, SIG_IGN);
	log_init("test", getenv("KDEBUG") ? LOG_LVL_DEBUG : LOG_LVL_INFO);
	l = loop_new();
	timer_init(&ticker, l, on_tick, NULL);
}

void end_world(void)
{
	timer_free(&ticker);
	loop_free(&l);
}

static void on_state(void *arg, bool up)
{
	(void)arg;
	if (up)
		ups++;
	else
		downs++;
}

struct push_queue *queue(struct redis *markers)
{
	struct push_queue_conf conf = {
		.url = url, .limit = 1, .timeout_ms = timeout_ms,
		.markers = markers, .state = on_state,
	};
	char err[256];
	struct push_queue *q = push_queue_new(l, &conf, err);

	cr_assert_not_null(q, "%s", err);
	cr_assert(push_queue_durable(q));
	return q;
}

static void on_added(void *arg, int err)
{
	struct add *a = arg;

	a->calls++;
	a->err = err;
	a->all->called++;
	a->all->ok += err == 0;
}

void add(struct push_queue *q, struct adds *s, const char *key,
	 const char *user, struct slice json)
{
	struct add *a = &s->one[s->n++];
	int before = s->called;

	*a = (struct add){ .all = s };
	push_queue_add(q, key, user, json, on_added, a);
	cr_assert_eq(s->called, before, "called back before the return");
}

void add_numbered(struct push_queue *q, struct adds *s, int from, int to)
{
	char text[16], user[16];

	for (int i = from; i < to; i++) {
		snprintf(text, sizeof(text), "%d", i);
		snprintf(user, sizeof(user), "user%d", i % 10);
		add(q, s, text, user, slice_of(text));
	}
}

void expect_books(const struct adds *s)
{
	struct topic t = topic_read(brokers, PUSH_STREAM, PARTITIONS);
	int of_user[10];

	memset(of_user, -1, sizeof(of_user));
	for (int i = 0; i < s->n; i++) {
		char text[16];
		size_t n;

		snprintf(text, sizeof(text), "%d", i);
		n = topic_count(&t, text);
		cr_expect_eq(s->one[i].calls, 1, "%d: %d calls", i,
			     s->one[i].calls);
		if (s->one[i].err == 0)
			cr_expect_eq(n, 1, "%d: %zu times", i, n);
		else if (s->one[i].err == -ENOTCONN || s->one[i].err == -ENOSPC)
			cr_expect_eq(n, 0, "%d: %zu times", i, n);
		else
			cr_expect_leq(n, 1, "%d: %zu times", i, n);
	}
	for (size_t i = 0; i < t.n; i++) {
		int user = t.entries[i].key[4] - '0';

		if (of_user[user] == -1)
			of_user[user] = t.entries[i].partition;
		cr_expect_eq(t.entries[i].partition, of_user[user]);
	}
	free(t.entries);
}
