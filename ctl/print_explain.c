#include <inttypes.h>
#include <stdio.h>

#include "ctl/answer.h"
#include "ctl/print.h"
#include "ctl/table.h"

static void detail_cell(struct table *t, const json_t *event)
{
	const json_t *us = json_object_get(event, "after_arrival_us");
	const json_t *instances = json_object_get(event, "instances");
	const json_t *devices = json_object_get(event, "devices");
	int64_t n = json_integer_value(instances != NULL ? instances : devices);

	if (us != NULL)
		table_cell(t, "%.1f ms after it came",
			   (double)json_integer_value(us) / 1000);
	else if (instances != NULL || devices != NULL)
		table_cell(t, "to %" PRId64 " %s%s", n,
			   instances != NULL ? "worker" : "device",
			   n != 1 ? "s" : "");
	else
		table_cell(t, "%s", "");
}

static void print_events(const json_t *events)
{
	static const char *const heads[] = { "time", "event", "", ">after ms",
					     ">slot", ">instance", NULL };
	double first = (double)answer_number(json_array_get(events, 0), "us");
	struct table *t = table_new(heads);
	const json_t *event;
	size_t i;

	json_array_foreach(events, i, event) {
		const char *time = strchr(answer_text(event, "time"), 'T');
		bool died = json_is_false(json_object_get(event, "alive"));

		table_cell(t, "%.15s", time != NULL ? time + 1 : "-");
		table_cell(t, "%s", answer_text(event, "event"));
		detail_cell(t, event);
		table_cell(t, "%.3f",
			   ((double)answer_number(event, "us") - first) / 1000);
		table_cell(t, "%s", answer_digits(event, "slot").text);
		table_cell(t, "%" PRId64 "%s", answer_number(event, "instance"),
			   died ? " (died)" : "");
	}
	table_print(&t, stdout, 0);
}

static void print_other_hosts(const json_t *data)
{
	const json_t *hosts = json_object_get(data, "other_hosts");
	size_t n = json_array_size(hosts);

	if (json_object_get(data, "hosts_unknown") != NULL)
		printf("\nother hosts were not asked, and which there are is "
		       "not known: %s\n", answer_text(data, "hosts_unknown"));
	if (n == 0)
		return;
	printf("\nnot asked: ");
	for (size_t i = 0; i < n; i++)
		printf("%s%s", i > 0 ? ", " : "",
		       json_string_value(json_array_get(hosts, i)));
	puts(": run it there, too");
}

void print_explain(const json_t *data)
{
	const json_t *events = json_object_get(data, "events");

	if (json_array_size(events) == 0) {
		printf("no worker of this host remembers message %s\n",
		       answer_text(data, "id"));
		print_other_hosts(data);
		return;
	}
	printf("message %s on %.10s (UTC):\n\n", answer_text(data, "id"),
	       answer_text(json_array_get(events, 0), "time"));
	print_events(events);
	print_other_hosts(data);
}
