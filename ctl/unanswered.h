/* Workers that were asked and did not answer. */
#ifndef PW_CTL_UNANSWERED_H
#define PW_CTL_UNANSWERED_H

#include <jansson.h>

/* A line for each, with why; nothing when there are none. */
void print_unanswered(const json_t *data);

#endif
