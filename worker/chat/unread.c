#include "worker/chat/unread.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/siphash.h"
#include "common/ipc/stats.h"
#include "common/protocol/ids.h"
#include "common/store/message_store.h"
#include "worker/unread_sets.h"

#define AT_ONCE 8
#define WAITING_MAX 100000
/* Of those who only lack their counters, and are here, no more wait in memory:
 * the others have a mark. After a crowd connected, or Redis lost all, that is
 * nearly everybody. */
#define LACKING_MAX 1000
#define SHARES 64		/* of the users, looked through for marks at once */
#define TRIES_MAX 5		/* while his counters go on changing */
#define RETRY_MS 1000		/* those in doubt, when something is away */

/* Of one user: waits, or is under way (and on no list). */
struct rebuild {
	struct map_node by_user;
	struct list node;
	struct chat *c;
	unsigned doubts;	/* times that he was said to be in doubt */
	unsigned settled;	/* of these, when his rows were last read */
	unsigned tries;
	char token[SESSION_ID_LEN + 1];
	char user_id[];
};

struct unread {
	struct chat *c;
	struct map by_user;
	struct list waiting;
	unsigned running;
	bool marks;		/* users here may have one */
	unsigned share;		/* looked through next */
	struct timer retry;
	bool full;		/* logged */
};

static bool rebuild_is(const struct map_node *n, const void *user_id)
{
	return strcmp(CONTAINER_OF(n, struct rebuild, by_user)->user_id,
		      user_id) == 0;
}

static struct rebuild *rebuild_find(const struct unread *u, const char *user_id)
{
	struct map_node *n = map_find(&u->by_user, hash_str(user_id), user_id);

	return n != NULL ? CONTAINER_OF(n, struct rebuild, by_user) : NULL;
}

static void forget(struct unread *u, struct rebuild *b)
{
	map_remove(&u->by_user, &b->by_user);
	list_remove(&b->node);
	free(b);
}

static void begin(struct rebuild *b);

static void add(struct unread *u, const char *user_id, bool in_doubt)
{
	struct rebuild *b = rebuild_find(u, user_id);
	size_t n = strlen(user_id) + 1;

	if (b == NULL) {
		b = mem_zalloc(sizeof(*b) + n);
		b->c = u->c;
		memcpy(b->user_id, user_id, n);
		list_init(&b->node);
		map_insert(&u->by_user, &b->by_user, hash_str(user_id));
		list_append(&u->waiting, &b->node);
	}
	b->doubts += in_doubt;
}

static void add_marked(struct map_node *n, void *arg)
{
	struct user *user = CONTAINER_OF(n, struct user, node);

	if (user->unread_lost)
		add(arg, user->id, false);
	user->unread_lost = false;
}

/* Up to once around all users. */
static void collect_marked(struct unread *u)
{
	for (unsigned i = 0; i < SHARES && list_empty(&u->waiting); i++) {
		map_each_share(&u->c->users.map, u->share, SHARES, add_marked, u);
		u->share = (u->share + 1) % SHARES;
	}
	u->marks = !list_empty(&u->waiting);
}

static void run_waiting(void *arg)
{
	struct unread *u = arg;
	struct list *n;

	if (list_empty(&u->waiting) && u->marks)
		collect_marked(u);
	while (u->running < AT_ONCE && !timer_armed(&u->retry) &&
	       (n = list_shift(&u->waiting)) != NULL) {
		u->running++;
		begin(LIST_ENTRY(n, struct rebuild, node));
	}
}

/* done: his counters are whole. Else the store or Redis is away, or they change
 * all the time: what is only missing will be asked for again by the next event;
 * what is in doubt will not, and waits. */
static void ended(struct rebuild *b, bool done)
{
	struct unread *u = b->c->unread;

	u->running--;
	if (u->c->down) {
		forget(u, b);
		return;
	}
	if (done ? b->doubts == b->settled : b->doubts == 0) {
		forget(u, b);
	} else {
		b->tries = 0;
		list_append(&u->waiting, &b->node);
		if (!done)
			timer_arm(&u->retry, RETRY_MS);
	}
	run_waiting(u);
}

static void on_replaced(void *arg, int err, bool done)
{
	struct rebuild *b = arg;

	if (err == 0 && !done && ++b->tries < TRIES_MAX) {
		begin(b);
		return;
	}
	stats_add(STAT_unread_rebuilt, done);
	ended(b, done);
}

static void on_rows(void *arg, int err, const struct message *rows, size_t n)
{
	struct rebuild *b = arg;
	struct slice *pairs;

	if (err != 0) {
		ended(b, false);
		return;
	}
	pairs = mem_alloc((2 * n + 1) * sizeof(*pairs));
	for (size_t i = 0; i < n; i++) {
		pairs[2 * i] = slice_of(rows[i].match_id);
		pairs[2 * i + 1] = (struct slice){ rows[i].id, MESSAGE_ID_LEN };
	}
	unread_sets_replace(b->c->redis, b->user_id, b->token, pairs, n,
			    on_replaced, b);
	free(pairs);
}

static void on_begun(void *arg, int err, const char *token)
{
	struct rebuild *b = arg;

	if (err != 0 || token == NULL || b->c->down) {
		ended(b, err == 0);
		return;
	}
	strncpy(b->token, token, SESSION_ID_LEN);
	message_store_unread(b->c->store, b->user_id, on_rows, b);
}

static void begin(struct rebuild *b)
{
	session_id_make(0, b->token);
	b->settled = b->doubts;
	unread_sets_begin(b->c->redis, b->user_id, b->token, b->doubts > 0,
			  on_begun, b);
}

static bool note_full(struct unread *u)
{
	bool full = u->by_user.count >= WAITING_MAX;

	if (full && !u->full)
		log_warn("unread counters of too many users are to be made anew; some wait for their next event");
	if (full)
		u->full = true;
	else if (u->by_user.count < WAITING_MAX / 2)
		u->full = false;	/* at the bound it would be said again and again */
	return full;
}

/* True: he is here, and has the mark instead of a place in the queue. */
static bool mark(struct unread *u, const char *user_id)
{
	struct user *user;

	if (u->by_user.count < LACKING_MAX)
		return false;
	user = users_find(&u->c->users,
			  slice_of(user_id));
	if (user == NULL)
		return false;
	user->unread_lost = true;
	u->marks = true;
	return true;
}

void unread_rebuild(struct chat *c, const char *user_id, bool in_doubt)
{
	struct unread *u = c->unread;

	if (c->down)
		return;
	if (rebuild_find(u, user_id) == NULL &&
	    ((!in_doubt && mark(u, user_id)) || note_full(u)))
		return;
	add(u, user_id, in_doubt);
	run_waiting(u);
}

void unread_init(struct chat *c)
{
	struct unread *u = mem_zalloc(sizeof(*u));

	u->c = c;
	c->unread = u;
	map_init(&u->by_user, rebuild_is);
	list_init(&u->waiting);
	timer_init(&u->retry, c->loop, run_waiting, u);
}

static void free_rebuild(struct map_node *n, void *arg)
{
	forget(arg, CONTAINER_OF(n, struct rebuild, by_user));
}

void unread_free(struct chat *c)
{
	struct unread *u = c->unread;

	if (u == NULL)
		return;
	map_each(&u->by_user, free_rebuild, u);
	map_free(&u->by_user);
	timer_free(&u->retry);
	free(u);
	c->unread = NULL;
}
