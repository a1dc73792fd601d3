/* The process contract: what an exec'd worker inherits, and everything one
 * process of a host says to another. HELLO, DRAIN, STOP and HANDOVER stay as
 * they are for ever; an unknown message is ignored (old and new binaries live
 * side by side during an upgrade). */
#ifndef PW_IPC_MESSAGES_H
#define PW_IPC_MESSAGES_H

#include <stdint.h>

/* File descriptors of a worker. */
enum {
	WORKER_FD_LISTEN = 3,	/* its slot's listening socket */
	WORKER_FD_IPC = 4,	/* SOCK_SEQPACKET to the master; EOF: master gone */
	WORKER_FD_STATS = 5,	/* memfd: statistics page */
	WORKER_FD_CONF = 6,	/* memfd: effective configuration (conf_read_fd) */
	WORKER_FD_HANDOVER = 7,	/* SOCK_DGRAM, bound to handover_path() */
};

#define IPC_VERSION 1
#define IPC_TEXT_MAX 60000	/* largest payload of one message */

/* X(name, direction, payload). Payloads are little-endian structs below or
 * text. Message: one datagram, struct ipc_head then payload, descriptors by
 * SCM_RIGHTS. */
#define IPC_MESSAGES(X)                                                     \
	X(HELLO, FROM_MASTER, struct ipc_hello)   /* first, before all else */ \
	X(DRAIN, FROM_MASTER, struct ipc_drain)   /* accept no more */         \
	X(STOP, FROM_MASTER, struct ipc_stop)     /* close all and exit */     \
	X(HANDOVER, FROM_WORKER, struct ipc_handover) /* + fd, + bytes read */ \
	X(READY, FROM_WORKER, struct ipc_ready)   /* accepting clients */      \
	X(WORKER_DIED, FROM_MASTER, struct ipc_worker_died)                   \
	X(LEND, FROM_MASTER, struct ipc_lend)     /* + a neighbour's listener; \
						   * repeated: may get lost */ \
	X(UNLEND, FROM_MASTER, struct ipc_lend)   /* stop accepting on it */   \
	X(QUERY, FROM_MASTER, struct ipc_query)   /* + JSON text */            \
	X(ANSWER, FROM_WORKER, struct ipc_query)  /* + JSON text */            \
	X(RELOAD, FROM_MASTER, struct ipc_reload) /* + the new configuration, \
						   * as WORKER_FD_CONF */      \
	X(LOG, FROM_MASTER, struct ipc_log)       /* + area's name, or "" */

#define IPC_ID(name, dir, payload) IPC_##name,
enum ipc_type { IPC__NONE, IPC_MESSAGES(IPC_ID) IPC__COUNT };
#undef IPC_ID

struct ipc_head {
	uint16_t type;
	uint16_t flags;		/* 0 */
	uint32_t length;	/* of the payload */
};

struct ipc_hello {
	uint32_t version;	/* IPC_VERSION */
	uint32_t instance;	/* 1..INSTANCE_MAX; this worker's identity */
	uint32_t slot;
	uint32_t reserved;
	char host[65];		/* node name */
	char boot[17];		/* of this master's start, hex */
};
/* Clients may stay for grace_ms; the rest is closed over the drain_spread of its
 * configuration. It exits by itself, with status 0, when none is left. */
struct ipc_drain { uint32_t grace_ms; };
struct ipc_stop { uint32_t deadline_ms; };
struct ipc_handover {
	uint32_t from_instance;	/* that accepted it */
	uint8_t peer[16];	/* the client's address, IPv6 or mapped IPv4; 0: not known */
};
struct ipc_ready { uint32_t instance; uint32_t version; };
struct ipc_worker_died { uint32_t instance; };
struct ipc_lend { uint32_t slot; };
struct ipc_query { uint32_t id; };
struct ipc_reload { uint32_t reserved; };
struct ipc_log { int32_t level; };	/* enum log_level; -1: as configured */

#endif
