#include "pushd/pushd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/backend/redis.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/conf/conf.h"
#include "common/conf/conf_change.h"
#include "common/loop/loop.h"
#include "common/queue/push_queue.h"
#include "common/service/journal.h"
#include "common/service/notify.h"
#include "common/store/message_store.h"
#include "pushd/apps.h"
#include "pushd/delivery.h"
#include "pushd/devices.h"
#include "pushd/marks.h"
#include "pushd/meters.h"
#include "pushd/operations.h"
#include "pushd/templates.h"

#define NAME_MAX_LEN 96
/* What a stop takes beyond stop_timeout. */
#define EXTEND_MS 10000

/* What is read from files. */
struct files {
	struct conf *conf;
	struct templates *templates;
};

/* The only place that sees every type. */
struct pushd {
	struct loop *loop;
	struct pushd_options options;
	struct conf *conf;	/* as it was when we started */
	struct templates *templates;
	char name[NAME_MAX_LEN];
	struct apps *apps;
	struct redis *redis;
	struct message_store *store;
	struct marks *marks;
	struct devices *devices;
	struct delivery *delivery;
	struct push_consumer *queue;
	struct operations *operations;
	struct timer stop_timer;
	bool stopping;
};

static void on_redis_state(void *arg, bool up)
{
	(void)arg;
	meter_set(METER_redis_up, up);
}

static void on_store_state(void *arg, bool up)
{
	(void)arg;
	meter_set(METER_store_up, up);
}

static void on_postgres_state(void *arg, bool up)
{
	(void)arg;
	meter_set(METER_postgres_up, up);
}

static void on_queue_state(void *arg, bool up)
{
	(void)arg;
	meter_set(METER_queue_up, up);
}

/* --- files --- */

static void files_clear(struct files *f)
{
	templates_free(&f->templates);
	conf_free(&f->conf);
}

static int files_read(const struct pushd_options *o, struct files *out,
		      char err[PUSHD_ERR_MAX])
{
	struct files f = { 0 };
	int rc = conf_load(o->conf_path, CONF_FOR_PUSHD, &f.conf, err);

	if (rc == 0)
		rc = templates_load(f.conf->push_templates, &f.templates, err);
	if (rc != 0)
		files_clear(&f);
	else
		*out = f;
	return rc;
}

int pushd_check(const struct pushd_options *o, char err[PUSHD_ERR_MAX])
{
	struct files f = { 0 };
	struct loop *l = loop_new();
	struct apps *apps = NULL;
	char why[256] = "";
	int rc = files_read(o, &f, err);

	if (rc == 0)
		rc = apps_new(l, f.conf, o->dry, &apps, err);
	if (rc == 0 && push_queue_check(f.conf->push_queue_url, why) != 0) {
		snprintf(err, PUSHD_ERR_MAX, "push_queue_url: %s", why);
		rc = -EINVAL;
	}
	apps_free(&apps);
	loop_free(&l);
	files_clear(&f);
	return rc;
}

/* Those whose change is seen by a restart only. */
static const char *const restart_keys[] = {
	"database_timeout", "database_url", "node", "push_group", "push_guard",
	"push_guard_hold", "push_in_flight", "push_queue_url", "push_ttl",
	"pushd_lease", "pushd_listen", "pushd_name", "redis_db", "redis_host",
	"redis_password", "redis_port", "redis_timeout", "skip_if_delivered",
	"status_interval", "stop_timeout", "store_timeout", "store_url",
};

static void collect(void *arg, const char *key, enum conf_when when)
{
	struct buf *keys = arg;

	(void)when;	/* in the server */
	for (size_t i = 0; i < ARRAY_SIZE(restart_keys); i++)
		if (strcmp(restart_keys[i], key) == 0)
			buf_printf(keys, " %s", key);
}

