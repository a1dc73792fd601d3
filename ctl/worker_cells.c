#include "ctl/worker_cells.h"

#include <string.h>

#include "ctl/answer.h"

static enum colour state_colour(const char *state)
{
	if (strcmp(state, "ready") == 0)
		return COLOUR_NONE;
	return strcmp(state, "backoff") == 0 || strcmp(state, "killed") == 0 ?
		       COLOUR_BAD : COLOUR_WARN;
}

static void state_cell(struct table *t, const json_t *worker)
{
	const char *state = answer_text(worker, "state");
	struct answer_span left = answer_span(answer_number(worker, "left_ms"));

	/* Its first unit, for the row to have room in 80 columns. */
	left.text[strcspn(left.text, " ")] = '\0';
	if (json_is_integer(json_object_get(worker, "left_ms")))
		table_cell(t, "%s, %s", state, left.text);
	else
		table_cell(t, "%s", state);
	table_colour(t, state_colour(state));
}

void worker_cells(struct table *t, const json_t *worker)
{
	const json_t *up = json_object_get(worker, "uptime_ms");

	table_cell(t, "%s", answer_digits(worker, "slot").text);
	table_cell(t, "%s", answer_digits(worker, "instance").text);
	table_cell(t, "%s", answer_digits(worker, "pid").text);
	state_cell(t, worker);
	table_cell(t, "%s", json_is_integer(up) ?
			    answer_span(json_integer_value(up)).text : "-");
}
