#include "ctl/top_cells.h"

#include <inttypes.h>
#include <stdio.h>

/* Of one core, which is all that a worker can use. */
#define CPU_WARN 0.9
#define STORED_WARN_US 1000000

struct top_text top_digits(int64_t n)
{
	struct top_text t = { "-" };
	char plain[24];
	size_t len, at = 0;

	if (n < 0)
		return t;
	len = (size_t)snprintf(plain, sizeof(plain), "%" PRId64, n);
	for (size_t i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			t.text[at++] = ',';
		t.text[at++] = plain[i];
	}
	t.text[at] = '\0';
	return t;
}

/* With one digit behind the point while that fits. */
static void scaled(double n, const char *units, double step, struct top_text *t)
{
	while (n >= 999.5 && units[1] != '\0') {
		n /= step;
		units++;
	}
	snprintf(t->text, sizeof(t->text), n < 9.95 ? "%.1f%c" : "%.0f%c", n,
		 *units);
}

struct top_text top_count(double n, int width)
{
	struct top_text t = { "-" };

	if (n < 0)
		return t;
	if (snprintf(t.text, sizeof(t.text), "%.0f", n) > width)
		scaled(n / 1000, "kMGTP", 1000, &t);
	return t;
}

static struct top_text top_rate(double n, int width)
{
	struct top_text t;

	if (n <= 0 || n >= 9.95)
		return top_count(n, width);
	snprintf(t.text, sizeof(t.text), "%.1f", n);
	return t;
}

struct top_text top_time(int64_t us)
{
	struct top_text t = { "-" };
	double ms = (double)us / 1000;

	if (us < 0)
		return t;
	if (us < 1000)
		snprintf(t.text, sizeof(t.text), "%" PRId64 "us", us);
	else if (ms < 999.5)
		snprintf(t.text, sizeof(t.text), ms < 9.95 ? "%.1fms" : "%.0fms",
			 ms);
	else if (ms < 1e6 * 0.9995)
		snprintf(t.text, sizeof(t.text), ms < 9950 ? "%.1fs" : "%.0fs",
			 ms / 1000);
	else
		snprintf(t.text, sizeof(t.text), ">999s");
	return t;
}

struct top_text top_bytes(int64_t n)
{
	struct top_text t = { "-" };

	if (n >= 0)
		scaled((double)n / 1024, "KMGTP", 1024, &t);
	return t;
}

/* In four characters. */
static struct top_text short_span(int64_t ms)
{
	int64_t s = ms / 1000;
	struct top_text t = { "-" };

	if (ms < 0)
		return t;
	if (s < 100)
		snprintf(t.text, sizeof(t.text), "%" PRId64 "s", s);
	else if (s < 6000)
		snprintf(t.text, sizeof(t.text), "%" PRId64 "m", s / 60);
	else if (s < 360000)
		snprintf(t.text, sizeof(t.text), "%" PRId64 "h", s / 3600);
	else
		snprintf(t.text, sizeof(t.text), "%" PRId64 "d",
			 s / 86400 < 999 ? s / 86400 : 999);
	return t;
}

enum colour top_state_colour(const char *state)
{
	if (strcmp(state, "ready") == 0)
		return COLOUR_GOOD;
	if (strcmp(state, "backoff") == 0 || strcmp(state, "killed") == 0 ||
	    strcmp(state, "degraded") == 0)
		return COLOUR_BAD;
	return COLOUR_WARN;
}

#define CELL(name)                                                           \
	static void name(const struct top_worker *w, const struct top_rates *r, \
			 int width, struct top_cell *out)
#define SET(...) snprintf(out->text, sizeof(out->text), __VA_ARGS__)

static void set_count(struct top_cell *out, int64_t n, int width)
{
	SET("%s", top_count((double)n, width).text);
}

/* A name, not a quantity: all of it. */
static void set_name(struct top_cell *out, int64_t n)
{
	if (n < 0)
		SET("-");
	else
		SET("%" PRId64, n);
}