static void tell_what_needs_a_restart(const struct conf *was,
				      const struct conf *is)
{
	struct buf keys = { 0 };

	conf_diff(was, is, collect, &keys);
	if (keys.len > 0)
		log_warn("changed, but only a restart takes it:%s",
			 buf_str(&keys));
	buf_free(&keys);
}

static void set_log_level(const struct conf *conf)
{
	enum log_level level = LOG_LVL_INFO;

	if (log_level_parse(conf->log_level, &level) == 0)
		log_init("pushd", level);
}

void pushd_reload(struct pushd *p)
{
	struct files fresh = { 0 };
	char err[PUSHD_ERR_MAX];
	int rc;

	if (p->stopping)
		return;
	notify_reloading();
	rc = files_read(&p->options, &fresh, err);
	if (rc == 0)
		rc = apps_reload(p->apps, fresh.conf, err);
	if (rc != 0) {
		meter_inc(METER_reloads_failed);
		log_err("reload refused, nothing has changed: %s", err);
		files_clear(&fresh);
	} else {
		meter_inc(METER_reloads);
		set_log_level(fresh.conf);
		tell_what_needs_a_restart(p->conf, fresh.conf);
		delivery_reloaded(p->delivery, fresh.templates);
		templates_free(&p->templates);
		p->templates = fresh.templates;
		conf_free(&fresh.conf);
		log_info("configuration, texts and credentials read again");
	}
	notify_ready();
}

/* --- building the graph --- */

static void build_backends(struct pushd *p, const struct conf *conf)
{
	struct redis_conf redis = {
		.name = p->name,
		.host = conf->redis_host,
		.port = (unsigned)conf->redis_port,
		.password = conf->redis_password,
		.db = (unsigned)conf->redis_db,
		.timeout_ms = (unsigned)conf->redis_timeout,
	};

	p->redis = redis_new(p->loop, &redis, on_redis_state, p);
	p->marks = marks_new(p->redis);
	p->devices = devices_new(p->loop, conf->database_url,
				 (unsigned)conf->database_timeout,
				 on_postgres_state, p);
}

static int build_store(struct pushd *p, const struct conf *conf,
		       char err[PUSHD_ERR_MAX])
{
	struct message_store_conf store = {
		.url = conf->store_url,
		.name = p->name,
		.lanes = 1,
		.timeout_ms = (unsigned)conf->store_timeout,
		.queue_max = 1,
	};
	char why[256] = "";

	p->store = message_store_new(p->loop, &store, on_store_state, p, why);
	if (p->store != NULL)
		return 0;
	snprintf(err, PUSHD_ERR_MAX, "store_url: %s", why);
	return -EINVAL;
}

static void build_delivery(struct pushd *p, const struct conf *conf)
{
	struct delivery_conf delivery = {
		.max_in_flight = (unsigned)conf->push_in_flight,
		.ttl_ms = conf->push_ttl,
		.skip_if_delivered = conf->skip_if_delivered,
		.owes = strncmp(conf->push_queue_url, "redis", 5) == 0,
		.guard_share = (unsigned)conf->push_guard,
		.guard_hold_ms = conf->push_guard_hold,
	};
	struct delivery_parts parts = { p->apps, p->devices, p->marks, p->store,
					p->templates };

	p->delivery = delivery_new(p->loop, &delivery, &parts);
}

static int build_queue(struct pushd *p, const struct conf *conf,
		       char err[PUSHD_ERR_MAX])
{
	struct push_consumer_conf queue = {
		.url = conf->push_queue_url,
		.group = conf->push_group,
		.consumer = conf->pushd_name,
		.max_in_flight = (unsigned)conf->push_in_flight,
		.claim_idle_ms = (unsigned)conf->pushd_lease,
		.timeout_ms = (unsigned)conf->redis_timeout,
		/* of a partition that goes elsewhere, as of a stop */
		.revoke_timeout_ms = (unsigned)conf->stop_timeout,
		.state = on_queue_state,
	};
	char why[256] = "", wrong[256];

	p->queue = push_consumer_new(p->loop, &queue, delivery_event,
				     p->delivery, why);
	if (p->queue == NULL) {
		snprintf(err, PUSHD_ERR_MAX, "push_queue_url: %s", why);
		/* Kafka's library has threads to start, too. */
		return push_queue_check(queue.url, wrong) != 0 ? -EINVAL :
								 -EAGAIN;
	}
	delivery_start(p->delivery, p->queue);
	return 0;
}

