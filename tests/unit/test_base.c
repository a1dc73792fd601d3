#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/list.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/base/rate.h"
#include "common/base/siphash.h"
#include "common/base/utf8.h"
#include "common/loop/deadlines.h"
#include "common/loop/jobs.h"
#include "common/loop/loop.h"

Test(buf, grows_and_consumes)
{
	struct buf b = { 0 };

	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "%d,", i);
	cr_expect_eq(b.len, 10 * 2 + 90 * 3 + 900 * 4);
	buf_consume(&b, 20);
	cr_expect_eq(strncmp(buf_str(&b), "10,11,", 6), 0);
	buf_consume(&b, 1000000);
	cr_expect_eq(b.len, 0);
	buf_addc(&b, 'x');
	buf_add(&b, NULL, 0);
	cr_expect_str_eq(buf_str(&b), "x");
	buf_free(&b);
	cr_expect_str_eq(buf_str(&b), "", "empty again, and usable");
	buf_free(&b);
}

/* Printing exactly to, one below and one above the end of the room. */
Test(buf, printf_at_the_edge)
{
	char text[130];

	for (size_t n = 40; n < sizeof(text); n++) {
		struct buf b = { 0 };

		memset(text, 'a', n);
		text[n] = '\0';
		buf_printf(&b, "%s", text);
		cr_expect_eq(b.len, n);
		cr_expect_str_eq(buf_str(&b), text);
		buf_free(&b);
	}
}

struct item {
	struct list node;
	int n;
};

Test(list, order_and_splice)
{
	struct list a, b;
	struct item items[6];
	int want = 0;

	list_init(&a);
	list_init(&b);
	for (int i = 0; i < 6; i++) {
		items[i].n = i;
		list_init(&items[i].node);
		list_append(i < 3 ? &a : &b, &items[i].node);
	}
	list_remove(&items[1].node);
	list_remove(&items[1].node);
	list_splice(&a, &b);
	cr_expect(list_empty(&b));
	for (struct list *n; (n = list_shift(&a)) != NULL; want++) {
		if (want == 1)
			want++;
		cr_expect_eq(LIST_ENTRY(n, struct item, node)->n, want);
	}
	cr_expect_eq(want, 6);
}

/* The empty input under key bytes 0..15 is a published SipHash-1-3 vector; every
 * prefix of 0..63 hashes to something else. */
Test(siphash, differs_by_every_byte)
{
	const uint64_t key[2] = { 0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL };
	unsigned char in[64];
	uint64_t seen[65];

	for (int i = 0; i < 64; i++)
		in[i] = (unsigned char)i;
	for (size_t n = 0; n <= 64; n++) {
		seen[n] = siphash13(key, in, n);
		for (size_t k = 0; k < n; k++)
			cr_expect_neq(seen[n], seen[k]);
	}
	cr_expect_eq(seen[0], 0xabac0158050fc4dcULL);
}

struct entry {
	struct map_node node;
	char key[16];
};

static bool entry_is(const struct map_node *n, const void *key)
{
	return strcmp(CONTAINER_OF(n, struct entry, node)->key, key) == 0;
}

static void drop_odd(struct map_node *n, void *arg)
{
	struct entry *e = CONTAINER_OF(n, struct entry, node);

	if (atoi(e->key) % 2 == 0)
		return;
	map_remove(arg, n);
	free(e);
}

Test(map, insert_find_remove)
{
	struct map m;
	char key[16];

	map_init(&m, entry_is);
	cr_expect_null(map_find(&m, hash_str("0"), "0"));
	for (int i = 0; i < 1000; i++) {
		struct entry *e = mem_zalloc(sizeof(*e));

		snprintf(e->key, sizeof(e->key), "%d", i);
		map_insert(&m, &e->node, hash_str(e->key));
	}
	map_each(&m, drop_odd, &m);
	cr_expect_eq(m.count, 500);
	for (int i = 0; i < 1000; i++) {
		struct map_node *n;

		snprintf(key, sizeof(key), "%d", i);
		n = map_find(&m, hash_str(key), key);
		cr_expect_eq(n != NULL, i % 2 == 0, "%d", i);
		if (n != NULL) {
			map_remove(&m, n);
			free(CONTAINER_OF(n, struct entry, node));
		}
	}
	cr_expect_eq(m.count, 0);
	map_free(&m);
}

Test(clock, iso)
{
	char t[TIME_ISO_LEN + 1];

	time_iso(0, t);
	cr_expect_str_eq(t, "1970-01-01T00:00:00.000Z");
	time_iso(1767323045678LL, t);
	cr_expect_str_eq(t, "2026-01-02T03:04:05.678Z");
	time_iso(4102444799999LL, t);
	cr_expect_str_eq(t, "2099-12-31T23:59:59.999Z");
}

