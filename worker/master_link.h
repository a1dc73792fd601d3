/* The worker's end of the channel to the master. */
#ifndef PW_MASTER_LINK_H
#define PW_MASTER_LINK_H

#include "common/base/base.h"
#include "common/ipc/ipc_messages.h"

struct loop;
struct master_link;

struct master_link_ops {
	void (*drain)(void *arg, uint32_t grace_ms);
	void (*stop)(void *arg, uint32_t deadline_ms);
	void (*worker_died)(void *arg, uint32_t instance);
	/* The fd becomes the callee's. Comes again and again while lent. */
	void (*lend)(void *arg, uint32_t slot, int fd);
	void (*unlend)(void *arg, uint32_t slot);
	/* Answer by master_link_answer(id, …). */
	void (*query)(void *arg, uint32_t id, struct slice json);
	/* A new configuration (conf_read_fd); fd is borrowed. -1: it came, but
	 * there was no room for its descriptor. */
	void (*reload)(void *arg, int fd);
	/* enum log_level, -1: as configured; area "": all (log_override). */
	void (*log)(void *arg, int level, const char *area);
	/* The channel closed: the master is gone. */
	void (*master_gone)(void *arg);
	void *arg;
};

/* Waits for HELLO, the first message, before any loop turns. Ends the process
 * when it does not come: nobody but a master starts a worker. */
void master_link_hello(int fd, struct ipc_hello *out);
struct master_link *master_link_new(struct loop *l, int fd,
				    const struct master_link_ops *ops);
void master_link_free(struct master_link **ml);
void master_link_ready(struct master_link *ml, uint32_t instance);
void master_link_answer(struct master_link *ml, uint32_t id, struct slice json);

#endif
