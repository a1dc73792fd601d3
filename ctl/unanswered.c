#include "ctl/unanswered.h"

#include <inttypes.h>
#include <stdio.h>

#include "ctl/answer.h"

void print_unanswered(const json_t *data)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(data, "unanswered"), i, one)
		printf("slot %" PRId64 " (instance %" PRId64 "): %s\n",
		       answer_number(one, "slot"), answer_number(one, "instance"),
		       answer_text(one, "reason"));
}