Test(clock, cluster_never_backward)
{
	int64_t t, pos;

	clock_fake_set(1000000, 5000000000);
	cr_expect_eq(cluster_now_us(), 5000000000);
	cluster_clock_sync(7000000000, 1000000, 1000000);
	cr_expect_eq(cluster_now_us(), 7000000000);
	pos = cluster_next_pos();
	cr_expect_eq(cluster_next_pos(), pos + 1, "strictly increasing");
	cluster_clock_sync(6000000000, 1000000, 1000000);
	t = cluster_now_us();
	cr_expect_eq(t, 7000000000, "stands still until the cluster caught up");
	cr_expect_gt(cluster_next_pos(), pos + 1);
	clock_fake_set(-1, -1);
}

/* A host whose clock is an hour ahead, and a Redis that comes late. */
Test(clock, cluster_goes_back_to_what_redis_first_says)
{
	int64_t hour = 3600000000LL, now = 1767323045678000;

	clock_fake_set(1000000, now + hour);
	cr_expect_eq(cluster_now_us(), now + hour);
	cr_expect_gt(cluster_next_pos(), now);
	cluster_clock_sync(now, 1000000, 1000000);
	cr_expect_eq(cluster_now_us(), now);
	cr_expect_leq(cluster_next_pos(), now + 1);
	cluster_clock_sync(now - hour, 1000000, 1000000);
	cr_expect_eq(cluster_now_us(), now, "but once");
	clock_fake_set(1000000, now + 900);
	cr_expect_eq(cluster_now_us(), now + 900);
	cluster_clock_sync(now, 1000000, 1000000);
	cr_expect_eq(cluster_now_us(), now + 900, "it is not worth it");
	clock_fake_set(-1, -1);
}

/* A Redis that stood still answers at the end of that, not in the middle. */
Test(clock, cluster_does_not_believe_a_slow_answer)
{
	int64_t now = 1767323045678000, s = 1000000;

	clock_fake_set(10 * s, now);
	cluster_clock_sync(now, 6 * s, 10 * s);
	cr_expect_eq(cluster_now_us(), now + 2 * s, "there is none better");
	cluster_clock_sync(now, 10 * s, 10 * s);
	cr_expect_eq(cluster_now_us(), now);
	cluster_clock_sync(now, 6 * s, 10 * s);
	cr_expect_eq(cluster_now_us(), now);
	cluster_clock_sync(now + 200, 10 * s - 200, 10 * s + 200);
	cr_expect_eq(cluster_now_us(), now + 200);
	clock_fake_set(-1, -1);
}

Test(clock, pos_is_within_the_millisecond_of_sent_at)
{
	int64_t now = 1767323045678, seen[1000];

	for (int i = 0; i < 1000; i++) {
		seen[i] = cluster_pos_at(now);
		cr_assert_eq(seen[i] / 1000, now);
		for (int j = 0; j < i; j++)
			cr_assert_neq(seen[j], seen[i]);
	}
	cr_expect_gt(cluster_pos_at(now + 1), seen[999]);
	cr_expect_lt(cluster_pos_at(now - 1), now * 1000);
}

/* A stream's burst runs ahead of the clock; others come to those times later. */
Test(clock, pos_differs_from_that_of_a_stream_ahead)
{
	enum { AHEAD = 5000 };
	static int64_t first[AHEAD];
	int64_t now = 1767323045678;

	for (int i = 0; i < AHEAD; i++)
		first[i] = cluster_pos_at(now + i);
	for (int i = 0; i < AHEAD; i++) {
		int64_t pos = cluster_pos_at(now + i);

		cr_assert_eq(pos / 1000, now + i);
		cr_assert_neq(pos, first[i]);
	}
}

static char order[32];

static void note(void *arg)
{
	strcat(order, arg);
}

static struct loop *the_loop;
static struct task again;

static void note_and_requeue(void *arg)
{
	strcat(order, arg);
	if (strlen(order) < 8)
		loop_defer(the_loop, &again);
}

static void stop(void *arg)
{
	loop_stop(arg);
}

Test(loop, stages_in_order)
{
	struct task w, r, o, reap;
	struct timer t;

	the_loop = loop_new();
	task_init(&w, LOOP_WORK, note, "w");
	task_init(&again, LOOP_WORK, note, "W");
	task_init(&r, LOOP_ROUTE, note, "r");
	task_init(&o, LOOP_WRITE, note_and_requeue, "o");
	task_init(&reap, LOOP_REAP, note, "x");
	loop_defer(the_loop, &reap);
	loop_defer(the_loop, &o);
	loop_defer(the_loop, &r);
	loop_defer(the_loop, &w);
	loop_defer(the_loop, &w);
	timer_init(&t, the_loop, stop, the_loop);
	timer_arm(&t, 0);
	loop_run(the_loop);
	cr_expect_str_eq(order, "wroWx");
	timer_free(&t);
	loop_free(&the_loop);
}

