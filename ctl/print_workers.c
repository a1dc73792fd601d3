#include <stdio.h>

#include "ctl/answer.h"
#include "ctl/print.h"
#include "ctl/table.h"
#include "ctl/worker_cells.h"

/* divisor: how many of the number make one of the unit. */
static void part_cell(struct table *t, const json_t *v, double divisor,
		      const char *unit)
{
	if (json_is_integer(v))
		table_cell(t, "%.1f %s", (double)json_integer_value(v) / divisor,
			   unit);
	else
		table_cell(t, "-");
}

void print_workers(const json_t *data)
{
	static const char *const heads[] = {
		WORKER_HEADS, ">conns", ">users", ">cpu time", ">memory", NULL
	};
	struct table *t = table_new(heads);
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(data, "workers"), i, one) {
		worker_cells(t, one);
		table_cell(t, "%s", answer_digits(one, "connections").text);
		table_cell(t, "%s", answer_digits(one, "users").text);
		part_cell(t, json_object_get(one, "cpu_us"), 1e6, "s");
		part_cell(t, json_object_get(one, "rss_bytes"), 1 << 20, "MB");
	}
	table_print(&t, stdout, 0);
}
