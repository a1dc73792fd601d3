#include "worker/worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/backend/redis.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/conf/conf.h"
#include "common/ipc/backend_rows.h"
#include "common/ipc/stats.h"
#include "common/loop/loop.h"
#include "common/protocol/auth_key.h"
#include "common/queue/push_queue.h"
#include "common/service/journal.h"
#include "common/store/message_store.h"
#include "worker/chat/catch_up.h"
#include "worker/chat/confirm.h"
#include "worker/chat/receipts.h"
#include "worker/chat/relay.h"
#include "worker/chat/sweep.h"
#include "worker/chat/unrouted.h"
#include "worker/directory.h"
#include "worker/emitter.h"
#include "worker/master_link.h"
#include "worker/presence.h"
#include "worker/queries.h"
#include "worker/reload.h"
#include "worker/retire.h"
#include "worker/router.h"
#include "worker/settings.h"
#include "worker/socketio/socket.h"
#include "worker/transport/listener.h"
#include "worker/transport/ws.h"
#include "worker/unread_sets.h"

#define HEARTBEAT_MAX_MS 250
#define STORE_QUEUE_MAX 20000
#define DIRECTORY_FLUSH_MS 1000
/* Backends that are there have answered by then. */
#define OPEN_WITHIN_MS 1000
#define OPEN_POLL_MS 5

/* The only place that sees every type. */
struct worker {
	struct loop *loop;
	struct conf *conf;
	struct ipc_hello hello;
	char name[128];		/* "host:boot:instance" */
	struct redis *redis;
	struct master_link *master;
	struct worker_queries *queries;
	struct eio_sessions *sessions;
	struct sio_server *sio;
	struct ws *ws;
	struct listener *listener;
	struct chat chat;
	struct retire *retire;
	struct timer heartbeat;
	struct timer opening;	/* armed until it accepts */
	int64_t open_ms;	/* monotonic; then it does, whatever is down */
	/* Why the last RELOAD and LOG do not count; NULL: they do. */
	const char *reload_lost, *log_lost;
};

static void on_heartbeat(void *arg)
{
	struct worker *w = arg;

	int64_t ms = w->conf->stuck_timeout / 4;

	stats_set(STAT_heartbeat_ms, clock_mono_ms());
	timer_arm(&w->heartbeat, ms < HEARTBEAT_MAX_MS ? ms : HEARTBEAT_MAX_MS);
}