struct deadline_probe {
	struct deadline d;
	char name[2];
};

static void expired(struct deadline *d, void *arg)
{
	struct deadline_probe *p = CONTAINER_OF(d, struct deadline_probe, d);

	strcat(order, p->name);
	if (p->name[0] == 'c')
		loop_stop(arg);
}

struct batch_probe {
	struct loop *loop;
	struct deadline d[50];
	unsigned expired;
	unsigned turns;		/* of the loop, in which some did */
	int64_t at_ms;
};

static void batch_expired(struct deadline *d, void *arg)
{
	struct batch_probe *p = arg;
	int64_t now = clock_mono_us() / 1000;

	(void)d;
	if (now != p->at_ms)
		p->turns++;
	p->at_ms = now;
	if (++p->expired == ARRAY_SIZE(p->d))
		loop_stop(p->loop);
}

static void out_of_patience(void *arg)
{
	loop_stop(arg);
}

/* Armed a millisecond apart; each would wake the loop by itself. (Not with
 * .timeout: Criterion leaks that when the test is the last to end.) */
Test(loop, deadlines_close_together_run_together)
{
	struct batch_probe p = { .loop = loop_new() };
	struct deadlines q;
	struct timer patience;
	int64_t first_us = clock_mono_us(), span_ms;

	deadlines_init(&q, p.loop, 1536, batch_expired, &p);
	for (size_t i = 0; i < ARRAY_SIZE(p.d); i++) {
		int64_t armed_us = clock_mono_us();

		deadline_init(&p.d[i]);
		deadline_arm(&q, &p.d[i]);
		while (clock_mono_us() < armed_us + 1000)
			;
	}
	span_ms = clock_mono_us() / 1000 - first_us / 1000;
	timer_init(&patience, p.loop, out_of_patience, p.loop);
	timer_arm(&patience, 60000);
	loop_run(p.loop);
	timer_free(&patience);
	cr_expect_eq(p.expired, ARRAY_SIZE(p.d));
	cr_expect_leq(p.turns, span_ms / 6 + 2, "%u turns", p.turns);
	cr_expect_geq(p.at_ms, first_us / 1000 + 1536 + 49);
	deadlines_free(&q);
	loop_free(&p.loop);
}

Test(loop, deadlines_in_order, .timeout = 240)
{
	struct loop *l = loop_new();
	struct deadline_probe a = { .name = "a" }, b = { .name = "b" },
			      c = { .name = "c" };
	struct deadlines q;

	deadlines_init(&q, l, 20, expired, l);
	deadline_init(&a.d);
	deadline_init(&b.d);
	deadline_init(&c.d);
	deadline_arm(&q, &a.d);
	deadline_arm(&q, &b.d);
	deadline_arm(&q, &a.d);	/* moves behind b */
	deadline_arm(&q, &c.d);
	deadline_drop(&b.d);
	cr_expect_not(deadline_armed(&b.d));
	loop_run(l);
	cr_expect_str_eq(order, "ac");
	deadlines_free(&q);
	loop_free(&l);
}

static void fd_event(void *arg, int what)
{
	cr_expect_eq(what, IO_READ);
	loop_stop(arg);
}

Test(loop, io, .timeout = 240)
{
	struct loop *l = loop_new();
	struct io io;
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	io_init(&io, l, fds[0], fd_event, l);
	io_watch(&io, IO_READ);
	cr_assert_eq(write(fds[1], "x", 1), 1);
	loop_run(l);
	io_free(&io);
	close(fds[0]);
	close(fds[1]);
	loop_free(&l);
}

#define JOBS 100
static struct {
	struct loop *loop;
	pthread_t main_thread;
	int ran;		/* by atomic add */
	int done;
} work;

static void run_job(void *arg)
{
	(void)arg;
	if (!pthread_equal(pthread_self(), work.main_thread))
		__atomic_add_fetch(&work.ran, 1, __ATOMIC_RELAXED);
}

static void job_done(void *arg)
{
	(void)arg;
	cr_expect(pthread_equal(pthread_self(), work.main_thread));
	if (++work.done == JOBS)
		loop_stop(work.loop);
}

