#include "ctl/top_sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "ctl/answer.h"

#define NUMBER_MAX 1000000000000000

static int64_t bounded(const json_t *v)
{
	int64_t n = json_integer_value(v);

	return n < 0 ? 0 : n < NUMBER_MAX ? n : NUMBER_MAX;
}

static int64_t number(const json_t *o, const char *key)
{
	return bounded(json_object_get(o, key));
}

static int64_t number_or(const json_t *o, const char *key, int64_t fallback)
{
	const json_t *v = json_object_get(o, key);

	return json_is_integer(v) ? bounded(v) : fallback;
}

/* "-" when there is none. */
static void text(const json_t *o, const char *key, char *out, size_t n)
{
	snprintf(out, n, "%s", answer_text(o, key));
}

static void read_histogram(const json_t *list, size_t nbounds,
			   struct top_histogram *out)
{
	out->count = bounded(json_array_get(list, 0));
	for (size_t i = 0; i < nbounds; i++)
		out->below[i] = bounded(json_array_get(list, i + 1));
}

static void read_worker(const json_t *o, size_t nbounds, struct top_worker *out)
{
	*out = (struct top_worker){
		.slot = number(o, "slot"),
		.instance = number_or(o, "instance", -1),
		.pid = number_or(o, "pid", -1),
		.uptime_ms = number_or(o, "uptime_ms", -1),
		.left_ms = number_or(o, "left_ms", -1),
		.connections = number_or(o, "connections", -1),
		.polling = number_or(o, "sessions_polling", -1),
		.users = number_or(o, "users", -1),
		.accepted = number(o, "messages_accepted"),
		.emitted = number(o, "messages_emitted"),
		.cpu_us = number_or(o, "cpu_us", -1),
		.rss = number_or(o, "rss", -1),
	};
	text(o, "state", out->state, sizeof(out->state));
	read_histogram(json_object_get(o, "store_us"), nbounds, &out->stored);
	read_histogram(json_object_get(o, "confirm_us"), nbounds,
		       &out->confirmed);
}

static int by_slot(const void *a, const void *b)
{
	const struct top_worker *x = a, *y = b;

	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	return x->instance < y->instance ? -1 : x->instance > y->instance;
}

static void read_lists(const json_t *data, struct top_sample *out)
{
	const json_t *bounds = json_object_get(data, "bounds_us");
	const json_t *backends = json_object_get(data, "backends");
	const json_t *workers = json_object_get(data, "workers"), *one;
	size_t i;

	json_array_foreach(bounds, i, one)
		if (i < TOP_BOUNDS)
			out->bounds_us[out->nbounds++] = bounded(one);
	json_array_foreach(backends, i, one) {
		struct top_backend *b = &out->backends[out->nbackends];

		if (i >= TOP_BACKENDS)
			break;
		text(one, "name", b->name, sizeof(b->name));
		b->workers = number(one, "workers");
		b->up = number(one, "up");
		out->nbackends++;
	}
	out->nworkers = json_array_size(workers);
	if (out->nworkers > TOP_WORKERS)
		out->nworkers = TOP_WORKERS;
	out->workers = mem_zalloc((out->nworkers + 1) * sizeof(*out->workers));
	for (i = 0; i < out->nworkers; i++)
		read_worker(json_array_get(workers, i), out->nbounds,
			    &out->workers[i]);
	qsort(out->workers, out->nworkers, sizeof(*out->workers), by_slot);
}

void top_sample_read(const json_t *data, struct top_sample *out)
{
	const json_t *upgrade = json_object_get(data, "upgrade");

	*out = (struct top_sample){
		.uptime_ms = number(data, "uptime_ms"),
		.mono_us = number(data, "mono_us"),
		.slots = number(data, "slots"),
		.ready = number(data, "ready"),
		.online = number(data, "online"),
	};
	text(data, "version", out->version, sizeof(out->version));
	text(data, "node", out->node, sizeof(out->node));
	text(data, "state", out->state, sizeof(out->state));
	text(upgrade, "state", out->upgrade, sizeof(out->upgrade));
	text(upgrade, "to", out->upgrade_to, sizeof(out->upgrade_to));
	text(upgrade, "reason", out->upgrade_why, sizeof(out->upgrade_why));
	read_lists(data, out);
}

void top_sample_free(struct top_sample *s)
{
	free(s->workers);
	*s = (struct top_sample){ 0 };
}

static const struct top_worker *find(const struct top_sample *s,
				     int64_t instance)
{
	for (size_t i = 0; i < s->nworkers; i++)
		if (s->workers[i].instance == instance)
			return &s->workers[i];
	return NULL;
}

/* How many of the interval were below the bound. */
static int64_t grown(const struct top_histogram *then,
		     const struct top_histogram *now, size_t bound)
{
	int64_t n = now->below[bound] - then->below[bound];

	return n > 0 ? n : 0;
}

