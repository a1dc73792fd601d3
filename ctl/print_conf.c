/* reload, log and config. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/answer.h"
#include "ctl/print.h"
#include "ctl/unanswered.h"

static bool print_keys(const json_t *data, const char *kind, const char *what)
{
	const json_t *keys = json_object_get(data, kind);

	if (json_array_size(keys) == 0)
		return false;
	printf("%s: ", what);
	for (size_t i = 0; i < json_array_size(keys); i++) {
		const char *key = json_string_value(json_array_get(keys, i));

		printf("%s%s", i > 0 ? ", " : "", key != NULL ? key : "-");
	}
	putchar('\n');
	return true;
}

/* Those in which it may not count. */
static void print_behind(const json_t *data, const char *again)
{
	if (json_array_size(json_object_get(data, "unanswered")) == 0)
		return;
	printf("not known to count yet in these workers; one that stands still "
	       "takes it when it goes on; %s again to be sure:\n", again);
	print_unanswered(data);
}

void print_reload(const json_t *data)
{
	bool any = print_keys(data, "live", "reloaded");

	any |= print_keys(data, "workers", "waits for new workers (pairwirectl "
			  "upgrade, or drain each slot)");
	any |= print_keys(data, "restart", "waits for a restart of the service");
	any |= print_keys(data, "pushd", "of pairwire-pushd, which says itself "
			  "when it is reloaded");
	if (!any)
		puts("nothing changed");
	print_behind(data, "reload");
}

void print_log(const json_t *data)
{
	const json_t *area = json_object_get(data, "area");
	const char *level = answer_text(data, "level");
	bool configured = strcmp(level, "default") == 0;

	printf("%s: %s%s\n",
	       json_is_string(area) ? json_string_value(area) : "all areas",
	       configured ? "as configured" : level,
	       configured ? "" : ", until the next reload");
	print_behind(data, "say it");
}

static const char *takes_change(const char *when)
{
	static const struct {
		const char *when, *text;
	} t[] = {
		{ "live", "changes with a reload" },
		{ "workers", "changes with new workers" },
		{ "restart", "changes with a restart" },
		{ "pushd", "pairwire-pushd's, which may run with another" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		if (strcmp(t[i].when, when) == 0)
			return t[i].text;
	return when;
}

/* Lines that could be a configuration file, but for the secrets. */
void print_config(const json_t *data)
{
	const json_t *keys = json_object_get(data, "keys");
	const char *section = "";

	for (size_t i = 0; i < json_array_size(keys); i++) {
		const json_t *k = json_array_get(keys, i);

		if (strcmp(section, answer_text(k, "section")) != 0)
			printf("%s[%s]\n", i > 0 ? "\n" : "",
			       answer_text(k, "section"));
		section = answer_text(k, "section");
		printf("# %s; %s", answer_text(k, "origin"),
		       takes_change(answer_text(k, "when")));
		if (answer_number(k, "older_workers") > 0)
			printf(", of which %" PRId64 " %s to come yet",
			       answer_number(k, "older_workers"),
			       answer_number(k, "older_workers") == 1 ? "has" :
									"have");
		putchar('\n');
		printf("%s%s = %s\n",
		       json_is_true(json_object_get(k, "secret")) ? "# " : "",
		       answer_text(k, "key"), answer_text(k, "value"));
	}
}
