#include <inttypes.h>
#include <stdio.h>

#include "ctl/answer.h"
#include "ctl/print.h"
#include "ctl/unanswered.h"

static const char *plural(int64_t n)
{
	return n == 1 ? "" : "s";
}

void print_disconnect(const json_t *data)
{
	bool unknown = json_object_get(data, "elsewhere_unknown") != NULL;
	int64_t devices = answer_number(data, "devices");
	int64_t told = answer_number(data, "instances");
	int64_t deaf = answer_number(data, "deaf");

	if (devices > 0)
		printf("%" PRId64 " device%s of this user disconnected from "
		       "this host\n", devices, plural(devices));
	if (told > 0)
		printf("%" PRId64 " worker%s of other hosts told to disconnect "
		       "this user\n", told, plural(told));
	if (deaf > 0)
		printf("%" PRId64 " worker%s of other hosts could not be told "
		       "just now: run it again\n", deaf, plural(deaf));
	if (devices == 0 && told == 0 && deaf == 0)
		printf("no device of this user is connected%s\n",
		       unknown ? " to this host" : "");
	if (unknown)
		printf("only this host was told (%s): run it on the others, "
		       "too\n", answer_text(data, "elsewhere_unknown"));
	print_unanswered(data);
}
