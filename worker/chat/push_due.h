/* The push event of a message, into the queue (M4). */
#ifndef PW_PUSH_DUE_H
#define PW_PUSH_DUE_H

#include "worker/chat/chat.h"

/* Queues it, with the sender's name if that is to be had, and has the store owe
 * the next one in push_requeue (a durable queue: none), whatever becomes of this one there. m is
 * copied; read_ms: when the store was asked for it (monotonic). If the directory
 * took its time since, it is read again first, and may turn out not to be due any
 * more. done, which may be NULL, runs exactly once, and may before this
 * returns. err not 0: the message is due as before; that of push_queue_add(),
 * or of the store when it is queued already: its marker makes another add a
 * success that adds nothing. */
void push_enqueue(struct chat *c, const struct message *m, int64_t read_ms,
		  void (*done)(void *arg, int err), void *arg);

#endif
