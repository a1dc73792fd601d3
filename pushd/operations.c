#include "config.h"

#include "pushd/operations.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/conf/conf.h"
#include "common/loop/loop.h"
#include "common/queue/push_queue.h"
#include "common/service/exposition.h"
#include "common/service/notify.h"
#include "common/service/proc_stat.h"
#include "pushd/delivery.h"
#include "pushd/meters.h"

#define TELL_MS 5000
/* Longer than any wait that is meant: a provider may ask for an hour. */
#define STUCK_MS (75 * 60 * 1000)

struct operations {
	const struct conf *conf;
	const struct delivery *delivery;
	const struct push_consumer *queue;
	struct admin *admin;	/* NULL: off */
	struct timer tell;
	struct timer line;
	int64_t started_us;
	int64_t moved;		/* sum of what counts when something happens */
	int64_t moved_at_ms;
	bool stopping;
};

static const struct {
	const char *name;
	enum meter up;
} backends[] = {
	{ "queue", METER_queue_up },
	{ "postgres", METER_postgres_up },
	{ "redis", METER_redis_up },
	{ "store", METER_store_up },
};

static bool all_up(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(backends); i++)
		if (!meter_get(backends[i].up))
			return false;
	return true;
}

struct sums {
	int64_t sent, failed, retries;
};

static struct sums sum_up(void)
{
	struct sums s = { 0 };

	for (int i = 0; i < PROVIDER__COUNT; i++) {
		enum provider p = (enum provider)i;

		s.sent += meter_get_each(METER_sent, p);
		s.failed += meter_failed_all(p);
		s.retries += meter_get_each(METER_retries, p);
	}
	return s;
}

/* The loop turns, or nobody would ask. A backend that is away is not our being
 * stuck: to be started anew would not help. */
static bool is_well(void *arg)
{
	struct operations *o = arg;
	struct sums s = sum_up();
	int64_t moved = s.sent + s.failed + s.retries + meter_get(METER_events) +
			meter_get(METER_events_done);
	int64_t now = clock_mono_ms();

	if (moved != o->moved || delivery_in_flight(o->delivery) == 0 || !all_up())
		o->moved_at_ms = now;
	o->moved = moved;
	return now - o->moved_at_ms < STUCK_MS;
}

static void measure(const struct operations *o)
{
	meter_set(METER_in_flight, (int64_t)delivery_in_flight(o->delivery));
	meter_set(METER_queue_lag, push_consumer_lag(o->queue));
}

static void add_down(struct buf *out, const char *before)
{
	const char *separator = before;

	for (size_t i = 0; i < ARRAY_SIZE(backends); i++) {
		if (meter_get(backends[i].up))
			continue;
		buf_printf(out, "%s%s", separator, backends[i].name);
		separator = ",";
	}
}

static void on_tell(void *arg)
{
	struct operations *o = arg;
	struct sums s = sum_up();
	struct buf down = { 0 };

	timer_arm(&o->tell, TELL_MS);
	measure(o);
	add_down(&down, ", down: ");
	notify_status("%s%" PRId64 " sent, %" PRId64 " failed, %" PRId64
		      " in flight, lag %" PRId64 "%s%s",
		      o->stopping ? "stopping: " : "", s.sent, s.failed,
		      meter_get(METER_in_flight), meter_get(METER_queue_lag),
		      meter_get(METER_paused) ? ", paused" : "", buf_str(&down));
	buf_free(&down);
}

static void on_line(void *arg)
{
	struct operations *o = arg;
	struct sums s = sum_up();
	struct buf down = { 0 };

	timer_arm(&o->line, o->conf->status_interval);
	measure(o);
	add_down(&down, " backends_down=");
	log_info("status: events=%" PRId64 " done=%" PRId64 " in_flight=%" PRId64
		 " lag=%" PRId64 " sent=%" PRId64 " failed=%" PRId64
		 " retries=%" PRId64 " dead=%" PRId64 "%s%s",
		 meter_get(METER_events), meter_get(METER_events_done),
		 meter_get(METER_in_flight), meter_get(METER_queue_lag), s.sent,
		 s.failed, s.retries, meter_get(METER_events_dead),
		 meter_get(METER_paused) ? " paused" : "", buf_str(&down));
	buf_free(&down);
}

static void do_metrics(void *arg, struct admin_answer *out)
{
	const struct operations *o = arg;
	struct expo_process p = { .who = "pushd", .version = PACKAGE_VERSION,
				  .node = o->conf->node,
				  .started_us = o->started_us };
	struct proc_stat proc;

	if (proc_stat_read(getpid(), &proc) == 0) {
		p.cpu_us = proc.cpu_us;
		p.rss_bytes = proc.rss_bytes;
	}
	measure(o);
	out->type = EXPO_CONTENT_TYPE;
	meters_write(&p, &out->body);
}

static void do_healthz(void *arg, struct admin_answer *out)
{
	(void)arg;
	buf_adds(&out->body, "ok\n");
}

static void do_readyz(void *arg, struct admin_answer *out)
{
	const struct operations *o = arg;

	if (o->stopping)
		buf_adds(&out->body, "pushd=stopping\n");
	for (size_t i = 0; i < ARRAY_SIZE(backends); i++)
		if (!meter_get(backends[i].up))
			buf_printf(&out->body, "backend=%s state=down\n",
				   backends[i].name);
	if (out->body.len > 0)
		out->status = 503;
	else
		buf_adds(&out->body, "ok\n");
}

static const struct admin_page pages[] = {
	{ "/metrics", do_metrics },
	{ "/healthz", do_healthz },
	{ "/readyz", do_readyz },
};

int operations_new(const struct conf *conf, struct operations **out,
		   char err[ADMIN_ERR_MAX])
{
	struct admin *admin = NULL;
	int rc = 0;

	if (*conf->pushd_listen != '\0')
		rc = admin_new("pushd_listen", conf->pushd_listen, &admin, err);
	if (rc != 0)
		return rc;
	*out = mem_zalloc(sizeof(**out));
	(*out)->conf = conf;
	(*out)->admin = admin;
	(*out)->started_us = clock_wall_us();
	return 0;
}

void operations_start(struct operations *o, struct loop *l,
		      const struct delivery *d, const struct push_consumer *queue)
{
	o->delivery = d;
	o->queue = queue;
	o->moved_at_ms = clock_mono_ms();
	if (o->admin != NULL)
		admin_start(o->admin, l, pages, ARRAY_SIZE(pages), o);
	timer_init(&o->tell, l, on_tell, o);
	timer_arm(&o->tell, TELL_MS);
	timer_init(&o->line, l, on_line, o);
	if (o->conf->status_interval > 0)
		timer_arm(&o->line, o->conf->status_interval);
	notify_watchdog(l, is_well, o);
}

void operations_stopping(struct operations *o)
{
	o->stopping = true;
	on_tell(o);
}

void operations_free(struct operations **op)
{
	struct operations *o = *op;

	if (o == NULL)
		return;
	notify_end();
	timer_free(&o->line);
	timer_free(&o->tell);
	admin_free(&o->admin);
	free(o);
	*op = NULL;
}

const char *operations_address(const struct operations *o)
{
	return admin_name(o->admin);
}
