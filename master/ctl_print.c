#include "master/ctl_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/base.h"
#include "master/backend_rows.h"

static int64_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "-";
}

/* The two largest units: "3d 4h", "12s". */
static void duration(int64_t ms, char *out, size_t n)
{
	int64_t s = ms / 1000;

	if (s >= 86400)
		snprintf(out, n, "%" PRId64 "d %" PRId64 "h", s / 86400,
			 s % 86400 / 3600);
	else if (s >= 3600)
		snprintf(out, n, "%" PRId64 "h %" PRId64 "m", s / 3600,
			 s % 3600 / 60);
	else if (s >= 60)
		snprintf(out, n, "%" PRId64 "m %" PRId64 "s", s / 60, s % 60);
	else
		snprintf(out, n, "%" PRId64 "s", s);
}

#define COLUMNS 10
#define CELL 24

/* A table whose columns are as wide as their widest cell; one row at a time is
 * given by cells(), row -1 being the heads. Columns from `right` on are numbers
 * and set to the right. */
static void print_table(int rows, size_t right,
			void (*cells)(const void *arg, int row,
				      char out[COLUMNS][CELL]),
			const void *arg, size_t columns)
{
	size_t width[COLUMNS] = { 0 };
	char row[COLUMNS][CELL];

	for (int i = -1; i < rows; i++) {
		cells(arg, i, row);
		for (size_t c = 0; c < columns; c++)
			if (strlen(row[c]) > width[c])
				width[c] = strlen(row[c]);
	}
	for (int i = -1; i < rows; i++) {
		cells(arg, i, row);
		for (size_t c = 0; c < columns; c++) {
			int w = (int)width[c];

			if (c >= right)
				printf("%s%*s", c > 0 ? "  " : "", w, row[c]);
			else
				printf("%s%-*s", c > 0 ? "  " : "",
				       c + 1 < columns ? w : 0, row[c]);
		}
		putchar('\n');
	}
}

static void number_cell(char out[CELL], const json_t *v)
{
	if (json_is_integer(v))
		snprintf(out, CELL, "%" PRId64, (int64_t)json_integer_value(v));
	else
		snprintf(out, CELL, "-");
}

static void head_cells(char out[COLUMNS][CELL], const char *const *heads,
		       size_t n)
{
	for (size_t c = 0; c < n; c++)
		snprintf(out[c], CELL, "%s", heads[c]);
}

#define STATUS_COLUMNS 10

static void status_cells(const void *arg, int row, char out[COLUMNS][CELL])
{
	static const char *const heads[] = { "slot", "instance", "pid", "state",
					     "uptime", "connections", "polling",
					     "users", "messages", "restarts" };
	const json_t *slot, *stats;

	if (row == -1) {
		head_cells(out, heads, STATUS_COLUMNS);
		return;
	}
	slot = json_array_get(json_object_get(arg, "slots"), (size_t)row);
	stats = json_object_get(slot, "stats");
	number_cell(out[0], json_object_get(slot, "slot"));
	number_cell(out[1], json_object_get(slot, "instance"));
	number_cell(out[2], json_object_get(slot, "pid"));
	snprintf(out[3], CELL, "%.20s", text(slot, "state"));
	if (json_is_integer(json_object_get(slot, "uptime_ms")))
		duration(number(slot, "uptime_ms"), out[4], CELL);
	else
		snprintf(out[4], CELL, "-");
	number_cell(out[5], json_object_get(stats, "connections"));
	number_cell(out[6], json_object_get(stats, "sessions_polling"));
	number_cell(out[7], json_object_get(stats, "users"));
	number_cell(out[8], json_object_get(stats, "messages_accepted"));
	number_cell(out[9], json_object_get(slot, "restarts"));
}

struct count {
	const char *key, *text;
};

static const struct count message_counts[] = {
	{ "messages_accepted", "accepted" },
	{ "messages_duplicate", "sent again" },
	{ "messages_failed", "failed" },
	{ "messages_emitted", "written to devices" },
	{ "messages_confirmed", "confirmed" },
	{ "messages_read", "read" },
	{ "push_queued", "pushes queued" },
	{ "push_refused", "pushes refused" },
	{ NULL, NULL },
};

