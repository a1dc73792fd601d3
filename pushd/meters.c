#include "pushd/meters.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "common/service/exposition.h"

enum kind { KIND_COUNTER, KIND_GAUGE, KIND_EACH };

#define METERS_ROW(kind, name, help) { KIND_##kind, #name, help },
static const struct {
	enum kind kind;
	const char *name;
	const char *help;
} rows[METER__COUNT] = { METERS_TABLE(METERS_ROW) };

static const char *const provider_labels[PROVIDER__COUNT] = {
	[PROVIDER_FCM] = "provider=\"fcm\"",
	[PROVIDER_APNS] = "provider=\"apns\"",
};

/* A bucket ends where stats_bounds_us[] says; the last has no end. */
struct histogram {
	uint64_t bucket[STATS_BOUNDS + 1];
	uint64_t sum_us;
};

static int64_t values[METER__COUNT];
static int64_t each[METER__COUNT][PROVIDER__COUNT];
static int64_t *failed[PROVIDER__COUNT];	/* as outcome_reasons() */
static struct histogram latency[PROVIDER__COUNT];

void meter_add(enum meter m, int64_t n)
{
	values[m] += n;
}

void meter_set(enum meter m, int64_t v)
{
	values[m] = v;
}

void meter_add_each(enum meter m, enum provider p, int64_t n)
{
	each[m][p] += n;
}

int64_t meter_get(enum meter m)
{
	return values[m];
}

int64_t meter_get_each(enum meter m, enum provider p)
{
	return each[m][p];
}

static size_t count_reasons(const char *const *reasons)
{
	size_t n = 0;

	while (reasons[n] != NULL)
		n++;
	return n;
}

/* Made on first use, and kept for good. */
static int64_t *failed_of(enum provider p)
{
	if (failed[p] == NULL)
		failed[p] = mem_zalloc(count_reasons(outcome_reasons(p)) *
				       sizeof(**failed));
	return failed[p];
}

/* The last one is "other". */
void meter_failed(enum provider p, const char *reason)
{
	const char *const *reasons = outcome_reasons(p);
	size_t i = 0;

	while (reasons[i + 1] != NULL && strcmp(reasons[i], reason) != 0)
		i++;
	failed_of(p)[i]++;
}

int64_t meter_failed_all(enum provider p)
{
	size_t n = count_reasons(outcome_reasons(p));
	int64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += failed_of(p)[i];
	return sum;
}

void meter_latency(enum provider p, int64_t us)
{
	struct histogram *h = &latency[p];
	size_t i = 0;

	while (i < STATS_BOUNDS && us >= stats_bounds_us[i])
		i++;
	h->bucket[i]++;
	h->sum_us += us > 0 ? (uint64_t)us : 0;
}

static void add_row(struct buf *out, enum meter m)
{
	bool gauge = rows[m].kind == KIND_GAUGE;
	char name[96];

	snprintf(name, sizeof(name), "pairwire_pushd_%s%s", rows[m].name,
		 gauge ? "" : "_total");
	expo_head(out, name, gauge ? "gauge" : "counter", rows[m].help);
	if (rows[m].kind != KIND_EACH) {
		buf_printf(out, "%s %" PRId64 "\n", name, values[m]);
		return;
	}
	for (int p = 0; p < PROVIDER__COUNT; p++)
		buf_printf(out, "%s{%s} %" PRId64 "\n", name,
			   provider_labels[p], each[m][p]);
}

/* Also those that never were: a rate needs the 0 before the first. */
static void add_failed(struct buf *out)
{
	static const char name[] = "pairwire_pushd_failed_total";

	expo_head(out, name, "counter",
		  "answers of a provider that were not ok, and missing ones");
	for (int p = 0; p < PROVIDER__COUNT; p++) {
		const char *const *reasons = outcome_reasons((enum provider)p);

		for (size_t i = 0; reasons[i] != NULL; i++) {
			buf_printf(out, "%s{%s", name, provider_labels[p]);
			expo_label(out, ",reason", reasons[i]);
			buf_printf(out, "} %" PRId64 "\n",
				   failed_of((enum provider)p)[i]);
		}
	}
}

static void add_latency(struct buf *out)
{
	static const char name[] = "pairwire_pushd_latency_seconds";

	expo_head(out, name, "histogram",
		  "from sending a notification to the provider's answer");
	for (int p = 0; p < PROVIDER__COUNT; p++) {
		uint64_t below[STATS_BOUNDS], n = 0;

		for (size_t i = 0; i < STATS_BOUNDS; i++) {
			n += latency[p].bucket[i];
			below[i] = n;
		}
		expo_histogram(out, name, provider_labels[p], below,
			       latency[p].sum_us,
			       n + latency[p].bucket[STATS_BOUNDS]);
	}
}

void meters_write(const struct expo_process *p, struct buf *out)
{
	expo_build(out, "pairwire_pushd_build_info", p);
	expo_process(out, p);
	for (int m = 0; m < METER__COUNT; m++)
		add_row(out, (enum meter)m);
	add_failed(out);
	add_latency(out);
}
