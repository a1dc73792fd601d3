#include "common/backend/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"

/* What thread and loop share; the last of the two frees it. */
struct lookup {
	atomic_int refs;
	int done_fd;		/* eventfd: err and addrs are set */
	int err;
	struct resolved addrs;
	char host[];
};

struct resolve {
	struct lookup *lookup;
	struct io io;
	struct task failed;	/* out of descriptors: says so */
	resolve_cb *cb;
	void *arg;
};

static void lookup_unref(struct lookup *lk)
{
	if (atomic_fetch_sub_explicit(&lk->refs, 1, memory_order_acq_rel) > 1)
		return;
	if (lk->done_fd != -1)
		close(lk->done_fd);
	free(lk);
}

static void lookup_done(struct lookup *lk, int err)
{
	const uint64_t one = 1;

	lk->err = err;
	/* An eventfd's first write cannot fail, but for a bad fd. */
	if (write(lk->done_fd, &one, sizeof(one)) == -1)
		log_fatal("resolve: eventfd errno=%d", errno);
	lookup_unref(lk);
}

static void *lookup_thread(void *arg)
{
	struct lookup *lk = arg;
	const struct addrinfo hints = { .ai_family = AF_UNSPEC,
					.ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	int err = getaddrinfo(lk->host, NULL, &hints, &list);

	if (err != 0)
		list = NULL;
	for (struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next) {
		if (lk->addrs.n == RESOLVE_MAX)
			break;
		if (getnameinfo(ai->ai_addr, ai->ai_addrlen,
				lk->addrs.addr[lk->addrs.n], RESOLVE_ADDR_LEN,
				NULL, 0, NI_NUMERICHOST) == 0)
			lk->addrs.n++;
	}
	if (list != NULL)
		freeaddrinfo(list);
	if (err == 0 && lk->addrs.n == 0)
		err = EAI_NONAME;
	lookup_done(lk, err);
	return NULL;
}

static void thread_start(struct lookup *lk)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&thread, &attr, lookup_thread, lk);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (err != 0)
		lookup_done(lk, EAI_AGAIN);
}

static void finish(void *arg)
{
	struct resolve *r = arg;

	io_free(&r->io);
	r->cb(r->arg, r->lookup->err, &r->lookup->addrs);
	lookup_unref(r->lookup);
	free(r);
}

static void on_done(void *arg, int what)
{
	struct resolve *r = arg;
	uint64_t n;

	(void)what;
	if (read(r->lookup->done_fd, &n, sizeof(n)) != -1)
		finish(r);
}

bool resolve_is_numeric(const char *host)
{
	struct in6_addr a;

	/* A scope ("%eth0") is for getaddrinfo, which knows it for numeric. */
	return inet_pton(AF_INET, host, &a) == 1 ||
	       inet_pton(AF_INET6, host, &a) == 1;
}

struct resolve *resolve_start(struct loop *l, const char *host, resolve_cb *cb,
			      void *arg)
{
	struct resolve *r = mem_zalloc(sizeof(*r));
	size_t n = strlen(host) + 1;
	struct lookup *lk = mem_zalloc(sizeof(*lk) + n);

	memcpy(lk->host, host, n);
	atomic_init(&lk->refs, 1);
	lk->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	r->lookup = lk;
	r->cb = cb;
	r->arg = arg;
	task_init(&r->failed, LOOP_WORK, finish, r);
	if (lk->done_fd == -1) {
		lk->err = EAI_AGAIN;
		loop_defer(l, &r->failed);
		return r;
	}
	atomic_store(&lk->refs, 2);
	io_init(&r->io, l, lk->done_fd, on_done, r);
	io_watch(&r->io, IO_READ);
	thread_start(lk);
	return r;
}

void resolve_cancel(struct resolve **rp)
{
	struct resolve *r = *rp;

	if (r == NULL)
		return;
	task_cancel(&r->failed);
	io_free(&r->io);
	lookup_unref(r->lookup);
	free(r);
	*rp = NULL;
}
