/* Who is told of whom, and at what pace; directory, presence, router faked. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/ipc/stats.h"
#include "worker/chat/announce.h"
#include "worker/directory.h"

#define ASKS_MAX 200

static struct {
	struct {
		directory_peers_cb *cb;
		void *arg;
		char user[16];
	} asks[ASKS_MAX];	/* peers, not answered */
	int nasks;
	presence_online_cb *online;	/* not answered; NULL: not asked */
	void *online_arg;
	size_t nonline;
	int local, routed, calls;
	size_t most;		/* users of a call */
	char frame[200];	/* the last one */
} saw;

static struct chat c;

void directory_peers(struct directory *d, const char *user_id,
		     directory_peers_cb *cb, void *arg)
{
	(void)d;
	saw.asks[saw.nasks].cb = cb;
	saw.asks[saw.nasks].arg = arg;
	strcpy(saw.asks[saw.nasks++].user, user_id);
}

void presence_online(struct presence *p, const char *const *user_ids, size_t n,
		     presence_online_cb *cb, void *arg)
{
	(void)p;
	(void)user_ids;
	cr_assert_null(saw.online);
	saw.online = cb;
	saw.online_arg = arg;
	saw.nonline = n;
}

unsigned chat_local(struct chat *ch, const char *user_id, struct slice frame,
		    const struct device *except)
{
	(void)ch;
	(void)user_id;
	(void)except;
	snprintf(saw.frame, sizeof(saw.frame), "%.*s", (int)frame.n, frame.p);
	saw.local++;
	return 0;
}

void router_send_many(struct router *r, const char *const *users, size_t n,
		      struct slice event)
{
	(void)r;
	(void)event;
	for (size_t i = 0; i < n; i++)
		cr_assert_neq(users[i][0], '\0');
	saw.routed += (int)n;
	saw.calls++;
	if (n > saw.most)
		saw.most = n;
}

static void setup(void)
{
	c.loop = loop_new();
	announce_init(&c);
}

static void teardown(void)
{
	announce_free(&c);
	buf_free(&c.scratch);
	loop_free(&c.loop);
}

TestSuite(announce, .init = setup, .fini = teardown, .timeout = 240);

static void stop(void *loop)
{
	loop_stop(loop);
}

static void run_ms(int64_t ms)
{
	struct timer t;

	timer_init(&t, c.loop, stop, c.loop);
	timer_arm(&t, ms);
	loop_run(c.loop);
	timer_free(&t);
}

