#include "worker/chat/unrouted.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "common/store/message_store.h"
#include "worker/chat/route.h"

#define PAGE 100
#define RETRY_MS 1000
/* Other workers may come back to Redis that much later: the longest wait between
 * two attempts to connect, and the attempt. */
#define SETTLE_MS 8000

/* The first ids, read again and being routed. */
struct page {
	struct unrouted *u;
	size_t n;
	size_t unanswered;
	int err;		/* of any */
};

struct unrouted {
	struct chat *c;
	char (*ids)[MESSAGE_ID_LEN + 1];	/* first … first + n: waiting */
	size_t first, n, cap;
	struct page *page;	/* under way; NULL: none */
	struct timer retry;
	int64_t settled_ms;	/* monotonic */
	bool was_up;		/* Redis, once */
	unsigned given_up;	/* messages of srcs below this number are */
};

static bool was_given_up(const struct unrouted *u, const char *src)
{
	return u->given_up > 0 && src_number(&u->c->src, src) < u->given_up;
}

bool unrouted_waiting(const struct chat *c, const char *src)
{
	return c->unrouted->n > 0 || was_given_up(c->unrouted, src);
}

bool unrouted_any(const struct chat *c)
{
	return c->unrouted->n > 0;
}

bool unrouted_unsettled(const struct chat *c)
{
	return clock_mono_ms() < c->unrouted->settled_ms;
}

static void forget(struct unrouted *u, size_t n)
{
	u->first += n;
	u->n -= n;
	if (u->n == 0) {
		free(u->ids);
		u->ids = NULL;
		u->first = u->cap = 0;
	}
	stats_set(STAT_unrouted, (int64_t)u->n);
}

static void page_end(struct page *p)
{
	struct unrouted *u = p->u;

	if (--p->unanswered > 0)
		return;
	if (u->page == p) {
		u->page = NULL;
		if (p->err == 0)
			forget(u, p->n);
		if (u->n == 0)
			log_info("nothing waits for Redis any more");
		else
			timer_arm(&u->retry, p->err == 0 ? 0 : RETRY_MS);
	}
	free(p);
}

static void on_routed(void *arg, int err)
{
	struct page *p = arg;

	if (p->err == 0)
		p->err = err;
	page_end(p);
}

static void on_page(void *arg, int err, const struct message *rows, size_t n)
{
	struct page *p = arg;
	struct unrouted *u = p->u;

	p->err = err;
	for (size_t i = 0; err == 0 && i < n && u->page == p; i++) {
		if (was_given_up(u, rows[i].src))
			continue;
		p->unanswered++;
		route_again(u->c, &rows[i], on_routed, p);
	}
	page_end(p);
}

static void next_page(void *arg)
{
	struct unrouted *u = arg;
	struct page *p;

	if (u->page != NULL || u->n == 0 || u->c->down)
		return;
	p = mem_zalloc(sizeof(*p));
	p->u = u;
	p->n = u->n < PAGE ? u->n : PAGE;
	p->unanswered = 1;	/* the store */
	u->page = p;
	message_store_get(u->c->store,
			  (const char (*)[MESSAGE_ID_LEN + 1])(u->ids + u->first),
			  p->n, on_page, p);
}

/* The page under way comes to nothing: what it has sent was in order. */
static void give_up(struct unrouted *u)
{
	struct src *src = &u->c->src;

	log_warn("too many stored messages wait for Redis: left to the sweep n=%zu",
		 u->n);
	u->page = NULL;
	forget(u, u->n);
	src_cut(src, src->text);
	u->given_up = src->number + 1;
}

static void make_room(struct unrouted *u)
{
	if (u->n == UNROUTED_MAX)
		give_up(u);
	if (u->first + u->n < u->cap)
		return;
	if (u->first > u->n) {
		memcpy(u->ids, u->ids + u->first, u->n * sizeof(*u->ids));
		u->first = 0;
		return;
	}
	u->cap = u->cap != 0 ? 2 * u->cap : 64;
	u->ids = mem_realloc(u->ids, u->cap * sizeof(*u->ids));
}

void unrouted_add(struct chat *c, const char *id)
{
	struct unrouted *u = c->unrouted;

	if (c->down)
		return;		/* it stays owing */
	make_room(u);
	memcpy(u->ids[u->first + u->n++], id, sizeof(*u->ids));
	if (u->n == 1)
		log_warn("stored messages wait for Redis");
	stats_set(STAT_unrouted, (int64_t)u->n);
	if (u->page == NULL && !timer_armed(&u->retry))
		timer_arm(&u->retry, RETRY_MS);
}

void unrouted_wake(struct chat *c)
{
	struct unrouted *u = c->unrouted;

	if (u->was_up)
		u->settled_ms = clock_mono_ms() + SETTLE_MS;
	u->was_up = true;
	next_page(u);
}

void unrouted_init(struct chat *c)
{
	struct unrouted *u = mem_zalloc(sizeof(*u));

	u->c = c;
	timer_init(&u->retry, c->loop, next_page, u);
	c->unrouted = u;
}

/* Redis and the store are freed: no page is under way. */
void unrouted_free(struct chat *c)
{
	struct unrouted *u = c->unrouted;

	if (u == NULL)
		return;
	c->unrouted = NULL;
	timer_free(&u->retry);
	free(u->ids);
	free(u);
}
