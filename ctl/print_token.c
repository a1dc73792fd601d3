#include <stdio.h>

#include "ctl/answer.h"
#include "ctl/print.h"

/* Nothing else, so that scripts can take it. */
void print_token(const json_t *data)
{
	puts(answer_text(data, "token"));
}