CELL(fill_slot)
{
	(void)r;
	(void)width;
	set_name(out, w->slot);
}

CELL(fill_instance)
{
	(void)r;
	(void)width;
	set_name(out, w->instance);
}

CELL(fill_pid)
{
	(void)r;
	(void)width;
	set_name(out, w->pid);
}

CELL(fill_state)
{
	(void)r;
	out->colour = top_state_colour(w->state);
	if (w->left_ms >= 0 && strcmp(w->state, "draining") == 0)
		SET("drain %s", short_span(w->left_ms).text);
	else
		SET("%.*s", width, w->state);
}

CELL(fill_up)
{
	(void)r;
	(void)width;
	SET("%s", short_span(w->uptime_ms).text);
}

CELL(fill_connections)
{
	(void)r;
	set_count(out, w->connections, width);
}

CELL(fill_polling)
{
	(void)r;
	set_count(out, w->polling, width);
}

CELL(fill_users)
{
	(void)r;
	set_count(out, w->users, width);
}

CELL(fill_accepted)
{
	(void)w;
	SET("%s", top_rate(r->accepted, width).text);
}

CELL(fill_emitted)
{
	(void)w;
	SET("%s", top_rate(r->emitted, width).text);
}

CELL(fill_stored_p50)
{
	(void)w;
	(void)width;
	SET("%s", top_time(r->stored_p50_us).text);
}

CELL(fill_stored_p99)
{
	(void)w;
	(void)width;
	SET("%s", top_time(r->stored_p99_us).text);
	if (r->stored_p99_us >= STORED_WARN_US)
		out->colour = COLOUR_BAD;
}

CELL(fill_confirmed_p50)
{
	(void)w;
	(void)width;
	SET("%s", top_time(r->confirmed_p50_us).text);
}

CELL(fill_confirmed_p99)
{
	(void)w;
	(void)width;
	SET("%s", top_time(r->confirmed_p99_us).text);
}

CELL(fill_cpu)
{
	(void)w;
	if (r->cpu < 0)
		SET("-");
	else
		SET("%s%%", top_count(r->cpu * 100, width - 1).text);
	if (r->cpu >= CPU_WARN)
		out->colour = COLOUR_WARN;
}

CELL(fill_rss)
{
	(void)r;
	(void)width;
	SET("%s", top_bytes(w->rss).text);
}

/* 80 columns hold all but rank 6. */
const struct top_column top_columns[TOP_COLUMNS] = {
	{ NULL, "slot", 4, 4, 0, false, fill_slot, "all" },
	{ NULL, "inst", 7, 7, 4, false, fill_instance, "" },
	{ NULL, "pid", 7, 7, 6, false, fill_pid, "" },
	{ NULL, "state", 9, 10, 0, true, fill_state, "" },
	{ NULL, "up", 4, 4, 6, false, fill_up, "" },
	{ NULL, "conns", 6, 8, 0, false, fill_connections, NULL },
	{ NULL, "polling", 7, 8, 6, false, fill_polling, NULL },
	{ NULL, "users", 5, 8, 3, false, fill_users, NULL },
	{ NULL, "in", 4, 7, 1, false, fill_accepted, NULL },
	{ "messages/s", "out", 4, 7, 1, false, fill_emitted, NULL },
	{ NULL, "p50", 5, 6, 2, false, fill_stored_p50, NULL },
	{ "stored in", "p99", 5, 6, 2, false, fill_stored_p99, NULL },
	{ NULL, "p50", 5, 6, 5, false, fill_confirmed_p50, NULL },
	{ "confirmed", "p99", 5, 6, 5, false, fill_confirmed_p99, NULL },
	{ NULL, "cpu", 5, 5, 1, false, fill_cpu, NULL },
	{ NULL, "mem", 4, 5, 1, false, fill_rss, NULL },
};
