#include "ctl/command.h"

#include <stdlib.h>

#include "ctl/ask.h"
#include "ctl/print.h"
#include "ctl/top.h"
#include "ctl/upgrade.h"

#define DEADLINE_MS 10000

const struct command commands[] = {
#define COMMAND(name, words, min, max, who, help) \
	{ #name, words, min, max, CTL_##who, help, print_##name },
	CTL_ROWS(COMMAND)
#undef COMMAND
};
const size_t commands_n = ARRAY_SIZE(commands);

static bool check_failed(const json_t *data)
{
	return !json_is_true(json_object_get(data, "ok"));
}

static bool some_not_told(const json_t *data)
{
	return json_array_size(json_object_get(data, "unanswered")) > 0;
}

/* A worker starts within 30 s, or is given up; later, when the master itself
 * stood still meanwhile. */
static const struct extra extras[] = {
	{ .name = "top", .run = top_run,
	  .options = "[-d SECONDS] [-n COUNT] [-b]" },
	{ .name = "drain", .deadline_ms = 90000 },
	{ .name = "restart", .deadline_ms = 90000 },
	/* The master gives its workers 20 s. */
	{ .name = "reload", .deadline_ms = 40000, .failed = some_not_told },
	{ .name = "log", .deadline_ms = 40000, .failed = some_not_told },
	/* The master gives its workers nine seconds. */
	{ .name = "check", .deadline_ms = 30000, .failed = check_failed },
	/* Its preflight may take 10 s. */
	{ .name = "upgrade", .deadline_ms = 20000, .follow = follow_upgrade },
};

static const struct extra *extra_of(const struct command *c)
{
	static const struct extra none = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(extras); i++)
		if (strcmp(extras[i].name, c->name) == 0)
			return &extras[i];
	return &none;
}

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < commands_n; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

#define NAME_MAX_LEN 32

static size_t least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* How many letters to insert, drop or change (Levenshtein). */
static size_t distance(const char *a, const char *b)
{
	size_t row[NAME_MAX_LEN + 1], na = strlen(a), nb = strlen(b);

	if (na > NAME_MAX_LEN || nb > NAME_MAX_LEN)
		return NAME_MAX_LEN;
	for (size_t j = 0; j <= nb; j++)
		row[j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			size_t above = row[j];

			row[j] = least(above + 1, row[j - 1] + 1,
				       corner + (a[i - 1] != b[j - 1]));
			corner = above;
		}
	}
	return row[nb];
}

const char *command_nearest(const char *name)
{
	const char *found = NULL;
	size_t best = strlen(name) < 3 ? 1 : 3;	/* fewer than this */

	for (size_t i = 0; i < commands_n; i++) {
		size_t d = distance(name, commands[i].name);

		if (d < best) {
			best = d;
			found = commands[i].name;
		}
	}
	return found;
}

static const char *options_of(const struct command *c)
{
	const char *options = extra_of(c)->options;

	return options != NULL ? options : "";
}

void usage_one(FILE *f, const struct command *c)
{
	const char *options = options_of(c);

	fprintf(f, "usage: pairwirectl [-s SOCKET | -c FILE] [--json] %s%s%s%s%s\n"
		"  %s\n", c->name, *c->words != '\0' ? " " : "", c->words,
		*options != '\0' ? " " : "", options, c->help);
	if (c->who == CTL_CHANGE)
		fputs("  Only root and the user that pairwire runs as may do this.\n",
		      f);
}

void usage_all(FILE *f)
{
	int width = 0, words = 0;

	fputs("usage: pairwirectl [-s SOCKET | -c FILE] [--json] COMMAND [ARGUMENT...]\n"
	      "\ncommands:\n", f);
	for (size_t i = 0; i < commands_n; i++) {
		int n = (int)strlen(commands[i].name);
		int w = (int)strlen(commands[i].words);

		width = n > width ? n : width;
		words = w > words ? w : words;
	}
	for (size_t i = 0; i < commands_n; i++)
		fprintf(f, "  %-*s %-*s  %s\n", width, commands[i].name, words,
			commands[i].words, commands[i].help);
	fprintf(f, "  %-*s %-*s  %s\n", width, "help", words, "[COMMAND]",
		"this, or one command's usage");
	fputs("\noptions:\n"
	      "  -s, --socket SOCKET  the master's control socket\n"
	      "  -c, --config FILE    the master's configuration, to find it there\n"
	      "                       (default: " SYSCONFDIR "/pairwire.conf)\n"
	      "  -j, --json           print the answer as JSON\n"
	      "  -V, --version\n"
	      "  -h, --help\n"
	      "\nstatus: 0 ok, 1 refused or failed, 2 usage, 3 no master there\n", f);
}

void print_json(const json_t *data)
{
	json_dumpf(data, stdout,
		   JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
	putchar('\n');
}

int command_run(const struct command *c, const struct call *call)
{
	const struct extra *x = extra_of(c);
	json_t *data = NULL;
	int status;

	if (x->run != NULL && !call->json)
		return x->run(call);
	status = ask(call, c->name, x->deadline_ms != 0 ? x->deadline_ms :
						  DEADLINE_MS, &data);
	if (status != EXIT_OK)
		return status;
	if (!call->json) {
		answer_clean(data);
		c->print(data);
	} else if (x->follow == NULL) {
		print_json(data);
	}
	if (x->failed != NULL && x->failed(data))
		status = EXIT_REFUSED;
	else if (x->follow != NULL)
		status = x->follow(call, data);
	json_decref(data);
	return status;
}
