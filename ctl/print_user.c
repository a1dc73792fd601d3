#include <stdio.h>
#include <time.h>

#include "ctl/answer.h"
#include "ctl/print.h"
#include "ctl/table.h"
#include "ctl/unanswered.h"

/* since: a time as text, or ms since the epoch. */
static void since_cell(struct table *t, const json_t *v)
{
	time_t s = (time_t)(json_integer_value(v) / 1000);
	char text[64] = "";
	struct tm tm;

	if (json_is_integer(v) && gmtime_r(&s, &tm) != NULL)
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	table_cell(t, "%s", json_is_string(v) ? json_string_value(v) :
			    *text != '\0' ? text : "-");
}

static void print_devices(const json_t *devices)
{
	static const char *const heads[] = { "sid", "transport", "since", ">slot",
					     ">instance", NULL };
	struct table *t = table_new(heads);
	const json_t *device;
	size_t i;

	json_array_foreach(devices, i, device) {
		table_cell(t, "%s", answer_text(device, "sid"));
		table_cell(t, "%s", answer_text(device, "transport"));
		since_cell(t, json_object_get(device, "since"));
		table_cell(t, "%s", answer_digits(device, "slot").text);
		table_cell(t, "%s", answer_digits(device, "instance").text);
	}
	table_print(&t, stdout, 0);
}

void print_user(const json_t *data)
{
	const json_t *devices = json_object_get(data, "devices");
	long long more = (long long)answer_number(data, "more");

	if (json_array_size(devices) == 0)
		printf("no device of this user is connected to this host\n");
	else
		print_devices(devices);
	if (more > 0)
		printf("and %lld more\n", more);
	print_unanswered(data);
}
