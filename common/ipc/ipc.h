/* One message over an IPC socket (SOCK_SEQPACKET or SOCK_DGRAM), whole or not
 * at all. */
#ifndef PW_IPC_H
#define PW_IPC_H

#include "common/base/base.h"
#include "common/ipc/ipc_messages.h"

/* fixed: the message's struct; tail: bytes behind it (may be empty); fd: sent
 * along, or -1; it stays the caller's. Never blocks: -EAGAIN when the peer's
 * buffer is full. -EPIPE: the peer is gone; -EMSGSIZE: more than IPC_TEXT_MAX.
 * 0 or -errno. */
int ipc_send(int sock, enum ipc_type type, const void *fixed, size_t fixed_n,
	     struct slice tail, int fd) MUST_CHECK;

struct ipc_message {
	enum ipc_type type;
	struct slice payload;	/* struct, then the tail */
	int fd;			/* the receiver's to close (close-on-exec); -1: none
				 * came, or this process is at its descriptor limit
				 * and the system dropped it */
};
/* Next message into the caller's buffer (IPC_TEXT_MAX + 256 bytes). 1: got one;
 * 0: nothing there now; -EPIPE: the peer is gone; -EBADMSG: malformed (a bug of
 * our own process). Unknown types are skipped. */
int ipc_recv(int sock, char *buf, size_t cap, struct ipc_message *out) MUST_CHECK;
/* Copies the fixed part into out when the payload holds at least n bytes, and
 * gives the tail. 0 or -EBADMSG. */
int ipc_payload(const struct ipc_message *m, void *out, size_t n,
		struct slice *tail_out) MUST_CHECK;

/* "READY" for IPC_READY; "?" for a number that is no message. */
const char *ipc_name(enum ipc_type type);

/* Path of an instance's hand-over socket below run_dir. */
void handover_path(const char *run_dir, uint32_t instance, char *out, size_t n);

#endif
