/* A small thread pool for blocking libraries. Work runs on a pool thread,
 * its completion on the loop. */
#ifndef PW_JOBS_H
#define PW_JOBS_H

#include "common/base/base.h"

struct loop;
struct jobs;

/* Threads block all signals. */
struct jobs *jobs_new(struct loop *l, unsigned threads);
/* Waits for what runs; what is queued or finished but not yet delivered gets
 * its done() here, on the caller's thread. NULLs *j. */
void jobs_free(struct jobs **j);
/* run(arg) on some pool thread, then done(arg) on the loop, never before this
 * returns. Each exactly once. (jobs_free before run: done only.) */
void jobs_submit(struct jobs *j, void (*run)(void *arg),
		 void (*done)(void *arg), void *arg);

#endif
