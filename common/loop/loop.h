/* The event loop: the only owner of the libevent base. One per process,
 * single-threaded; everything here is called on the loop's thread. */
#ifndef PW_LOOP_H
#define PW_LOOP_H

#include "common/base/base.h"
#include "common/base/list.h"

struct event_base;
struct event;
struct loop;

struct loop *loop_new(void);
void loop_free(struct loop **l);	/* NULLs *l */
/* Turns until loop_stop(). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
/* For the libevent adapters of libraries (hiredis). Borrowed. */
struct event_base *loop_base(struct loop *l);

/* Another library's loop, nested in this one (libuv below libwebsockets;
 * facts: its fd is registered with io_watch, and it runs before each block).
 * run() does what is due without blocking; timeout_ms() says how long we may
 * block before the next run (0: not at all, -1: no limit). */
struct loop_nested {
	void (*run)(void *arg);
	int (*timeout_ms)(void *arg);
	void *arg;
};
void loop_nest(struct loop *l, const struct loop_nested *nested);

/* Work put off to the end of the loop's turn, before it blocks again: flushes
 * and the reaping of closed objects. A task is embedded by its owner, runs
 * once per loop_defer(), and is unqueued before fn is called. Queueing a
 * queued task does nothing. Stages run in this order, so that what a handler
 * stores, what the store publishes and what sessions write leave in one turn;
 * the stages repeat until nothing is queued. */
enum loop_stage { LOOP_WORK, LOOP_ROUTE, LOOP_WRITE, LOOP_REAP, LOOP__STAGES };

struct task {
	struct list node;
	void (*fn)(void *arg);
	void *arg;
	enum loop_stage stage;
};
void task_init(struct task *t, enum loop_stage stage, void (*fn)(void *arg),
	       void *arg);
void loop_defer(struct loop *l, struct task *t);
void task_cancel(struct task *t);

/* One-shot timer, embedded by its owner. Monotonic. */
struct timer {
	struct event *ev;
	void (*fn)(void *arg);
	void *arg;
};
void timer_init(struct timer *t, struct loop *l, void (*fn)(void *arg),
		void *arg);
/* (Re)starts; fn runs once, in ms milliseconds. */
void timer_arm(struct timer *t, int64_t ms);
void timer_disarm(struct timer *t);
bool timer_armed(const struct timer *t);
void timer_free(struct timer *t);	/* harmless when never initialised */

/* Readiness of a file descriptor. Level-triggered, persistent. */
enum { IO_READ = 1, IO_WRITE = 2 };
struct io {
	struct event *ev;
	struct loop *loop;
	int fd;
	void (*fn)(void *arg, int what);	/* what: IO_READ | IO_WRITE */
	void *arg;
};
void io_init(struct io *io, struct loop *l, int fd,
	     void (*fn)(void *arg, int what), void *arg);
/* what: IO_READ | IO_WRITE, or 0 for none. */
void io_watch(struct io *io, int what);
void io_free(struct io *io);		/* the fd stays open */

/* Calls fn on the loop when the process gets the signal. Lives as long as
 * the loop. */
void loop_signal(struct loop *l, int signo, void (*fn)(void *arg), void *arg);

#endif
