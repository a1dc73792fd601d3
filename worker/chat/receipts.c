#include "worker/chat/receipts.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"

#define RETRY_MS 1000
#define PAGE 200		/* told again at once */

struct receipts {
	struct chat *c;
	struct list waiting;	/* oldest first */
	size_t n, bytes;
	size_t asked;		/* of those told again, not yet answered */
	bool full;		/* logged */
	struct timer retry;
};

struct receipt {
	struct list node;
	struct chat *c;
	bool again;		/* counted in asked */
	size_t frame_n;
	char user_id[];		/* NUL, then the frame */
};

/* What it weighs: one of message:read may name 500 messages. */
static size_t weight(const struct receipt *r)
{
	return sizeof(*r) + strlen(r->user_id) + 1 + r->frame_n;
}

static void keep(struct receipts *rs, struct receipt *r)
{
	bool full = rs->n == RECEIPTS_MAX ||
		    rs->bytes + weight(r) > RECEIPTS_BYTES_MAX;

	if (full && !rs->full)
		log_warn("too many receipts wait for Redis: new ones are not kept");
	rs->full = full;
	if (full) {
		free(r);
		return;
	}
	list_append(&rs->waiting, &r->node);
	rs->n++;
	rs->bytes += weight(r);
	if (!timer_armed(&rs->retry))
		timer_arm(&rs->retry, RETRY_MS);
}

static void on_routed(void *arg, int err, const struct route_result *result)
{
	struct receipt *r = arg;
	struct receipts *rs = r->c->receipts;

	(void)result;
	if (r->again && --rs->asked == 0 && err == 0 && !r->c->down)
		timer_arm(&rs->retry, 0);	/* the next page */
	r->again = false;
	if (err == 0 || r->c->down)
		free(r);
	else
		keep(rs, r);
}

static void send(struct receipt *r)
{
	size_t n = strlen(r->user_id);
	struct envelope e = {
		.kind = ENV_RECEIPT,
		.user_id = { r->user_id, n },
		.event = { r->user_id + n + 1, r->frame_n },
	};

	router_send(r->c->router, &e, ROUTE_PLAIN, on_routed, r);
}

static void next_page(void *arg)
{
	struct receipts *rs = arg;
	struct list *n;

	if (rs->asked > 0 || rs->c->down)
		return;
	while (rs->asked < PAGE && (n = list_shift(&rs->waiting)) != NULL) {
		struct receipt *r = LIST_ENTRY(n, struct receipt, node);

		rs->n--;
		rs->bytes -= weight(r);
		rs->asked++;
		r->again = true;
		send(r);
	}
}

void receipts_wake(struct chat *c)
{
	next_page(c->receipts);
}

bool receipts_waiting(const struct chat *c)
{
	return c->receipts->n > 0 || c->receipts->asked > 0;
}

void chat_receipt(struct chat *c, const char *user_id, struct slice frame)
{
	size_t n = strlen(user_id) + 1;
	struct receipt *r = mem_zalloc(sizeof(*r) + n + frame.n);

	r->c = c;
	r->frame_n = frame.n;
	list_init(&r->node);
	memcpy(r->user_id, user_id, n);
	memcpy(r->user_id + n, frame.p, frame.n);
	chat_local_receipt(c, user_id, frame);
	send(r);
}

void receipts_init(struct chat *c)
{
	struct receipts *rs = mem_zalloc(sizeof(*rs));

	rs->c = c;
	list_init(&rs->waiting);
	timer_init(&rs->retry, c->loop, next_page, rs);
	c->receipts = rs;
}

/* Redis is freed: none is on its way. */
void receipts_free(struct chat *c)
{
	struct receipts *rs = c->receipts;
	struct list *n;

	if (rs == NULL)
		return;
	while ((n = list_shift(&rs->waiting)) != NULL)
		free(LIST_ENTRY(n, struct receipt, node));
	timer_free(&rs->retry);
	free(rs);
	c->receipts = NULL;
}
