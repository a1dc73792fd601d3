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
#include "common/ipc/stats.h"
#include "common/loop/loop.h"
#include "common/protocol/auth_token.h"
#include "common/queue/push_queue.h"
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
#include "worker/router.h"
#include "worker/socketio/socket.h"
#include "worker/transport/listener.h"
#include "worker/transport/ws.h"
#include "worker/unread_sets.h"

#define HEARTBEAT_MAX_MS 250
#define STORE_QUEUE_MAX 20000
#define DIRECTORY_FLUSH_MS 1000
/* A stop takes no longer, whatever the master would grant. */
#define STOP_MAX_MS 5000
#define STOP_POLL_MS 10

/* The only place that sees every type. */
struct worker {
	struct loop *loop;
	struct conf *conf;
	struct ipc_hello hello;
	char name[128];		/* "host:boot:instance" */
	struct redis *redis;
	struct master_link *master;
	struct eio_sessions *sessions;
	struct sio_server *sio;
	struct ws *ws;
	struct listener *listener;
	struct chat chat;
	struct timer heartbeat;
	struct timer stop_timer;
	int64_t stop_at_ms;	/* monotonic; the current step ends then */
	int64_t stop_end_ms;	/* and stopping as a whole then */
	enum { SERVING, ANSWERING, CLOSING, LEAVING } state;
	unsigned leaving;	/* stopping: flushes under way */
};

