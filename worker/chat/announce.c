#include "worker/chat/announce.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/siphash.h"
#include "common/ipc/stats.h"
#include "worker/chat/frames.h"
#include "worker/directory.h"

#define ROUND_USERS 64		/* one query of the directory */
#define ROUND_MS 20		/* from one round's start to the next */
#define RETRY_MS 1000		/* after one that PostgreSQL or Redis failed */
#define TURN_PEERS 250		/* told in one turn: one operation of the router */

/* Of one user: on its way to his matches. */
struct news {
	struct map_node by_user;	/* while it waits */
	struct list node;		/* a->waiting, a->round or a->telling */
	struct chat *c;
	int64_t at_ms;
	bool online;
	bool failed;		/* his matches could not be read */
	struct buf peers;	/* the ids, a NUL behind each */
	size_t told;		/* bytes of it */
	char user_id[];
};

struct announce {
	struct chat *c;
	struct map by_user;
	struct list waiting;	/* oldest first */
	struct list round;	/* being looked up */
	struct list telling;
	size_t asked;		/* of the round, not yet answered */
	int64_t next_ms;	/* a round may begin, monotonic */
	struct timer timer;	/* the next round */
	struct timer turn;	/* the next chunk of peers */
	bool full;		/* logged */
};

static bool news_is(const struct map_node *n, const void *user_id)
{
	return strcmp(CONTAINER_OF(n, struct news, by_user)->user_id,
		      user_id) == 0;
}

static struct news *news_find(const struct announce *a, const char *user_id)
{
	struct map_node *n = map_find(&a->by_user, hash_str(user_id), user_id);

	return n != NULL ? CONTAINER_OF(n, struct news, by_user) : NULL;
}

static void news_free(struct news *w)
{
	list_remove(&w->node);
	buf_free(&w->peers);
	free(w);
}

static bool under_way(const struct announce *a)
{
	return !list_empty(&a->round) || !list_empty(&a->telling);
}

static void not_before(struct announce *a, int64_t ms)
{
	int64_t at_ms = clock_mono_ms() + ms;

	if (a->next_ms < at_ms)
		a->next_ms = at_ms;
}

/* Arms the next round, if there is something to tell. */
static void schedule(struct announce *a)
{
	int64_t ms = a->next_ms - clock_mono_ms();

	if (!under_way(a) && !list_empty(&a->waiting) && !timer_armed(&a->timer))
		timer_arm(&a->timer, ms > 0 ? ms : 0);
}

static void add_waiting(struct announce *a, struct news *w)
{
	list_remove(&w->node);
	list_append(&a->waiting, &w->node);
	map_insert(&a->by_user, &w->by_user, hash_str(w->user_id));
}

/* --- telling --- */

/* A chunk of his matches; how many. */
static size_t tell_some(struct news *w, size_t max)
{
	const char *users[TURN_PEERS];
	struct buf *b = &w->c->scratch;
	size_t n = 0;

	buf_clear(b);
	frame_user_status(b, w->user_id, w->online, w->at_ms);
	while (n < max && w->told < w->peers.len) {
		users[n] = w->peers.p + w->told;
		w->told += strlen(users[n++]) + 1;
	}
	for (size_t i = 0; i < n; i++)
		chat_local(w->c, users[i], buf_slice(b), NULL);
	if (n > 0)
		router_send_many(w->c->router, users, n, buf_slice(b));
	return n;
}

static void on_turn(void *arg)
{
	struct announce *a = arg;
	size_t left = TURN_PEERS;
	struct list *n;

	while (left > 0 && (n = list_first(&a->telling)) != NULL) {
		struct news *w = LIST_ENTRY(n, struct news, node);

		left -= tell_some(w, left);
		if (w->told < w->peers.len)
			break;
		stats_inc(STAT_announced);
		news_free(w);
	}
	if (!list_empty(&a->telling))
		timer_arm(&a->turn, 0);
	schedule(a);
}

/* --- a round: peers, then whether it is still so --- */

/* It waits again, unless there is newer news of him. */
static void try_again(struct announce *a, struct news *w)
{
	not_before(a, RETRY_MS);
	w->failed = false;
	buf_clear(&w->peers);
	if (news_find(a, w->user_id) != NULL)
		news_free(w);
	else
		add_waiting(a, w);
}

