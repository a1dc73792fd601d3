#include "common/ipc/ipc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS_MAX 8	/* taken off the socket, so that none leaks */

#define IPC_NAME(name, dir, payload) [IPC_##name] = #name,
static const char *const names[IPC__COUNT] = { IPC_MESSAGES(IPC_NAME) };
#undef IPC_NAME

const char *ipc_name(enum ipc_type type)
{
	return type > IPC__NONE && type < IPC__COUNT ? names[type] : "?";
}

static int peer_error(int err)
{
	if (err == ECONNRESET || err == EPIPE)
		return -EPIPE;
	return err == EWOULDBLOCK ? -EAGAIN : -err;
}

int ipc_send(int sock, enum ipc_type type, const void *fixed, size_t fixed_n,
	     struct slice tail, int fd)
{
	struct ipc_head head = { .type = (uint16_t)type,
				 .length = (uint32_t)(fixed_n + tail.n) };
	struct iovec iov[3] = {
		{ &head, sizeof(head) },
		{ (void *)(uintptr_t)fixed, fixed_n },
		{ (void *)(uintptr_t)tail.p, tail.n },
	};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov) };
	ssize_t n;

	if (fixed_n + tail.n > IPC_TEXT_MAX)
		return -EMSGSIZE;
	if (fd != -1) {
		struct cmsghdr *c;

		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	do
		n = sendmsg(sock, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	return n == -1 ? peer_error(errno) : 0;
}

static size_t take_fds(struct msghdr *m, int fds[FDS_MAX])
{
	size_t got = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL;
	     c = CMSG_NXTHDR(m, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n && got < FDS_MAX; i++)
			memcpy(&fds[got++], CMSG_DATA(c) + i * sizeof(int),
			       sizeof(int));
	}
	return got;
}

/* Nothing read: end of file, but on a datagram socket an empty datagram. */
static int nothing(int sock)
{
	int type = 0;
	socklen_t n = sizeof(type);

	if (getsockopt(sock, SOL_SOCKET, SO_TYPE, &type, &n) == 0 &&
	    type == SOCK_DGRAM)
		return -EBADMSG;
	return -EPIPE;
}

/* 1: a message; 0: of a type we do not know, skipped; or -errno. */
static int recv_one(int sock, char *buf, size_t cap, struct ipc_message *out)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = { buf, cap };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes) };
	struct ipc_head head;
	int fds[FDS_MAX];
	size_t nfds;
	ssize_t n;
	int rc = -EBADMSG;

	do
		n = recvmsg(sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return peer_error(errno);
	nfds = take_fds(&m, fds);
	if (n == 0)
		rc = nothing(sock);
	if ((size_t)n < sizeof(head) || (m.msg_flags & MSG_TRUNC) || nfds > 1)
		goto drop;
	memcpy(&head, buf, sizeof(head));
	if (head.length != (size_t)n - sizeof(head))
		goto drop;
	if (head.type == IPC__NONE || head.type >= IPC__COUNT) {
		rc = 0;
		goto drop;
	}
	*out = (struct ipc_message){
		.type = (enum ipc_type)head.type,
		.payload = { buf + sizeof(head), head.length },
		.fd = nfds == 1 ? fds[0] : -1,
	};
	return 1;
drop:
	for (size_t i = 0; i < nfds; i++)
		close(fds[i]);
	return rc;
}

int ipc_recv(int sock, char *buf, size_t cap, struct ipc_message *out)
{
	int rc;

	do
		rc = recv_one(sock, buf, cap, out);
	while (rc == 0);
	return rc == -EAGAIN ? 0 : rc;
}

int ipc_payload(const struct ipc_message *m, void *out, size_t n,
		struct slice *tail_out)
{
	if (m->payload.n < n)
		return -EBADMSG;
	memcpy(out, m->payload.p, n);
	*tail_out = (struct slice){ m->payload.p + n, m->payload.n - n };
	return 0;
}

void handover_path(const char *run_dir, uint32_t instance, char *out, size_t n)
{
	snprintf(out, n, "%s/handover.%u", run_dir, (unsigned)instance);
}
