/* Real sockets in a temporary directory, two or more "workers" on one loop. */
#define _GNU_SOURCE	/* mkdtemp, pipe2 */
#include "tests/unit/handover_ends.h"

#include <sys/resource.h>

#include "common/base/clock.h"
#include "common/ipc/stats.h"

static void up(void)
{
	cr_assert_not_null(mkdtemp(dir));
	loop = loop_new();
}

static void down(void)
{
	loop_free(&loop);
	cr_assert_eq(rmdir(dir), 0);
}
TestSuite(handover, .init = up, .fini = down);

Test(handover, bytes_address_and_descriptor_arrive)
{
	static const size_t sizes[] = { 0, 1, 4, 300, 4096, 16384,
					HANDOVER_READ_MAX };
	struct end a, b;
	size_t fds;

	start(&a, 1);
	start(&b, 2);
	fds = open_fds();
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		give(&a, 2, (unsigned)i, sizes[i]);
		cr_assert(wait_events(&b, i + 1));
		cr_assert(b.events[i].adopted);
		cr_assert_eq(b.events[i].n, sizes[i]);
		cr_assert_eq(b.events[i].sum, sum_of((unsigned)i, sizes[i]));
		cr_assert(net_addr_equal(&b.events[i].from.peer, &client.peer));
		cr_assert_eq(b.events[i].from.home, 5);
	}
	cr_assert_eq(open_fds(), fds + 1);	/* the socket to the owner */
	cr_assert_eq(a.n, 0);
	cr_assert_eq(stats_get(STAT_handed_over), (int64_t)ARRAY_SIZE(sizes));
	cr_assert_eq(stats_get(STAT_handed_in), (int64_t)ARRAY_SIZE(sizes));
	stop(&a);
	stop(&b);
	free(b.events);
}

/* What an owner that is not on the loop reads. */
static void read_one(int sock)
{
	static char buf[IPC_TEXT_MAX + 256];
	struct ipc_message m;

	cr_assert_eq(ipc_recv(sock, buf, sizeof(buf), &m), 1);
	close(m.fd);
}

/* Far more than the queue holds, to an owner that reads later: all of them,
 * in order, to each of two owners. */
Test(handover, full_queues)
{
	enum { MANY = 400 };
	struct end a, b, c;
	int late = bound(3);
	size_t fds;

	start(&a, 1);
	start(&b, 2);
	fds = open_fds();
	for (unsigned i = 0; i < MANY; i++) {
		give(&a, 2, i, 100 + i);
		give(&a, 3, i, 100 + i);
	}
	cr_assert_gt(open_fds(), fds + MANY);	/* they wait */
	read_one(late);
	give(&a, 3, MANY, 100 + MANY);		/* there is room: behind them */
	cr_assert(wait_events(&b, MANY));
	cr_assert_eq(a.n, 0);
	start_on(&c, 3, late);
	cr_assert(wait_events(&c, MANY));
	for (unsigned i = 0; i < MANY; i++) {
		cr_assert_eq(b.events[i].number, i);
		cr_assert_eq(c.events[i].number, i + 1);
		cr_assert_eq(c.events[i].sum, sum_of(i + 1, 101 + i));
	}
	cr_assert_eq(a.n, 0);
	cr_assert_eq(open_fds(), fds + 2);
	stop(&a);
	stop(&b);
	stop(&c);
	free(b.events);
	free(c.events);
}

Test(handover, owner_that_never_was)
{
	struct end a;
	size_t fds;

	start(&a, 1);
	fds = open_fds();
	for (unsigned i = 0; i < 100; i++) {
		give(&a, 1000 + i, i, 50);
		cr_assert_eq(a.n, i + 1);
		cr_assert(!a.events[i].adopted && a.events[i].gone);
		cr_assert_eq(a.events[i].sum, sum_of(i, 50));
		cr_assert(net_addr_equal(&a.events[i].from.peer, &client.peer));
	}
	cr_assert_eq(open_fds(), fds);
	cr_assert_eq(stats_get(STAT_handover_failed), 100);
	stop(&a);
	free(a.events);
}

/* Its path is still there, nobody listens. */
Test(handover, owner_whose_path_outlived_it)
{
	struct end a;
	char path[128];

	start(&a, 1);
	close(bound(2));
	give(&a, 2, 0, 50);
	cr_assert_eq(a.n, 1);
	cr_assert(a.events[0].gone);
	handover_path(dir, 2, path, sizeof(path));
	unlink(path);
	stop(&a);
	free(a.events);
}