static const struct count session_counts[] = {
	{ "upgrades", "upgraded" },
	{ "handed_over", "handed over" },
	{ "handover_failed", "hand-overs failed" },
	{ "http_timeouts", "too slow" },
	{ "http_refused", "requests refused" },
	{ "auth_failed", "tokens refused" },
	{ NULL, NULL },
};

static const struct count closed_counts[] = {
	{ "closed_client", "client left" },
	{ "closed_ping_timeout", "no pong" },
	{ "closed_outbox", "does not read" },
	{ "closed_auth", "token expired" },
	{ "closed_too_large", "too large" },
	{ "closed_parse", "not Engine.IO" },
	{ "closed_protocol", "not Socket.IO" },
	{ "closed_server", "stopped" },
	{ NULL, NULL },
};

static const struct count limit_counts[] = {
	{ "limited_connects", "connect_rate" },
	{ "limited_users", "user_connections" },
	{ "limited_messages", "message_rate" },
	{ "limited_content", "size of an event" },
	{ NULL, NULL },
};

#define LABEL "  %-20s  "

/* What there is to tell, of what there could be. */
static void print_counts(const char *label, const json_t *totals,
			 const struct count *counts)
{
	bool any = false;

	printf(LABEL, label);
	for (; counts->key != NULL; counts++) {
		int64_t n = number(totals, counts->key);

		if (n != 0)
			printf("%s%s %" PRId64, any ? ", " : "", counts->text,
			       n);
		any = any || n != 0;
	}
	puts(any ? "" : "none");
}

static void print_backend(const char *name, const json_t *data, const char *key)
{
	int64_t ready = number(data, "ready");
	int64_t up = number(json_object_get(data, "totals"), key);
	const char *state = up == 0 ? "down" : up < ready ? "partly up" : "up";

	printf(LABEL "%s", name, state);
	if (up != 0 && up < ready)
		printf(" (%" PRId64 " of %" PRId64 " workers)", up, ready);
	putchar('\n');
}

static void print_head(const json_t *data)
{
	bool v6 = strchr(text(data, "host"), ':') != NULL;
	char up[32];

	duration(number(data, "uptime_ms"), up, sizeof(up));
	printf("pairwire %s on %s: %s, %s%s%s:%" PRId64 ", up %s, %" PRId64
	       " of %" PRId64 " workers ready\n", text(data, "version"),
	       text(data, "node"), text(data, "state"), v6 ? "[" : "",
	       text(data, "host"), v6 ? "]" : "", number(data, "port"), up,
	       number(data, "ready"), number(data, "workers"));
	if (json_is_string(json_object_get(data, "admin")))
		printf("metrics and health: http://%s\n", text(data, "admin"));
	putchar('\n');
}

void print_status(const json_t *data)
{
	const json_t *totals = json_object_get(data, "totals");

	print_head(data);
	print_table((int)json_array_size(json_object_get(data, "slots")), 5,
		    status_cells, data, STATUS_COLUMNS);
	printf("\nin all: %" PRId64 " connections, %" PRId64 " sessions (%"
	       PRId64 " polling), %" PRId64 " users; %" PRId64
	       " online in the cluster\n", number(totals, "connections"),
	       number(totals, "sessions"), number(totals, "sessions_polling"),
	       number(totals, "users"), number(totals, "cluster_online_users"));
	printf("\nsince the start:\n");
	print_counts("messages", totals, message_counts);
	print_counts("connections", totals, session_counts);
	print_counts("sessions closed", totals, closed_counts);
	print_counts("refused by limits", totals, limit_counts);
	printf("\nbackends:\n");
#define BACKEND_PRINT(name, gauge, what) print_backend(what, data, #gauge);
	BACKEND_ROWS(BACKEND_PRINT)
#undef BACKEND_PRINT
}

#define USER_COLUMNS 5

