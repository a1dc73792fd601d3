#include <inttypes.h>
#include <stdio.h>

#include "common/ipc/backend_rows.h"
#include "ctl/answer.h"
#include "ctl/print.h"
#include "ctl/table.h"
#include "ctl/upgrade.h"
#include "ctl/worker_cells.h"

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
	{ "push_queued", "put into the push queue" },
	{ "push_refused", "not taken by the push queue" },
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
#define COLUMNS 80

/* What there is to tell, of what there could be, in lines of 80 columns. */
static void print_counts(const char *label, const json_t *totals,
			 const struct count *counts)
{
	int at = printf(LABEL, label), begin = at;

	for (; counts->key != NULL; counts++) {
		int64_t n = answer_number(totals, counts->key);
		char text[64];
		int len = snprintf(text, sizeof(text), "%s %" PRId64,
				   counts->text, n);

		if (n == 0)
			continue;
		if (at > begin)
			at += printf(",");
		if (at > begin && at + 1 + len > COLUMNS - 1)
			at = printf("\n%*s", begin, "") - 1;
		at += printf("%s%s", at > begin ? " " : "", text);
	}
	puts(at > begin ? "" : "none");
}

static void print_backend(const char *name, const json_t *data, const char *key)
{
	int64_t ready = answer_number(data, "ready");
	int64_t up = answer_number(json_object_get(data, "totals"), key);
	const char *state = up == 0 ? "down" : up < ready ? "partly up" : "up";
	enum colour c = up == 0 ? COLOUR_BAD : up < ready ? COLOUR_WARN :
							    COLOUR_NONE;

	printf(LABEL "%s%s%s", name, colour_on(stdout, c), state,
	       colour_off(stdout, c));
	if (up != 0 && up < ready)
		printf(" (%" PRId64 " of %" PRId64 " workers)", up, ready);
	putchar('\n');
}

static void print_upgrade_news(const json_t *status)
{
	const json_t *upgrade = json_object_get(status, "upgrade");
	const char *state = answer_text(upgrade, "state");
	bool failed = strcmp(state, "failed") == 0;

	if (!failed && strcmp(state, "running") != 0)
		return;
	printf("upgrade");
	if (json_is_string(json_object_get(upgrade, "to")))
		printf(" %s -> %s", answer_text(upgrade, "from"),
		       answer_text(upgrade, "to"));
	printf(": %s%s%s\n", state, failed ? ": " : "",
	       failed ? answer_text(upgrade, "reason") : "");
	if (failed)
		print_half_upgraded(stdout, status);
}

/* Keys for which new workers have to come. */
static void print_waiting(const json_t *waiting)
{
	bool first = true;
	const char *key;
	json_t *n;

	json_object_foreach((json_t *)(uintptr_t)waiting, key, n) {
		printf("%s%s", first ? "workers have an older " : ", ", key);
		first = false;
	}
	if (!first)
		puts(":\n  pairwirectl upgrade, or drain each slot, for new workers");
}

static void print_head(const json_t *data)
{
	bool v6 = strchr(answer_text(data, "host"), ':') != NULL;

	printf("pairwire %s on %s: %s, %s%s%s:%" PRId64 ", up %s, %" PRId64
	       " of %" PRId64 " workers ready\n", answer_text(data, "version"),
	       answer_text(data, "node"), answer_text(data, "state"),
	       v6 ? "[" : "", answer_text(data, "host"), v6 ? "]" : "",
	       answer_number(data, "port"),
	       answer_span(answer_number(data, "uptime_ms")).text,
	       answer_number(data, "ready"), answer_number(data, "workers"));
	if (json_is_string(json_object_get(data, "admin")))
		printf("metrics and health: http://%s\n",
		       answer_text(data, "admin"));
	print_upgrade_news(data);
	print_waiting(json_object_get(data, "waiting"));
	putchar('\n');
}

static void slot_row(struct table *t, const json_t *slot)
{
	const json_t *stats = json_object_get(slot, "stats");

	worker_cells(t, slot);
	table_cell(t, "%s", answer_digits(stats, "connections").text);
	table_cell(t, "%s", answer_digits(stats, "users").text);
	table_cell(t, "%s", answer_digits(stats, "messages_accepted").text);
	table_cell(t, "%s", answer_digits(slot, "restarts").text);
}

/* Each slot's worker, then those that drain. */
static void print_slots(const json_t *slots, const json_t *draining)
{
	static const char *const heads[] = {
		WORKER_HEADS, ">conns", ">users", ">messages", ">restarts", NULL
	};
	struct table *t = table_new(heads);
	const json_t *one;
	size_t i;

	json_array_foreach(slots, i, one)
		slot_row(t, one);
	json_array_foreach(draining, i, one)
		slot_row(t, one);
	table_print(&t, stdout, 0);
}

void print_status(const json_t *data)
{
	const json_t *totals = json_object_get(data, "totals");

	print_head(data);
	print_slots(json_object_get(data, "slots"),
		    json_object_get(data, "draining"));
	printf("\nin all: %" PRId64 " connections, %" PRId64 " sessions (%"
	       PRId64 " polling), %" PRId64 " users; %" PRId64
	       " online in the cluster\n", answer_number(totals, "connections"),
	       answer_number(totals, "sessions"),
	       answer_number(totals, "sessions_polling"),
	       answer_number(totals, "users"),
	       answer_number(totals, "cluster_online_users"));
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