/* Between the two bounds it lies in as if they were spread evenly. */
static int64_t percentile(const struct top_sample *s,
			  const struct top_histogram *then,
			  const struct top_histogram *now, int percent)
{
	int64_t n = now->count - then->count, low_us = 0, low = 0;
	double want = (double)n * percent / 100;

	if (n <= 0)
		return -1;
	for (size_t i = 0; i < s->nbounds; i++) {
		int64_t high = grown(then, now, i);

		if (high > low && (double)high >= want)
			return low_us + (int64_t)((want - (double)low) /
				(double)(high - low) *
				(double)(s->bounds_us[i] - low_us));
		low = high;
		low_us = s->bounds_us[i];
	}
	return low_us;
}

static double per_second(int64_t then, int64_t now, double seconds)
{
	return now > then ? (double)(now - then) / seconds : 0;
}

static void compare(const struct top_sample *s, const struct top_worker *then,
		    const struct top_worker *now, double seconds,
		    struct top_rates *out)
{
	*out = (struct top_rates){
		.accepted = per_second(then->accepted, now->accepted, seconds),
		.emitted = per_second(then->emitted, now->emitted, seconds),
		.cpu = now->cpu_us < 0 ? -1 :
			per_second(then->cpu_us, now->cpu_us, seconds) / 1e6,
		.stored_p50_us = percentile(s, &then->stored, &now->stored, 50),
		.stored_p99_us = percentile(s, &then->stored, &now->stored, 99),
		.confirmed_p50_us = percentile(s, &then->confirmed,
					       &now->confirmed, 50),
		.confirmed_p99_us = percentile(s, &then->confirmed,
					       &now->confirmed, 99),
	};
}

static const struct top_rates unknown = { -1, -1, -1, -1, -1, -1, -1 };

/* Another version of the master may cut elsewhere, after an upgrade. */
static void forget_others(const struct top_sample *before,
			  const struct top_sample *now, struct top_rates *out)
{
	if (before->nbounds == now->nbounds &&
	    memcmp(before->bounds_us, now->bounds_us,
		   now->nbounds * sizeof(*now->bounds_us)) == 0)
		return;
	out->stored_p50_us = out->stored_p99_us = -1;
	out->confirmed_p50_us = out->confirmed_p99_us = -1;
}

/* 0: nothing can be said. */
static double seconds_between(const struct top_sample *before,
			      const struct top_sample *now)
{
	if (before == NULL || now->mono_us <= before->mono_us)
		return 0;
	return (double)(now->mono_us - before->mono_us) / 1e6;
}

void top_rates_of(const struct top_sample *before, const struct top_sample *now,
		  const struct top_worker *w, struct top_rates *out)
{
	static const struct top_worker nothing = { 0 };
	double seconds = seconds_between(before, now);
	const struct top_worker *then;

	*out = unknown;
	if (seconds <= 0 || w->instance < 0)
		return;
	then = find(before, w->instance);
	compare(now, then != NULL ? then : &nothing, w, seconds, out);
	forget_others(before, now, out);
}

static void add(int64_t *sum, int64_t n)
{
	*sum += n > 0 ? n : 0;
}

static void add_histogram(struct top_histogram *sum,
			  const struct top_histogram *h, size_t nbounds)
{
	sum->count += h->count;
	for (size_t i = 0; i < nbounds; i++)
		sum->below[i] += h->below[i];
}

static void add_worker(struct top_worker *sum, const struct top_worker *w,
		       size_t nbounds)
{
	add(&sum->connections, w->connections);
	add(&sum->polling, w->polling);
	add(&sum->users, w->users);
	add(&sum->accepted, w->accepted);
	add(&sum->emitted, w->emitted);
	add(&sum->cpu_us, w->cpu_us);
	add(&sum->rss, w->rss);
	add_histogram(&sum->stored, &w->stored, nbounds);
	add_histogram(&sum->confirmed, &w->confirmed, nbounds);
}

void top_total(const struct top_sample *before, const struct top_sample *now,
	       struct top_worker *sum_out, struct top_rates *out)
{
	double seconds = seconds_between(before, now);
	struct top_worker then = { 0 };

	*sum_out = (struct top_worker){ .uptime_ms = -1, .left_ms = -1 };
	for (size_t i = 0; i < now->nworkers; i++) {
		const struct top_worker *w = &now->workers[i];
		const struct top_worker *was = before != NULL ?
			find(before, w->instance) : NULL;

		add_worker(sum_out, w, now->nbounds);
		if (was != NULL && w->instance >= 0)
			add_worker(&then, was, now->nbounds);
	}
	*out = unknown;
	if (seconds <= 0)
		return;
	compare(now, &then, sum_out, seconds, out);
	forget_others(before, now, out);
}
