#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/ipc/ipc.h"

static char buf[IPC_TEXT_MAX + 256];

static void pair(int type, int s[2])
{
	cr_assert_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, s), 0);
}

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		if (fcntl(fd, F_GETFD) != -1)
			n++;
	return n;
}

Test(ipc, message_with_tail_and_descriptor)
{
	struct ipc_query q = { .id = 7 }, got = { 0 };
	struct ipc_message m;
	struct slice tail;
	int s[2], p[2], before;
	char c;

	pair(SOCK_SEQPACKET, s);
	cr_assert_eq(ipc_recv(s[1], buf, sizeof(buf), &m), 0);
	cr_assert_eq(pipe(p), 0);
	before = count_fds();
	cr_assert_eq(ipc_send(s[0], IPC_QUERY, &q, sizeof(q), SLICE("{}"), p[1]), 0);
	cr_assert_eq(ipc_recv(s[1], buf, sizeof(buf), &m), 1);
	cr_assert_eq(m.type, IPC_QUERY);
	cr_assert_str_eq(ipc_name(m.type), "QUERY");
	cr_assert_eq(ipc_payload(&m, &got, sizeof(got), &tail), 0);
	cr_assert_eq(got.id, 7);
	cr_assert_eq(tail.n, 2);
	cr_assert_eq(memcmp(tail.p, "{}", 2), 0);
	cr_assert_neq(m.fd, -1);
	cr_assert(fcntl(m.fd, F_GETFD) & FD_CLOEXEC);
	cr_assert_eq(write(m.fd, "x", 1), 1);
	cr_assert_eq(read(p[0], &c, 1), 1);
	close(m.fd);
	cr_assert_eq(count_fds(), before);
	cr_assert_eq(ipc_recv(s[1], buf, sizeof(buf), &m), 0);
}

Test(ipc, largest_and_too_large)
{
	char *text = mem_zalloc(IPC_TEXT_MAX + 1);
	struct ipc_message m;
	int s[2];

	pair(SOCK_SEQPACKET, s);
	cr_assert_eq(ipc_send(s[0], IPC_ANSWER, NULL, 0,
			      (struct slice){ text, IPC_TEXT_MAX + 1 }, -1),
		     -EMSGSIZE);
	cr_assert_eq(ipc_send(s[0], IPC_ANSWER, NULL, 0,
			      (struct slice){ text, IPC_TEXT_MAX }, -1), 0);
	cr_assert_eq(ipc_recv(s[1], buf, sizeof(buf), &m), 1);
	cr_assert_eq(m.payload.n, IPC_TEXT_MAX);
	free(text);
}

Test(ipc, unknown_types_are_skipped_with_their_descriptors)
{
	struct ipc_head head = { .type = IPC__COUNT + 5 };
	struct ipc_ready r = { .instance = 3 };
	struct ipc_message m;
	int s[2], before;

	pair(SOCK_SEQPACKET, s);
	before = count_fds();
	cr_assert_eq(ipc_send(s[0], (enum ipc_type)(IPC__COUNT + 1), NULL, 0,
			      SLICE("new"), 0), 0);
	cr_assert_eq(send(s[0], &head, sizeof(head), 0), sizeof(head));
	cr_assert_eq(ipc_send(s[0], IPC_READY, &r, sizeof(r), SLICE(""), -1), 0);
	cr_assert_eq(ipc_recv(s[1], buf, sizeof(buf), &m), 1);
	cr_assert_eq(m.type, IPC_READY);
	cr_assert_eq(count_fds(), before);
	cr_assert_str_eq(ipc_name((enum ipc_type)99), "?");
}

Test(ipc, malformed)
{
	struct ipc_head lying = { .type = IPC_READY, .length = 9 };
	struct ipc_hello hello;
	struct ipc_message m;
	struct slice tail;
	int s[2], d[2];

	pair(SOCK_SEQPACKET, s);
	for (size_t n = 1; n <= sizeof(lying); n++) {
		cr_assert_eq(send(s[0], &lying, n, 0), (ssize_t)n);
		cr_expect_eq(ipc_recv(s[1], buf, sizeof(buf), &m), -EBADMSG);
	}
	cr_assert_eq(ipc_send(s[0], IPC_HELLO, NULL, 0, SLICE("short"), -1), 0);
	cr_assert_eq(ipc_recv(s[1], buf, sizeof(buf), &m), 1);
	cr_assert_eq(ipc_payload(&m, &hello, sizeof(hello), &tail), -EBADMSG);
	/* cut by a small buffer */
	cr_assert_eq(ipc_send(s[0], IPC_READY, NULL, 0, SLICE("12345678"), -1), 0);
	cr_assert_eq(ipc_recv(s[1], buf, 12, &m), -EBADMSG);

	pair(SOCK_DGRAM, d);
	cr_assert_eq(send(d[0], "", 0, 0), 0);
	cr_assert_eq(ipc_recv(d[1], buf, sizeof(buf), &m), -EBADMSG);
}

Test(ipc, gone_and_full)
{
	struct ipc_message m;
	int s[2], rc = 0, sent = 0;

	pair(SOCK_SEQPACKET, s);
	while (rc == 0 && sent < 100000) {
		rc = ipc_send(s[0], IPC_STOP, NULL, 0, SLICE("1234"), -1);
		sent++;
	}
	cr_assert_eq(rc, -EAGAIN);
	/* What was sent before the end is still read, then the end. */
	close(s[0]);
	while ((rc = ipc_recv(s[1], buf, sizeof(buf), &m)) == 1)
		sent--;
	cr_assert_eq(rc, -EPIPE);
	cr_assert_eq(sent, 1);
	cr_assert_eq(ipc_send(s[1], IPC_STOP, NULL, 0, SLICE("1234"), -1), -EPIPE);
}

/* A process at its limit loses the descriptor, not the message. */
Test(ipc, descriptor_limit)
{
	struct rlimit none = { 0, 0 };
	struct ipc_message m;
	int s[2];

	pair(SOCK_DGRAM, s);
	cr_assert_eq(ipc_send(s[0], IPC_HANDOVER, NULL, 0, SLICE("1234"), 0), 0);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &none), 0);
	none.rlim_cur = 0;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	cr_expect_eq(ipc_recv(s[1], buf, sizeof(buf), &m), 1);
	cr_expect_eq(m.fd, -1);
	none.rlim_cur = none.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
}

Test(ipc, handover_path_fits_an_address)
{
	char run_dir[81], path[200];

	memset(run_dir, 'd', 80);
	run_dir[80] = '\0';
	handover_path(run_dir, 0xffffff, path, sizeof(path));
	cr_assert_lt(strlen(path), 108);
	handover_path("/r", 12, path, sizeof(path));
	cr_assert_str_eq(path, "/r/handover.12");
}