/* since: a time as text, or ms since the epoch. */
static void since_cell(char out[CELL], const json_t *v)
{
	time_t s = (time_t)(json_integer_value(v) / 1000);
	struct tm tm;

	if (json_is_string(v))
		snprintf(out, CELL, "%.23s", json_string_value(v));
	else if (json_is_integer(v) && gmtime_r(&s, &tm) != NULL)
		strftime(out, CELL, "%Y-%m-%dT%H:%M:%SZ", &tm);
	else
		snprintf(out, CELL, "-");
}

static void user_cells(const void *arg, int row, char out[COLUMNS][CELL])
{
	static const char *const heads[] = { "sid", "transport", "since", "slot",
					     "instance" };
	const json_t *device;

	if (row == -1) {
		head_cells(out, heads, USER_COLUMNS);
		return;
	}
	device = json_array_get(json_object_get(arg, "devices"), (size_t)row);
	snprintf(out[0], CELL, "%.23s", text(device, "sid"));
	snprintf(out[1], CELL, "%.23s", text(device, "transport"));
	since_cell(out[2], json_object_get(device, "since"));
	number_cell(out[3], json_object_get(device, "slot"));
	number_cell(out[4], json_object_get(device, "instance"));
}

void print_user(const json_t *data)
{
	const json_t *devices = json_object_get(data, "devices");
	const json_t *silent = json_object_get(data, "unanswered");

	if (json_array_size(devices) == 0)
		printf("no device of this user is connected to this host\n");
	else
		print_table((int)json_array_size(devices), 3, user_cells, data,
			    USER_COLUMNS);
	for (size_t i = 0; i < json_array_size(silent); i++) {
		const json_t *one = json_array_get(silent, i);

		printf("slot %" PRId64 " (instance %" PRId64 "): %s\n",
		       number(one, "slot"), number(one, "instance"),
		       text(one, "reason"));
	}
}

#define EXPLAIN_COLUMNS 6

static void explain_detail(char out[CELL], const json_t *event)
{
	const json_t *us = json_object_get(event, "after_arrival_us");
	const json_t *instances = json_object_get(event, "instances");
	const json_t *devices = json_object_get(event, "devices");
	int64_t n = json_integer_value(instances != NULL ? instances : devices);

	if (us != NULL)
		snprintf(out, CELL, "%.1f ms after it came",
			 (double)json_integer_value(us) / 1000);
	else if (instances != NULL || devices != NULL)
		snprintf(out, CELL, "to %" PRId64 " %s%s", n,
			 instances != NULL ? "worker" : "device",
			 n != 1 ? "s" : "");
	else
		out[0] = '\0';
}

static void explain_cells(const void *arg, int row, char out[COLUMNS][CELL])
{
	static const char *const heads[] = { "time", "event", "", "after ms",
					     "slot", "instance" };
	const json_t *events = json_object_get(arg, "events");
	const json_t *event = json_array_get(events, (size_t)row);
	const char *time = strchr(text(event, "time"), 'T');

	if (row == -1) {
		head_cells(out, heads, EXPLAIN_COLUMNS);
		return;
	}
	snprintf(out[0], CELL, "%.15s", time != NULL ? time + 1 : "-");
	snprintf(out[1], CELL, "%.23s", text(event, "event"));
	explain_detail(out[2], event);
	snprintf(out[3], CELL, "%.3f",
		 (double)(number(event, "us") -
			  number(json_array_get(events, 0), "us")) / 1000);
	number_cell(out[4], json_object_get(event, "slot"));
	snprintf(out[5], CELL, "%" PRId64 "%s", number(event, "instance"),
		 json_is_false(json_object_get(event, "alive")) ? " (died)" : "");
}

void print_explain(const json_t *data)
{
	const json_t *events = json_object_get(data, "events");

	if (json_array_size(events) == 0) {
		printf("no worker of this host remembers message %s\n",
		       text(data, "id"));
		return;
	}
	printf("message %s on %.10s (UTC):\n\n", text(data, "id"),
	       text(json_array_get(events, 0), "time"));
	print_table((int)json_array_size(events), 3, explain_cells, data,
		    EXPLAIN_COLUMNS);
}