static bool backends_up(void)
{
#define DOWN(name, gauge, text)         \
	if (stats_get(STAT_##gauge) == 0) \
		return false;
	BACKEND_ROWS(DOWN)
#undef DOWN
	return true;
}

/* Whoever comes first would be told that a backend is down which only has not
 * been reached yet. */
static void on_opening(void *arg)
{
	struct worker *w = arg;

	if (!backends_up() && clock_mono_ms() < w->open_ms) {
		timer_arm(&w->opening, OPEN_POLL_MS);
		return;
	}
	listener_add(w->listener, w->hello.slot, WORKER_FD_LISTEN);
	master_link_ready(w->master, w->hello.instance);
	journal_settle();
	log_info("serving slot=%u pid=%d", w->hello.slot, (int)getpid());
}

static void on_redis_state(void *arg, bool up)
{
	struct worker *w = arg;

	stats_set(STAT_redis_up, up);
	if (!up)
		return;
	if (w->chat.presence != NULL)
		presence_redis_up(w->chat.presence);
	if (w->chat.unrouted != NULL)
		unrouted_wake(&w->chat);
	if (w->chat.receipts != NULL)
		receipts_wake(&w->chat);
}

static void on_subscribed(void *arg, bool up)
{
	(void)arg;
	stats_set(STAT_redis_sub_up, up);
}

static void on_store_state(void *arg, bool up)
{
	struct worker *w = arg;

	stats_set(STAT_store_up, up);
	if (up && w->chat.confirms != NULL) {
		confirms_wake(&w->chat);
		sweep_wake(&w->chat);
		catch_up_wake(&w->chat);
	}
}

static void on_push_state(void *arg, bool up)
{
	struct worker *w = arg;

	stats_set(STAT_push_up, up);
	if (up && w->chat.sweep != NULL)
		sweep_wake(&w->chat);
}

/* --- what the master says --- */

static void on_drain(void *arg, uint32_t grace_ms)
{
	struct worker *w = arg;

	timer_disarm(&w->opening);
	retire_drain(w->retire, grace_ms);
}

static void on_stop(void *arg, uint32_t deadline_ms)
{
	struct worker *w = arg;

	timer_disarm(&w->opening);
	log_info("stopping");
	retire_stop(w->retire, (int64_t)deadline_ms * 3 / 4);
}

static void on_worker_died(void *arg, uint32_t instance)
{
	struct worker *w = arg;
	char name[128];

	snprintf(name, sizeof(name), "%s:%s:%u", w->hello.host, w->hello.boot,
		 instance);
	presence_reap(w->chat.presence, name);
}

static void on_lend(void *arg, uint32_t slot, int fd)
{
	struct worker *w = arg;

	if (listener_add(w->listener, slot, fd))
		log_info("accepting for a neighbour slot=%u", slot);
}

static void on_unlend(void *arg, uint32_t slot)
{
	struct worker *w = arg;

	listener_remove(w->listener, slot);
}

static void on_query(void *arg, uint32_t id, struct slice text)
{
	struct worker *w = arg;

	worker_queries_ask(w->queries, id, text);
}

static void answer_query(void *arg, uint32_t id, struct slice text)
{
	struct worker *w = arg;

	master_link_answer(w->master, id, text);
}

static void on_reload(void *arg, int fd)
{
	struct worker *w = arg;

	if (fd == -1) {
		w->reload_lost = "it has no descriptor left to take the "
				 "configuration by; reload again";
		return;
	}
	w->reload_lost = reload(&(struct reload_parts){
		.conf = w->conf, .sessions = w->sessions,
		.listener = w->listener, .chat = &w->chat, .sio = w->sio,
	}, fd);
	on_heartbeat(w);	/* stuck_timeout may be shorter */
}

static void on_log(void *arg, int level, const char *area)
{
	struct worker *w = arg;

	w->log_lost = NULL;
	if (log_override(level, area) == 0)
		return;
	w->log_lost = "it does not know this level or area";
	log_warn("the master's log level or area is not known level=%d area=%s",
		 level, area);
}

static const char *not_taken(void *arg, const char *what)
{
	const struct worker *w = arg;

	return strcmp(what, "log") == 0 ? w->log_lost : w->reload_lost;
}

static void on_master_gone(void *arg)
{
	struct worker *w = arg;

	timer_disarm(&w->opening);
	log_warn("the master is gone: stopping");
	retire_stop(w->retire, INT64_MAX);
}

/* --- building the graph --- */

static void build_backends(struct worker *w)
{
	const struct conf *cf = w->conf;
	struct chat *c = &w->chat;
	char err[256] = "";
	struct redis_conf redis = {
		.name = w->name,
		.host = cf->redis_host,
		.port = (unsigned)cf->redis_port,
		.password = cf->redis_password,
		.db = (unsigned)cf->redis_db,
		.timeout_ms = (unsigned)cf->redis_timeout,
	};
	struct router_conf router = { .instance = w->name, .redis = &redis };
	struct router_ops router_ops = {
		.deliver = chat_deliver,
		.subscribed = on_subscribed,
		.lost = chat_lost,
		.unread_lost = chat_unread_lost,
		.arg = c,
	};
	struct presence_conf presence = {
		.instance = w->name,
		.lease_ms = (unsigned)cf->lease,
		.grace_ms = (unsigned)cf->offline_grace,
	};
	struct presence_ops presence_ops = {
		.changed = chat_presence_changed,
		.reregister = chat_reregister,
		.unread_lost = chat_unread_missing,
		.arg = c,
	};
	struct directory_conf directory = {
		.url = cf->database_url,
		.name = w->name,
		.timeout_ms = (unsigned)cf->database_timeout,
		.stale_max_ms = (unsigned)cf->directory_stale_max,
		.cache_max = cf->directory_cache,
		.flush_ms = DIRECTORY_FLUSH_MS,
	};
	struct message_store_conf store = {
		.url = cf->store_url,
		.name = w->name,
		.lanes = (unsigned)cf->store_lanes,
		.timeout_ms = (unsigned)cf->store_timeout,
		.queue_max = STORE_QUEUE_MAX,
	};
	struct push_queue_conf push = {
		.url = cf->push_queue_url,
		.limit = cf->push_queue_limit,
		.timeout_ms = (unsigned)cf->redis_timeout,
		.state = on_push_state,
		.arg = w,
	};

	w->redis = redis_new(w->loop, &redis, on_redis_state, w);
	unread_sets_init(w->redis);
	c->redis = w->redis;
	if (cf->redis_emitter) {
		struct emitter_ops emitter = relay_ops(c);

		c->emitter = emitter_new(w->loop, &redis, cf->redis_emitter_key,
					 &emitter);
	}
	c->router = router_new(w->loop, w->redis, &router, &router_ops);
	c->presence = presence_new(w->loop, w->redis, &presence, &presence_ops);
	c->directory = directory_new(w->loop, &directory);
	c->store = message_store_new(w->loop, &store, on_store_state, w, err);
	if (c->store == NULL)
		log_fatal("store_url: %s", err);
	push.markers = w->redis;
	c->push = push_queue_new(w->loop, &push, err);
	if (c->push == NULL)
		log_fatal("push_queue_url: %s", err);
}

static void build_chat(struct worker *w)
{
	const struct conf *cf = w->conf;
	struct chat *c = &w->chat;
	struct sio_ops ops;

	c->loop = w->loop;
	c->conf = settings_chat(cf, w->name);
	if (settings_key(cf, &c->key) != 0)
		log_fatal("there is nothing to check tokens by");
	chat_init(c);
	w->sio = sio_server_new(w->hello.instance);
	ops = chat_sio_ops(c);
	sio_server_namespace(w->sio, "/", &ops);
}

static void build_transport(struct worker *w)
{
	const struct conf *cf = w->conf;
	struct eio_conf eio = settings_eio(cf, w->hello.instance);
	struct ws_conf ws = {
		.max_payload = cf->max_payload,
		.deflate = cf->permessage_deflate,
	};
	struct listener_conf listener = settings_listener(cf,
							  w->hello.instance);
	struct eio_ops up = sio_server_eio_ops(w->sio);

	listener.run_dir = cf->run_dir;
	listener.handover_fd = WORKER_FD_HANDOVER;
	w->sessions = eio_sessions_new(w->loop, &eio, &up);
	w->ws = ws_new(w->loop, w->sessions, &ws);
	w->listener = listener_new(w->loop, w->sessions, w->ws, &listener);
}

static void build(struct worker *w)
{
	struct master_link_ops master = {
		.drain = on_drain,
		.stop = on_stop,
		.worker_died = on_worker_died,
		.lend = on_lend,
		.unlend = on_unlend,
		.query = on_query,
		.reload = on_reload,
		.log = on_log,
		.master_gone = on_master_gone,
		.arg = w,
	};

	w->loop = loop_new();
	timer_init(&w->heartbeat, w->loop, on_heartbeat, w);
	on_heartbeat(w);
	build_backends(w);
	build_chat(w);
	build_transport(w);
	w->queries = worker_queries_new(&(struct worker_queries_conf){
		.chat = &w->chat, .answer = answer_query,
		.not_taken = not_taken, .arg = w });
	w->retire = retire_new(&(struct retire_parts){
		.loop = w->loop, .conf = w->conf, .sessions = w->sessions,
		.listener = w->listener, .chat = &w->chat,
	});
	w->master = master_link_new(w->loop, WORKER_FD_IPC, &master);
	timer_init(&w->opening, w->loop, on_opening, w);
	w->open_ms = clock_mono_ms() + OPEN_WITHIN_MS;
	timer_arm(&w->opening, 0);
}

/* Sessions first: their ends reach chat, which reaches presence and the
 * directory; then what they stood on. */
static void tear_down(struct worker *w)
{
	struct chat *c = &w->chat;

	listener_free(&w->listener);
	eio_sessions_free(&w->sessions);
	ws_free(&w->ws);
	c->down = true;
	emitter_free(&c->emitter);
	push_queue_free(&c->push);	/* its callbacks use the store */
	message_store_free(&c->store);
	directory_free(&c->directory);
	router_free(&c->router);
	presence_free(&c->presence);
	retire_free(&w->retire);	/* both may have called it back */
	redis_free(&w->redis);
	worker_queries_free(&w->queries);
	sio_server_free(&w->sio);
	chat_free(c);
	auth_key_free(&c->key);
	timer_free(&w->heartbeat);
	timer_free(&w->opening);
	master_link_free(&w->master);
	loop_free(&w->loop);
	conf_free(&w->conf);
}

int worker_run(void)
{
	static struct worker w;
	char who[32], err[CONF_ERR_MAX];
	enum log_level level = LOG_LVL_INFO;

	signal(SIGPIPE, SIG_IGN);
	/* The terminal's Ctrl-C reaches the whole group: the master decides. */
	signal(SIGINT, SIG_IGN);
	log_init("worker", level);
	journal_open("pairwire-worker");
	master_link_hello(WORKER_FD_IPC, &w.hello);
	if (conf_read_fd(WORKER_FD_CONF, &w.conf, err) != 0)
		log_fatal("configuration from the master: %s", err);
	if (log_level_parse(w.conf->log_level, &level) != 0)
		log_warn("log_level %s is not known", w.conf->log_level);
	snprintf(who, sizeof(who), "worker[%u]", w.hello.instance);
	log_init(who, level);
	snprintf(w.name, sizeof(w.name), "%s:%s:%u", w.hello.host, w.hello.boot,
		 w.hello.instance);
	if (stats_attach(WORKER_FD_STATS) != 0)
		log_fatal("the statistics page cannot be mapped");

	build(&w);
	loop_run(w.loop);
	tear_down(&w);
	return 0;
}