static void on_online(void *arg, int err, const bool *online, size_t n)
{
	struct announce *a = arg;
	struct list *pos, *tmp;
	size_t i = 0;

	LIST_FOREACH_SAFE(pos, tmp, &a->round) {
		struct news *w = LIST_ENTRY(pos, struct news, node);

		if (a->c->down || (i < n && online[i] != w->online)) {
			news_free(w);
		} else if (err != 0 || w->failed) {
			try_again(a, w);
		} else {
			list_remove(&w->node);
			list_append(&a->telling, &w->node);
		}
		i++;
	}
	if (!a->c->down)
		on_turn(a);
}

static void ask_presence(struct announce *a)
{
	const char *users[ROUND_USERS];
	struct list *pos, *tmp;
	size_t n = 0;

	LIST_FOREACH_SAFE(pos, tmp, &a->round)
		users[n++] = LIST_ENTRY(pos, struct news, node)->user_id;
	presence_online(a->c->presence, users, n, on_online, a);
}

static void on_peers(void *arg, int err, const char *const *user_ids, size_t n)
{
	struct news *w = arg;
	struct announce *a = w->c->announce;

	w->failed = err != 0;
	for (size_t i = 0; err == 0 && i < n; i++)
		buf_add(&w->peers, user_ids[i], strlen(user_ids[i]) + 1);
	if (--a->asked > 0)
		return;
	if (a->c->down)
		on_online(a, err, NULL, 0);
	else
		ask_presence(a);
}

static void begin_round(void *arg)
{
	struct announce *a = arg;
	struct list *pos, *tmp;
	struct list *n;

	not_before(a, ROUND_MS);
	while (a->asked < ROUND_USERS && (n = list_shift(&a->waiting)) != NULL) {
		struct news *w = LIST_ENTRY(n, struct news, node);

		map_remove(&a->by_user, &w->by_user);
		list_append(&a->round, n);
		a->asked++;
	}
	LIST_FOREACH_SAFE(pos, tmp, &a->round) {
		struct news *w = LIST_ENTRY(pos, struct news, node);

		directory_peers(a->c->directory, w->user_id, on_peers, w);
	}
}

static bool note_full(struct announce *a)
{
	bool full = a->by_user.count >= ANNOUNCE_MAX;

	if (full && !a->full)
		log_warn("too many changes of presence wait to be told; new ones are not");
	if (full)
		a->full = true;
	else if (a->by_user.count < ANNOUNCE_MAX / 2)
		a->full = false;	/* at the bound it would be said each round */
	return full;
}

void announce(struct chat *c, const char *user_id, bool online)
{
	struct announce *a = c->announce;
	struct news *w = news_find(a, user_id);
	size_t n = strlen(user_id) + 1;

	if (w == NULL) {
		if (note_full(a))
			return;
		w = mem_zalloc(sizeof(*w) + n);
		w->c = c;
		memcpy(w->user_id, user_id, n);
		list_init(&w->node);
		add_waiting(a, w);
	}
	w->online = online;
	w->at_ms = cluster_now_ms();
	schedule(a);
}

void announce_hold(struct chat *c, int64_t ms)
{
	struct announce *a = c->announce;

	not_before(a, ms);
	timer_disarm(&a->timer);
	schedule(a);
}

bool announce_waiting(const struct chat *c)
{
	return !list_empty(&c->announce->waiting) || under_way(c->announce);
}

void announce_init(struct chat *c)
{
	struct announce *a = mem_zalloc(sizeof(*a));

	a->c = c;
	c->announce = a;
	map_init(&a->by_user, news_is);
	list_init(&a->waiting);
	list_init(&a->round);
	list_init(&a->telling);
	timer_init(&a->timer, c->loop, begin_round, a);
	timer_init(&a->turn, c->loop, on_turn, a);
}

static void free_all(struct list *of)
{
	struct list *n;

	while ((n = list_first(of)) != NULL)
		news_free(LIST_ENTRY(n, struct news, node));
}

void announce_free(struct chat *c)
{
	struct announce *a = c->announce;

	if (a == NULL)
		return;
	free_all(&a->waiting);
	free_all(&a->round);
	free_all(&a->telling);
	map_free(&a->by_user);
	timer_free(&a->timer);
	timer_free(&a->turn);
	free(a);
	c->announce = NULL;
}