static void on_heartbeat(void *arg)
{
	struct worker *w = arg;

	int64_t ms = w->conf->stuck_timeout / 4;

	stats_set(STAT_heartbeat_ms, clock_mono_ms());
	timer_arm(&w->heartbeat, ms < HEARTBEAT_MAX_MS ? ms : HEARTBEAT_MAX_MS);
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

/* --- stopping --- */

static void on_left(struct worker *w)
{
	if (--w->leaving == 0)
		loop_stop(w->loop);
}

static void on_retired(void *arg)
{
	on_left(arg);
}

static void on_flushed(void *arg, int err)
{
	if (err != 0)
		log_warn("last_seen of the last second was not written");
	on_left(arg);
}

/* Answers under way go out; then connections close; when they have (their ends
 * reach presence and the directory) both write what is left. Each step ends
 * early when there is nothing left to do, and late at its deadline. Clients are
 * not sent DISCONNECT: a stock client comes back by itself only when the
 * transport just closes. */
static void stop_step(void *arg)
{
	struct worker *w = arg;
	int64_t now = clock_mono_ms();

	switch (w->state) {
	case SERVING:
		return;
	case ANSWERING:
		if (w->chat.ops > 0 && now < w->stop_at_ms) {
			timer_arm(&w->stop_timer, STOP_POLL_MS);
			return;
		}
		w->state = CLOSING;
		eio_sessions_close_all(w->sessions, CLOSE_SERVER);
		timer_arm(&w->stop_timer, 0);	/* behind this turn's reaping */
		return;
	case CLOSING:
		w->state = LEAVING;
		w->leaving = 2;
		presence_retire(w->chat.presence, on_retired, w);
		directory_flush(w->chat.directory, on_flushed, w);
		timer_arm(&w->stop_timer, w->stop_end_ms - now);
		return;
	case LEAVING:
		log_warn("stopping without having told the backends");
		loop_stop(w->loop);
	}
}

static void begin_stop(struct worker *w, int64_t within_ms)
{
	int64_t now = clock_mono_ms();

	if (w->state != SERVING)
		return;
	listener_stop(w->listener);
	w->chat.stopping = true;
	w->state = ANSWERING;
	if (within_ms > STOP_MAX_MS)
		within_ms = STOP_MAX_MS;
	w->stop_at_ms = now + within_ms / 2;
	w->stop_end_ms = now + within_ms;
	timer_arm(&w->stop_timer, 0);
}

/* --- what the master says --- */

static void on_drain(void *arg, uint32_t grace_ms)
{
	struct worker *w = arg;

	log_info("draining grace_ms=%u", grace_ms);
	listener_drain(w->listener);
}

static void on_stop(void *arg, uint32_t deadline_ms)
{
	log_info("stopping");
	begin_stop(arg, (int64_t)deadline_ms * 3 / 4);
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
	json_t *q = json_loadb(text.p, text.n, 0, NULL);
	const char *cmd = json_string_value(json_object_get(q, "cmd"));
	const char *user = json_string_value(
		json_array_get(json_object_get(q, "args"), 0));
	json_t *a;
	char *out;

	if (cmd != NULL && strcmp(cmd, "user") == 0 && user != NULL)
		a = json_pack("{s:o}", "devices",
			      chat_user_devices(&w->chat, user));
	else
		a = json_pack("{s:s}", "error", "unknown query");
	out = json_dumps(a, JSON_COMPACT);
	if (out != NULL)
		master_link_answer(w->master, id,
				   slice_of(out));
	free(out);
	json_decref(a);
	json_decref(q);
}

static void on_master_gone(void *arg)
{
	log_warn("the master is gone: stopping");
	begin_stop(arg, STOP_MAX_MS);
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
	c->conf = (struct chat_conf){
		.src = w->name,
		.content_max = cf->content_max,
		.user_connections = (unsigned)cf->user_connections,
		.message_rate = rate_conf(cf->message_rate,
					  cf->message_burst),
		.delivery_timeout_ms = cf->delivery_timeout,
		.recovery_window_ms = cf->recovery_window,
		.recovery_events = cf->recovery_events,
		.catch_up_bytes = cf->outbox_limit / 4,
		.push_ttl_ms = cf->push_ttl,
		.push_requeue_ms = cf->push_requeue,
		.jwt_leeway_ms = cf->jwt_leeway,
		.lease_ms = cf->lease,
	};
	c->key = auth_key_hs256(cf->jwt_secret);
	if (c->key == NULL)
		log_fatal("jwt_secret is empty");
	chat_init(c);
	w->sio = sio_server_new(w->hello.instance);
	ops = chat_sio_ops(c);
	sio_server_namespace(w->sio, "/", &ops);
}

static void build_transport(struct worker *w)
{
	const struct conf *cf = w->conf;
	struct eio_conf eio = {
		.instance = w->hello.instance,
		.ping_interval_ms = (unsigned)cf->ping_interval,
		.ping_timeout_ms = (unsigned)cf->ping_timeout,
		.connect_timeout_ms = (unsigned)cf->connect_timeout,
		.upgrade_timeout_ms = (unsigned)cf->upgrade_timeout,
		.max_payload = cf->max_payload,
		.outbox_limit = cf->outbox_limit,
	};
	struct ws_conf ws = {
		.max_payload = cf->max_payload,
		.deflate = cf->permessage_deflate,
	};
	struct listener_conf listener = {
		.head_timeout_ms = (unsigned)cf->head_timeout,
		.body_timeout_ms = (unsigned)cf->body_timeout,
		.keepalive_timeout_ms = (unsigned)cf->keepalive_timeout,
		.max_payload = cf->max_payload,
		.allowed_origins = cf->allowed_origins,
		.cors_credentials = cf->cors_credentials,
		.trusted_proxies = cf->trusted_proxies,
		.proxy_protocol_from = cf->proxy_protocol_from,
		.connect_rate = rate_conf(cf->connect_rate, cf->connect_burst),
		.instance = w->hello.instance,
		.run_dir = cf->run_dir,
		.handover_fd = WORKER_FD_HANDOVER,
	};
	struct eio_ops up = sio_server_eio_ops(w->sio);

	w->sessions = eio_sessions_new(w->loop, &eio, &up);
	w->ws = ws_new(w->loop, w->sessions, &ws);
	w->listener = listener_new(w->loop, w->sessions, w->ws, &listener);
	listener_add(w->listener, w->hello.slot, WORKER_FD_LISTEN);
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
		.master_gone = on_master_gone,
		.arg = w,
	};

	w->loop = loop_new();
	timer_init(&w->heartbeat, w->loop, on_heartbeat, w);
	on_heartbeat(w);
	timer_init(&w->stop_timer, w->loop, stop_step, w);
	build_backends(w);
	build_chat(w);
	build_transport(w);
	w->master = master_link_new(w->loop, WORKER_FD_IPC, &master);
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
	redis_free(&w->redis);
	sio_server_free(&w->sio);
	chat_free(c);
	auth_key_free(&c->key);
	timer_free(&w->heartbeat);
	timer_free(&w->stop_timer);
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
	master_link_ready(w.master, w.hello.instance);
	log_info("serving slot=%u pid=%d", w.hello.slot, (int)getpid());
	loop_run(w.loop);
	tear_down(&w);
	return 0;
}
