/* The worker process: builds the graph of objects, answers the master. */
#ifndef PW_WORKER_H
#define PW_WORKER_H

/* Runs until the master says STOP or goes away, or all have left after DRAIN. The descriptors of
 * ipc_messages.h must be in place. Exit status. */
int worker_run(void);

#endif