#define WAIT_FOR(cond)                                                         \
	do {                                                                   \
		int64_t until = clock_mono_ms() + 60000;                       \
		while (!(cond)) {                                              \
			cr_assert_lt(clock_mono_ms(), until, #cond);           \
			run_ms(1);                                             \
		}                                                              \
	} while (0)

/* Each of the round has n matches. */
static void answer_peers(int err, size_t n)
{
	const char **ids = calloc(n + 1, sizeof(*ids));
	int asks = saw.nasks;

	for (size_t i = 0; i < n; i++)
		ids[i] = "a-match";
	saw.nasks = 0;
	for (int i = 0; i < asks; i++)
		saw.asks[i].cb(saw.asks[i].arg, err, err == 0 ? ids : NULL,
			       err == 0 ? n : 0);
	free(ids);
}

static void answer_online(int err, bool online)
{
	presence_online_cb *cb = saw.online;
	bool all[ASKS_MAX];

	cr_assert_not_null(cb);
	memset(all, online, sizeof(all));
	saw.online = NULL;
	cb(saw.online_arg, err, err == 0 ? all : NULL, err == 0 ? saw.nonline : 0);
}

static void round_of(int users, size_t peers, bool online)
{
	WAIT_FOR(saw.nasks > 0);
	cr_assert_eq(saw.nasks, users, "%d", saw.nasks);
	answer_peers(0, peers);
	answer_online(0, online);
}

Test(announce, told_as_it_is)
{
	announce(&c, "ann", true);
	round_of(1, 3, true);
	WAIT_FOR(stats_get(STAT_announced) == 1);
	cr_expect_eq(saw.local, 3);
	cr_expect_eq(saw.routed, 3);
	cr_expect_eq(saw.calls, 1);
	cr_expect_not_null(strstr(saw.frame, "42[\"user:status\",{\"userId\":\"ann\",\"online\":true,\"timestamp\":"),
			   "%s", saw.frame);
}

Test(announce, not_what_is_no_longer_so)
{
	announce(&c, "ann", false);
	round_of(1, 3, true);	/* back on another worker, which tells it */
	run_ms(50);
	cr_expect_eq(saw.calls, 0);
	cr_expect_eq(stats_get(STAT_announced), 0);
}

Test(announce, once_who_comes_and_goes_meanwhile)
{
	announce(&c, "first", true);
	WAIT_FOR(saw.nasks == 1);	/* a round is under way */
	announce(&c, "ann", true);
	announce(&c, "ann", false);
	announce(&c, "ann", true);
	announce(&c, "ann", false);
	round_of(1, 0, true);
	round_of(1, 1, false);
	WAIT_FOR(stats_get(STAT_announced) == 2);
	cr_expect_eq(saw.calls, 1);
	cr_expect_not_null(strstr(saw.frame, "\"online\":false"));
}

Test(announce, of_thousands_of_matches_some_each_turn)
{
	announce(&c, "ann", true);
	round_of(1, 3000, true);
	cr_expect_leq(saw.routed, 300, "%d", saw.routed);
	WAIT_FOR(stats_get(STAT_announced) == 1);
	cr_expect_eq(saw.routed, 3000);
	cr_expect_eq(saw.local, 3000);
	cr_expect_leq(saw.most, 250);
	cr_expect_leq(saw.calls, 12, "%d", saw.calls);
}

Test(announce, a_crowd_at_a_steady_pace)
{
	int64_t start = clock_mono_ms();
	int rounds = 0, told = 0;
	char user[16];

	for (int i = 0; i < 640; i++) {
		snprintf(user, sizeof(user), "u%d", i);
		announce(&c, user, true);
	}
	while (told < 640) {
		WAIT_FOR(saw.nasks > 0);
		cr_assert_leq(saw.nasks, 64);
		told += saw.nasks;
		rounds++;
		answer_peers(0, 2);
		run_ms(0);
		cr_assert_eq(saw.nasks, 0);	/* one round at a time */
		answer_online(0, true);
	}
	cr_expect_eq(rounds, 10);
	cr_expect_geq(clock_mono_ms() - start, 9 * 20);
	WAIT_FOR(stats_get(STAT_announced) == 640);
	cr_expect_eq(saw.routed, 1280);
}

Test(announce, waits_for_what_is_down)
{
	int64_t failed_ms;

	announce(&c, "ann", true);
	WAIT_FOR(saw.nasks == 1);
	answer_peers(-EAGAIN, 0);
	answer_online(0, true);
	failed_ms = clock_mono_ms();
	announce(&c, "ann", false);	/* newer, and still one */
	run_ms(200);
	cr_expect(saw.nasks == 0 || clock_mono_ms() - failed_ms >= 1000);
	WAIT_FOR(saw.nasks == 1);
	answer_peers(0, 2);
	answer_online(-ENOTCONN, false);
	round_of(1, 2, false);
	WAIT_FOR(stats_get(STAT_announced) == 1);
	cr_expect_eq(saw.routed, 2);
	cr_expect_not_null(strstr(saw.frame, "\"online\":false"));
}

Test(announce, waits_for_others_to_be_registered_again)
{
	int64_t start = clock_mono_ms();

	announce(&c, "ann", false);
	announce_hold(&c, 200);
	announce(&c, "bob", true);
	WAIT_FOR(saw.nasks == 2);
	cr_expect_geq(clock_mono_ms() - start, 200);
	answer_peers(0, 1);
	answer_online(0, true);
}

Test(announce, freed_with_all_of_it_under_way)
{
	announce(&c, "ann", true);
	WAIT_FOR(saw.nasks == 1);
	announce(&c, "bob", true);
	c.down = true;
	answer_peers(-ECANCELED, 0);
	cr_expect_null(saw.online);
	c.down = false;
	announce(&c, "cy", true);
	WAIT_FOR(saw.nasks > 0);
	answer_peers(0, 3000);
	answer_online(0, true);
	c.down = true;
}
