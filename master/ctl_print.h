/* What pairwirectl prints for people. */
#ifndef PW_CTL_PRINT_H
#define PW_CTL_PRINT_H

#include <jansson.h>

/* data: the answer's. */
void print_status(const json_t *data);
void print_user(const json_t *data);
void print_explain(const json_t *data);

#endif