static void on_stop_timeout(void *arg)
{
	struct pushd *p = arg;

	log_warn("stopping without the outcome of %zu events: they will be "
		 "repeated", delivery_in_flight(p->delivery));
	loop_stop(p->loop);
}

static int build(struct pushd *p, char err[PUSHD_ERR_MAX])
{
	int rc = operations_new(p->conf, &p->operations, err);

	if (rc == 0)
		rc = apps_new(p->loop, p->conf, p->options.dry, &p->apps, err);
	if (rc != 0)
		return rc;
	snprintf(p->name, sizeof(p->name), "pushd:%s", p->conf->pushd_name);
	timer_init(&p->stop_timer, p->loop, on_stop_timeout, p);
	build_backends(p, p->conf);
	rc = build_store(p, p->conf, err);
	if (rc != 0)
		return rc;
	build_delivery(p, p->conf);
	rc = build_queue(p, p->conf, err);
	if (rc == 0)
		operations_start(p->operations, p->loop, p->delivery, p->queue);
	return rc;
}

int pushd_new(struct loop *l, const struct pushd_options *o, struct pushd **out,
	      char err[PUSHD_ERR_MAX])
{
	struct pushd *p = mem_zalloc(sizeof(*p));
	struct files f = { 0 };
	int rc = files_read(o, &f, err);

	p->loop = l;
	p->options = *o;
	p->conf = f.conf;
	p->templates = f.templates;
	if (rc == 0) {
		set_log_level(p->conf);
		rc = build(p, err);
	}
	if (rc != 0) {
		pushd_free(&p);
		return rc;
	}
	log_info("ready%s: queue=%.*s group=%s name=\"%s\"",
		 o->dry ? " (dry run)" : "",
		 (int)strcspn(p->conf->push_queue_url, ":"),
		 p->conf->push_queue_url, p->conf->push_group,
		 p->conf->pushd_name);
	if (operations_address(p->operations) != NULL)
		log_info("metrics and health: http://%s",
			 operations_address(p->operations));
	journal_settle();
	notify_ready();
	*out = p;
	return 0;
}

/* --- stopping --- */

static void on_idle(void *arg)
{
	struct pushd *p = arg;

	loop_stop(p->loop);
}

void pushd_stop(struct pushd *p)
{
	if (p->stopping) {
		log_info("stopping now");
		loop_stop(p->loop);
		return;
	}
	p->stopping = true;
	log_info("stopping in_flight=%zu", delivery_in_flight(p->delivery));
	notify_stopping();
	notify_extend(p->conf->stop_timeout + EXTEND_MS);
	operations_stopping(p->operations);
	timer_arm(&p->stop_timer, p->conf->stop_timeout);
	push_consumer_pause(p->queue, true);
	delivery_stop(p->delivery, on_idle, p);
}

/* Each before what it stands on. */
void pushd_free(struct pushd **pp)
{
	struct pushd *p = *pp;

	if (p == NULL)
		return;
	operations_free(&p->operations);
	delivery_free(&p->delivery);
	apps_free(&p->apps);
	push_consumer_free(&p->queue);
	devices_free(&p->devices);
	marks_free(&p->marks);
	message_store_free(&p->store);
	redis_free(&p->redis);
	timer_free(&p->stop_timer);
	templates_free(&p->templates);
	conf_free(&p->conf);
	free(p);
	*pp = NULL;
}
