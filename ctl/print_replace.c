#include <inttypes.h>
#include <stdio.h>

#include "ctl/answer.h"
#include "ctl/print.h"

static bool print_new(const json_t *data)
{
	bool drains = json_is_integer(json_object_get(data, "draining"));

	printf("slot %" PRId64 ": instance %" PRId64 " serves",
	       answer_number(data, "slot"), answer_number(data, "instance"));
	if (!drains)
		puts("; no worker is left to be drained");
	return drains;
}

void print_drain(const json_t *data)
{
	if (print_new(data))
		printf("; instance %" PRId64 " drains, its clients may stay for "
		       "%s\n", answer_number(data, "draining"),
		       answer_span(answer_number(data, "grace_ms")).text);
}

void print_restart(const json_t *data)
{
	if (print_new(data))
		printf("; instance %" PRId64 " closes its clients' connections "
		       "and ends\n", answer_number(data, "draining"));
}