Test(handover, owner_dies_while_connections_wait)
{
	enum { MANY = 100 };
	struct end a;
	int owner = bound(2);
	size_t fds, waited;
	char path[128];

	start(&a, 1);
	fds = open_fds();
	for (unsigned i = 0; i < MANY; i++)
		give(&a, 2, i, 50);
	waited = MANY - (size_t)stats_get(STAT_handed_over);
	cr_assert_gt(waited, MANY / 2);
	cr_assert_eq(a.n, 0);
	close(owner);
	cr_assert(wait_events(&a, waited));
	for (size_t i = 0; i < waited; i++) {
		cr_assert(a.events[i].gone);
		cr_assert_eq(a.events[i].number, MANY - waited + i);
	}
	/* its queue died with it, the socket to it is dropped */
	cr_assert_eq(open_fds(), fds - 1);
	give(&a, 2, 0, 50);
	cr_assert_eq(a.n, waited + 1);
	cr_assert(a.events[waited].gone);
	handover_path(dir, 2, path, sizeof(path));
	unlink(path);
	stop(&a);
	free(a.events);
}

/* What was sent arrives; what is sent afterwards is its sender's again, as by an
 * owner that is gone. */
Test(handover, owner_that_shuts)
{
	struct end a, b, c;
	size_t sent, waited;

	start(&a, 1);
	start(&b, 2);
	start(&c, 3);
	for (unsigned i = 0; i < 100; i++)
		give(&a, 2, i, 50);
	sent = (size_t)stats_get(STAT_handed_over);
	waited = 100 - sent;
	cr_assert(handover_waiting(a.h));
	handover_shut(b.h);
	cr_assert_eq(b.n, sent);
	cr_assert(wait_events(&a, waited));
	cr_assert_not(handover_waiting(a.h));
	give(&a, 2, 100, 50);	/* finds it anew */
	give(&c, 2, 100, 50);	/* for the first time */
	cr_assert(wait_events(&a, waited + 1));
	cr_assert(wait_events(&c, 1));
	for (size_t i = 0; i < a.n; i++)
		cr_assert(a.events[i].gone);
	cr_assert(c.events[0].gone);
	run_for(loop, 50);
	cr_assert_eq(b.n, sent);
	stop(&a);
	stop(&b);
	stop(&c);
	free(a.events);
	free(b.events);
	free(c.events);
}

/* The other end of a cached socket is gone when the next one is sent. */
Test(handover, owner_dies_between_two)
{
	struct end a, b;
	size_t fds;

	start(&a, 1);
	fds = open_fds();
	start(&b, 2);
	give(&a, 2, 0, 50);
	cr_assert(wait_events(&b, 1));
	stop(&b);
	give(&a, 2, 1, 50);
	cr_assert_eq(a.n, 1);
	cr_assert(a.events[0].gone);
	cr_assert_eq(open_fds(), fds);
	stop(&a);
	free(a.events);
	free(b.events);
}

/* failed() sends on, to the same dead one and to a live one. */
Test(handover, sending_from_within_failed)
{
	struct end a, b;
	int owner = bound(2);
	size_t waited, fds;

	start(&a, 1);
	start(&b, 3);
	a.resend = &b;
	fds = open_fds();
	for (unsigned i = 0; i < 60; i++)
		give(&a, 2, i, 50);
	waited = 60 - (size_t)stats_get(STAT_handed_over);
	close(owner);
	cr_assert(wait_events(&b, waited));
	cr_assert_eq(a.n, waited);
	for (size_t i = 0; i < waited; i++)
		cr_assert_eq(b.events[i].number, 60 - waited + i);
	cr_assert_eq(open_fds(), fds - 1 + 1);
	b.instance = 2;		/* unlinks its path too */
	stop(&b);
	b.instance = 3;
	stop(&b);
	stop(&a);
	free(a.events);
	free(b.events);
}

/* An owner that stands still: that long, then not gone. */
Test(handover, owner_that_does_not_read)
{
	enum { MANY = 40 };
	struct end a;
	int owner = bound(2);
	size_t waited;
	char path[128];
	int64_t begun = clock_mono_ms();

	wait_ms = 300;
	start(&a, 1);
	for (unsigned i = 0; i < MANY; i++)
		give(&a, 2, i, 50);
	waited = MANY - (size_t)stats_get(STAT_handed_over);
	cr_assert(wait_events(&a, waited));
	cr_assert_geq(clock_mono_ms() - begun, wait_ms - 10);
	for (size_t i = 0; i < waited; i++)
		cr_assert(!a.events[i].adopted && !a.events[i].gone);
	close(owner);
	handover_path(dir, 2, path, sizeof(path));
	unlink(path);
	stop(&a);
	free(a.events);
}

Test(handover, waiting_is_bounded)
{
	struct end a;
	int owner = bound(2);
	size_t fds;
	char path[128];

	start(&a, 1);
	fds = open_fds();
	for (unsigned i = 0; i < 300; i++)
		give(&a, 2, i, HANDOVER_READ_MAX);
	cr_assert_gt(a.n, 100);		/* 6 MiB are 130 of them */
	for (size_t i = 0; i < a.n; i++)
		cr_assert(!a.events[i].gone);
	/* and those that wait are closed with it */
	stop(&a);
	close(owner);
	cr_assert_eq(open_fds(), fds - 2);
	handover_path(dir, 2, path, sizeof(path));
	unlink(path);
	free(a.events);
}

