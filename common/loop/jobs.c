#include "common/loop/jobs.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"

struct job {
	struct list node;
	void (*run)(void *arg);
	void (*done)(void *arg);
	void *arg;
};

struct jobs {
	pthread_mutex_t lock;	/* guards queued, finished, stopping */
	pthread_cond_t more;
	struct list queued;
	struct list finished;
	bool stopping;
	int wake_fd;		/* eventfd: finished is not empty */
	struct io io;
	unsigned nthreads;
	pthread_t threads[];
};

static void *worker_thread(void *arg)
{
	struct jobs *j = arg;
	const uint64_t one = 1;

	pthread_mutex_lock(&j->lock);
	for (;;) {
		struct list *n;
		bool first;

		while (!j->stopping && list_empty(&j->queued))
			pthread_cond_wait(&j->more, &j->lock);
		if (j->stopping)
			break;
		n = list_shift(&j->queued);
		pthread_mutex_unlock(&j->lock);

		struct job *job = LIST_ENTRY(n, struct job, node);

		job->run(job->arg);
		pthread_mutex_lock(&j->lock);
		first = list_empty(&j->finished);
		list_append(&j->finished, &job->node);
		if (first && write(j->wake_fd, &one, sizeof(one)) == -1 &&
		    errno != EAGAIN)
			log_fatal("jobs: eventfd errno=%d", errno);
	}
	pthread_mutex_unlock(&j->lock);
	return NULL;
}

static void deliver(struct list *finished)
{
	struct list *n;

	while ((n = list_shift(finished)) != NULL) {
		struct job *job = LIST_ENTRY(n, struct job, node);

		job->done(job->arg);
		free(job);
	}
}

static void on_finished(void *arg, int what)
{
	struct jobs *j = arg;
	struct list finished;
	uint64_t n;

	(void)what;
	if (read(j->wake_fd, &n, sizeof(n)) == -1 && errno != EAGAIN)
		log_fatal("jobs: eventfd errno=%d", errno);
	list_init(&finished);
	pthread_mutex_lock(&j->lock);
	list_splice(&finished, &j->finished);
	pthread_mutex_unlock(&j->lock);
	deliver(&finished);
}

struct jobs *jobs_new(struct loop *l, unsigned threads)
{
	struct jobs *j = mem_zalloc(sizeof(*j) + threads * sizeof(pthread_t));
	sigset_t all, old;

	pthread_mutex_init(&j->lock, NULL);
	pthread_cond_init(&j->more, NULL);
	list_init(&j->queued);
	list_init(&j->finished);
	j->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (j->wake_fd == -1)
		log_fatal("jobs: eventfd errno=%d", errno);
	io_init(&j->io, l, j->wake_fd, on_finished, j);
	io_watch(&j->io, IO_READ);

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (unsigned i = 0; i < threads; i++) {
		if (pthread_create(&j->threads[i], NULL, worker_thread, j) != 0)
			log_fatal("jobs: cannot start thread %u", i);
		j->nthreads++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return j;
}

void jobs_free(struct jobs **jp)
{
	struct jobs *j = *jp;

	if (j == NULL)
		return;
	pthread_mutex_lock(&j->lock);
	j->stopping = true;
	pthread_cond_broadcast(&j->more);
	pthread_mutex_unlock(&j->lock);
	for (unsigned i = 0; i < j->nthreads; i++)
		pthread_join(j->threads[i], NULL);
	deliver(&j->finished);
	deliver(&j->queued);
	io_free(&j->io);
	close(j->wake_fd);
	pthread_cond_destroy(&j->more);
	pthread_mutex_destroy(&j->lock);
	free(j);
	*jp = NULL;
}

void jobs_submit(struct jobs *j, void (*run)(void *arg),
		 void (*done)(void *arg), void *arg)
{
	struct job *job = mem_zalloc(sizeof(*job));

	job->run = run;
	job->done = done;
	job->arg = arg;
	list_init(&job->node);
	pthread_mutex_lock(&j->lock);
	list_append(&j->queued, &job->node);
	pthread_cond_signal(&j->more);
	pthread_mutex_unlock(&j->lock);
}
