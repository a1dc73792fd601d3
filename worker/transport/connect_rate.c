#include "worker/transport/connect_rate.h"

#include <stdlib.h>

#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/base/siphash.h"
#include "common/ipc/stats.h"

/* Past it the one that was quiet for the longest time is forgotten, and has a
 * full bucket again: whoever has more addresses than this is not held by a
 * limit per address, and must not lock others out. About 5 MB. */
#define ADDRESSES_MAX 65536
/* How many that have a full bucket are forgotten at each connect. */
#define FORGET_AT_ONCE 16
#define LOG_EVERY_US (60 * 1000000LL)

struct bucket {
	struct map_node node;	/* by_addr */
	struct list quiet;	/* in order of the last one taken */
	struct net_addr addr;
	int64_t full_us;
	int64_t taken_us;
	bool refused;		/* the last one */
};

struct connect_rate {
	struct rate_conf conf;
	struct map by_addr;
	struct list quiet;
	int64_t logged_us;	/* 0: never */
	uint64_t unlogged;	/* addresses that began to be refused since */
};

static bool bucket_equal(const struct map_node *node, const void *key)
{
	return net_addr_equal(&CONTAINER_OF(node, struct bucket, node)->addr,
			      key);
}

struct connect_rate *connect_rate_new(const struct rate_conf *c)
{
	struct connect_rate *r = mem_zalloc(sizeof(*r));

	r->conf = *c;
	map_init(&r->by_addr, bucket_equal);
	list_init(&r->quiet);
	return r;
}

static void forget(struct connect_rate *r, struct bucket *b)
{
	map_remove(&r->by_addr, &b->node);
	list_remove(&b->quiet);
	free(b);
}

static void forget_all(struct connect_rate *r)
{
	struct list *n;

	while ((n = list_first(&r->quiet)) != NULL)
		forget(r, LIST_ENTRY(n, struct bucket, quiet));
}

/* A bucket is a time, and what it holds depends on the rate. */
void connect_rate_set_conf(struct connect_rate *r, const struct rate_conf *c)
{
	if (rate_conf_equal(&r->conf, c))
		return;
	forget_all(r);
	r->conf = *c;
}

void connect_rate_free(struct connect_rate **rp)
{
	struct connect_rate *r = *rp;

	if (r == NULL)
		return;
	forget_all(r);
	map_free(&r->by_addr);
	free(r);
	*rp = NULL;
}

/* A bucket is full again at most this long after one was taken, so those at the
 * front of the list are full first. */
static void forget_full(struct connect_rate *r, int64_t now_us)
{
	int64_t longest_us = r->conf.burst_us + r->conf.interval_us;
	struct list *n;

	for (int i = 0; i < FORGET_AT_ONCE; i++) {
		struct bucket *b;

		n = list_first(&r->quiet);
		if (n == NULL)
			return;
		b = LIST_ENTRY(n, struct bucket, quiet);
		if (now_us - b->taken_us < longest_us)
			return;
		forget(r, b);
	}
}

static struct bucket *find_or_add(struct connect_rate *r,
				  const struct net_addr *addr)
{
	uint64_t hash = hash_bytes(addr->b, sizeof(addr->b));
	struct map_node *node = map_find(&r->by_addr, hash, addr);
	struct bucket *b;

	if (node != NULL)
		return CONTAINER_OF(node, struct bucket, node);
	if (r->by_addr.count >= ADDRESSES_MAX)
		forget(r, LIST_ENTRY(list_first(&r->quiet), struct bucket,
				     quiet));
	b = mem_zalloc(sizeof(*b));
	b->addr = *addr;
	list_init(&b->quiet);
	map_insert(&r->by_addr, &b->node, hash);
	return b;
}

/* A line for every address would let clients fill the disk. */
static void say_refused(struct connect_rate *r, const struct net_addr *addr,
			int64_t now_us)
{
	char text[NET_ADDR_TEXT];

	if (r->logged_us != 0 && now_us - r->logged_us < LOG_EVERY_US) {
		r->unlogged++;
		return;
	}
	net_addr_format(addr, text);
	log_warn("an address opens sessions faster than connect_rate: refused "
		 "address=%s others_since_last_line=%llu", text,
		 (unsigned long long)r->unlogged);
	r->logged_us = now_us;
	r->unlogged = 0;
}

bool connect_rate_take(struct connect_rate *r, const struct net_addr *client,
		       int64_t now_us, unsigned *wait_s_out)
{
	struct net_addr addr = net_addr_client(client);
	struct bucket *b;
	int64_t wait_us;

	if (r->conf.interval_us == 0 || !net_addr_known(client))
		return true;
	forget_full(r, now_us);
	b = find_or_add(r, &addr);
	if (rate_take(&r->conf, &b->full_us, now_us)) {
		b->refused = false;
		b->taken_us = now_us;
		list_remove(&b->quiet);
		list_append(&r->quiet, &b->quiet);
		return true;
	}
	stats_inc(STAT_limited_connects);
	if (!b->refused)
		say_refused(r, &addr, now_us);
	b->refused = true;
	wait_us = rate_wait(&r->conf, b->full_us, now_us);
	*wait_s_out = (unsigned)((wait_us + 999999) / 1000000);
	return false;
}
