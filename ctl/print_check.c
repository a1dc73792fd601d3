#include <stdio.h>

#include "ctl/answer.h"
#include "ctl/colour.h"
#include "ctl/print.h"

void print_check(const json_t *data)
{
	const json_t *checks = json_object_get(data, "checks");
	const json_t *one;
	int width = 0;
	size_t i;

	json_array_foreach(checks, i, one) {
		int n = (int)strlen(answer_text(one, "name"));

		width = n > width ? n : width;
	}
	json_array_foreach(checks, i, one) {
		bool ok = json_is_true(json_object_get(one, "ok"));
		enum colour c = ok ? COLOUR_GOOD : COLOUR_BAD;

		printf("%s%-3s%s  %-*s  %s", colour_on(stdout, c),
		       ok ? "ok" : "FIX", colour_off(stdout, c), width,
		       answer_text(one, "name"), answer_text(one, "text"));
		printf("%s%s\n", ok ? "" : ": ",
		       ok ? "" : answer_text(one, "todo"));
	}
}