Test(jobs, run_elsewhere_done_here, .timeout = 240)
{
	struct jobs *j;

	work.loop = loop_new();
	work.main_thread = pthread_self();
	j = jobs_new(work.loop, 3);
	for (int i = 0; i < JOBS; i++)
		jobs_submit(j, run_job, job_done, NULL);
	cr_expect_eq(work.done, 0, "never before the call returned");
	loop_run(work.loop);
	cr_expect_eq(work.ran, JOBS);
	for (int i = 0; i < JOBS; i++)
		jobs_submit(j, run_job, job_done, NULL);
	jobs_free(&j);
	cr_expect_eq(work.done, 2 * JOBS, "freeing delivers what is left");
	loop_free(&work.loop);
}

Test(rate, burst_then_steady)
{
	struct rate_conf c = rate_conf(20, 3);
	int64_t full = 0;

	for (int i = 0; i < 3; i++)
		cr_expect(rate_take(&c, &full, 1000000), "of the burst");
	cr_expect_not(rate_take(&c, &full, 1000000));
	cr_expect_eq(rate_wait(&c, full, 1000000), 50000);
	cr_expect_not(rate_take(&c, &full, 1049999));
	cr_expect(rate_take(&c, &full, 1050000), "one more each 50 ms");
	cr_expect_not(rate_take(&c, &full, 1050000));
	cr_expect(rate_take(&c, &full, 9000000));
	cr_expect_eq(rate_wait(&c, full, 9000000), 0);
}

Test(rate, none)
{
	struct rate_conf c = rate_conf(0, 1);
	int64_t full = 0;

	for (int i = 0; i < 1000; i++)
		cr_expect(rate_take(&c, &full, 1));
}

Test(utf8, valid_and_not)
{
	static const struct {
		struct slice text;
		bool valid;
	} table[] = {
		{ SLICE(""), true },
		{ SLICE("plain \0 text"), true },
		{ SLICE("\xc2\x80 \xdf\xbf"), true },
		{ SLICE("\xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf"), true },
		{ SLICE("\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf"), true },
		{ SLICE("long enough \xf0\x9f\x99\x82 for more than one step"), true },
		{ SLICE("\x80"), false },
		{ SLICE("eight by\x80te"), false },
		{ SLICE("\xbf"), false },
		{ SLICE("\xc0\x80"), false },		/* too long a form */
		{ SLICE("\xc1\xbf"), false },
		{ SLICE("\xe0\x9f\xbf"), false },
		{ SLICE("\xf0\x8f\xbf\xbf"), false },
		{ SLICE("\xed\xa0\x80"), false },	/* a surrogate */
		{ SLICE("\xf4\x90\x80\x80"), false },	/* above U+10FFFF */
		{ SLICE("\xf5\x80\x80\x80"), false },
		{ SLICE("\xff"), false },
		{ SLICE("\xc2"), false },		/* cut off */
		{ SLICE("\xe2\x82"), false },
		{ SLICE("\xf0\x9f\x99"), false },
		{ SLICE("\xe2\x28\xa1"), false },
		{ SLICE("\xe2\x82\x28"), false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		cr_expect_eq(utf8_valid(table[i].text), table[i].valid, "%zu", i);
}

Test(utf8, cleaned)
{
	static const struct {
		const char *text, *clean;
	} table[] = {
		{ "", "" }, { "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "caf\xe9", "caf?" }, { "\xe9 x", "? x" },
		{ "a\xe2\x82", "a??" }, { "\xf0\x9f\x99\x82\x82", "\xf0\x9f\x99\x82?" },
	};
	char text[16];

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		snprintf(text, sizeof(text), "%s", table[i].text);
		utf8_clean(text);
		cr_expect_str_eq(text, table[i].clean);
	}
}

/* Of what is armed each counts from when it was; what that makes overdue comes
 * at once, but not from within. */
Test(loop, deadlines_of_another_length, .timeout = 240)
{
	struct loop *l = loop_new();
	struct deadline_probe a = { .name = "a" }, b = { .name = "b" },
			      c = { .name = "c" };
	int64_t begun_ms = clock_mono_ms();
	struct deadlines q;

	deadlines_init(&q, l, 60000, expired, l);
	deadline_init(&a.d);
	deadline_init(&b.d);
	deadline_init(&c.d);
	deadline_arm(&q, &a.d);
	deadlines_set_length(&q, 0);
	cr_expect_str_eq(order, "");
	cr_expect(deadline_armed(&a.d));
	deadlines_set_length(&q, 60000);
	deadline_arm(&q, &b.d);
	deadlines_set_length(&q, 50);
	deadline_arm(&q, &c.d);
	loop_run(l);
	cr_expect_str_eq(order, "abc");
	cr_expect_geq(clock_mono_ms() - begun_ms, 50);
	cr_expect_lt(clock_mono_ms() - begun_ms, 60000, "not as it was armed");
	deadlines_set_length(&q, 20);	/* of none */
	deadlines_free(&q);
	loop_free(&l);
}