/* An owner that hangs has all that it may have; another's queue is just full. */
Test(handover, who_hangs_takes_no_others_room)
{
	struct end a;
	int hangs = bound(2), full = bound(3);
	char path[128];
	size_t refused;

	start(&a, 1);
	for (unsigned i = 0; i < 300; i++)
		give(&a, 2, i, HANDOVER_READ_MAX);
	refused = a.n;
	cr_assert_gt(refused, 0);
	for (unsigned i = 0; i < 300; i++)
		give(&a, 3, i, 50);
	cr_expect_eq(a.n, refused);
	/* what is given up is counted for nobody any more */
	close(hangs);
	cr_assert(wait_events(&a, refused + 1));
	handover_path(dir, 2, path, sizeof(path));
	unlink(path);
	handover_path(dir, 3, path, sizeof(path));
	unlink(path);
	close(full);
	stop(&a);
	free(a.events);
}

Test(handover, waiting_descriptors_are_bounded)
{
	enum { MANY = 2400 };
	struct rlimit r;
	struct end a;
	int owner = bound(2);
	char path[128];

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &r), 0);
	r.rlim_cur = r.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &r), 0);
	start(&a, 1);
	for (unsigned i = 0; i < MANY; i++)
		give(&a, 2, i, 50);
	cr_assert_geq(a.n, MANY - 2048 - (size_t)stats_get(STAT_handed_over));
	for (size_t i = 0; i < a.n; i++)
		cr_assert(!a.events[i].adopted && !a.events[i].gone);
	stop(&a);
	close(owner);
	handover_path(dir, 2, path, sizeof(path));
	unlink(path);
	free(a.events);
}

Test(handover, many_owners)
{
	enum { OWNERS = 100 };
	static struct end ends[OWNERS];
	struct end a;
	size_t fds;

	start(&a, 1);
	for (unsigned i = 0; i < OWNERS; i++)
		start(&ends[i], 2 + i);
	fds = open_fds();
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < OWNERS; i++)
			give(&a, 2 + i, round, 50);
	for (unsigned i = 0; i < OWNERS; i++)
		cr_assert(wait_events(&ends[i], 2));
	cr_assert_leq(open_fds(), fds + 65);
	stop(&a);
	for (unsigned i = 0; i < OWNERS; i++) {
		stop(&ends[i]);
		free(ends[i].events);
	}
}

Test(handover, no_descriptors_left)
{
	struct end a, b;
	struct rlimit limit, tight;
	int fd;

	start(&a, 1);
	start(&b, 2);
	give(&a, 2, 0, 50);
	cr_assert(wait_events(&b, 1));
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	tight = limit;

	/* the sender, which has no socket to this one yet */
	fd = connection();
	tight.rlim_cur = 3;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
	handover_send(a.h, 9, fd, &client, SLICE("GET "));
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_assert_eq(a.n, 1);
	cr_assert(!a.events[0].gone);

	/* the receiver: what the system dropped is counted */
	stats_set(STAT_handover_failed, 0);
	give(&a, 2, 1, 50);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
	run_turn(loop);
	run_turn(loop);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_assert_eq(stats_get(STAT_handover_failed), 1);
	cr_assert_eq(b.n, 1);
	give(&a, 2, 2, 50);
	cr_assert(wait_events(&b, 2));
	stop(&a);
	stop(&b);
	free(a.events);
	free(b.events);
}

/* A stranger's datagrams: skipped, their descriptors closed. */
Test(handover, what_is_no_connection)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct end a, b;
	int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int fd = connection();
	size_t fds;

	start(&a, 1);
	start(&b, 2);
	give(&a, 2, 0, 50);
	cr_assert(wait_events(&b, 1));
	fds = open_fds();
	handover_path(dir, 2, sa.sun_path, sizeof(sa.sun_path));
	cr_assert_eq(connect(sock, (struct sockaddr *)&sa, sizeof(sa)), 0);
	cr_assert_eq(send(sock, "", 0, 0), 0);
	cr_assert_eq(send(sock, "garbage", 7, 0), 7);
	cr_assert_eq(ipc_send(sock, IPC_HANDOVER, "short", 5,
			      (struct slice){ 0 }, fd), 0);
	cr_assert_eq(ipc_send(sock, IPC_DRAIN, "1234", 4, (struct slice){ 0 },
			      fd), 0);
	for (unsigned i = 1; i < 4; i++)
		give(&a, 2, i, 50);
	cr_assert(wait_events(&b, 4));
	cr_assert_eq(open_fds(), fds);
	close(sock);
	close(fd);
	stop(&a);
	stop(&b);
	free(b.events);
}
