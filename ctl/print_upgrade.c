#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "ctl/answer.h"
#include "ctl/ask.h"
#include "ctl/print.h"
#include "ctl/upgrade.h"

#define POLL_MS 200
#define STATUS_MS 5000
/* The master may take this long to be there again: it reads its configuration
 * and goes on, nothing else. */
#define AWAY_MS 15000

void print_upgrade(const json_t *data)
{
	printf("the new program is fit: %s -> %s; replacing the workers\n",
	       answer_text(data, "from"), answer_text(data, "to"));
	fflush(stdout);
}

void print_half_upgraded(FILE *f, const json_t *status)
{
	const json_t *upgrade = json_object_get(status, "upgrade");
	bool became = json_is_true(json_object_get(upgrade, "became"));
	int64_t before = answer_number(upgrade, "workers_before");

	if (before <= 0 || strcmp(answer_text(status, "state"), "stopping") == 0)
		return;
	fprintf(f, "  the master is %s; %" PRId64 " of %" PRId64 " workers are of "
		"%s and go on\n"
		"  one that dies is replaced by the new program's\n"
		"  see the log for why, install what works, then pairwirectl upgrade\n",
		answer_text(status, "version"), before,
		answer_number(status, "workers"),
		became ? answer_text(upgrade, "from") : "a program before");
}

static int tell_done(const json_t *status, const json_t *upgrade)
{
	int64_t workers = answer_number(status, "workers");
	size_t draining = json_array_size(json_object_get(status, "draining"));

	printf("upgraded %s -> %s: %" PRId64 " worker%s, %zu draining\n",
	       answer_text(upgrade, "from"), answer_text(upgrade, "to"), workers,
	       workers == 1 ? "" : "s", draining);
	return EXIT_OK;
}

/* -1: it goes on. */
static int look(const json_t *status, int64_t started, bool json)
{
	const json_t *upgrade = json_object_get(status, "upgrade");
	const char *state = answer_text(upgrade, "state");

	if (answer_number(upgrade, "started") != started) {
		fputs("pairwirectl: the master was started anew, or another "
		      "upgrade came after this one; see pairwirectl status\n",
		      stderr);
		return EXIT_REFUSED;
	}
	if (strcmp(state, "running") == 0)
		return -1;
	if (json) {
		print_json(upgrade);
		return strcmp(state, "done") == 0 ? EXIT_OK : EXIT_REFUSED;
	}
	if (strcmp(state, "done") == 0)
		return tell_done(status, upgrade);
	fprintf(stderr, "pairwirectl: the upgrade failed: %s\n",
		answer_text(upgrade, "reason"));
	print_half_upgraded(stderr, status);
	return EXIT_REFUSED;
}

/* At the moment of the exec connections are closed; the socket stays. */
int follow_upgrade(const struct call *call, const json_t *data)
{
	static const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	int64_t seen_ms = clock_mono_ms();
	int status = -1, rc = 0;

	while (status == -1 && clock_mono_ms() - seen_ms < AWAY_MS) {
		json_t *now = NULL;

		nanosleep(&pause, NULL);
		rc = ask_quietly(call, "status", STATUS_MS, &now, NULL);
		if (rc == 0) {
			seen_ms = clock_mono_ms();
			if (!call->json)
				answer_clean(now);
			status = look(now, answer_number(data, "started"),
				      call->json);
		}
		json_decref(now);
	}
	if (status != -1)
		return status;
	fprintf(stderr, "pairwirectl: the master at %s is not there any more: "
		"%s\n", call->socket, strerror(-rc));
	return EXIT_UNREACHABLE;
}
